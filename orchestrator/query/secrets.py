"""``${env:NAME}``: secrets by name until the moment a request is sent.

The ledger, the logs and every report see the name only.
"""

import re
from collections.abc import Mapping
from typing import Any

from orchestrator.model.errors import BadInput
from orchestrator.query.problems import dotted

SECRET = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def resolve_secrets(doc: Any, env: Mapping[str, str]) -> Any:
    """``doc`` with the value of each ``${env:NAME}`` in its place.

    Raises ``BadInput`` naming the variable and its place when it is not set.
    """
    return _resolved(doc, env, ())


def secrets_in(text: str) -> list[str]:
    """The names of the secrets in ``text``, in their order."""
    return SECRET.findall(text) if "${env:" in text else []


def _resolved(doc: Any, env: Mapping[str, str], path: tuple[str | int, ...]) -> Any:
    if isinstance(doc, str):
        return _filled(doc, env, path) if "${env:" in doc else doc
    if isinstance(doc, Mapping):
        return {key: _resolved(value, env, (*path, key)) for key, value in doc.items()}
    if isinstance(doc, list | tuple):
        return [_resolved(value, env, (*path, place)) for place, value in enumerate(doc)]
    return doc


def _filled(text: str, env: Mapping[str, str], path: tuple[str | int, ...]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in env:
            where = f"{dotted(path)}: " if path else ""
            raise BadInput(
                f"{where}the environment variable {name} is not set (set it, or export it)"
            )
        return env[name]

    return SECRET.sub(value, text)
