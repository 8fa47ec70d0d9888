"""What ``orchestrator profiles`` tells of the files that ``/v1/start_encode`` reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.config import Config
from orchestrator.model.errors import BadInput
from orchestrator.query.secrets import SECRET
from orchestrator.transcoder.profiles import BadProfile, Profiles
from orchestrator.transcoder.settings import profile_folders

_HIDDEN = frozenset({"key", "secret", "iv", "pssh"})


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A profile or a transfer method, and what is wrong with it; secrets are blanked."""

    id: str
    kind: str
    outputs: tuple[str, ...]
    variables: tuple[str, ...]
    problems: tuple[str, ...]
    content: Any


def stored_profiles(config: Config, id_: str | None = None) -> tuple[StoredProfile, ...]:
    """All of them, or those of one id. Raises ``BadInput`` where there is none of it."""
    serve = config.serve
    folders = profile_folders(serve.data, serve.profiles, serve.transfers)
    stored = Profiles(*folders)
    profiles, transfers = stored.listed()
    found = [
        *(_profile(stored, each) for each in profiles if id_ in (None, each)),
        *(_transfer(stored, each) for each in transfers if id_ in (None, each)),
    ]
    if id_ is not None and not found:
        raise BadInput(f"there is no profile {id_} in {_shown(*folders)}")
    return tuple(found)


def _profile(stored: Profiles, id_: str) -> StoredProfile:
    try:
        profile = stored.profile(id_)
        outputs = tuple(str(each.get("output")) for each in profile.formats)
        content = {**profile.beside, "format": list(profile.formats)}
        problems = profile.problems()
        variables = () if problems else profile.variables
        return StoredProfile(id_, "profile", outputs, variables, problems, _blanked(content))
    except BadProfile as error:
        return StoredProfile(id_, "profile", (), (), (str(error),), None)


def _transfer(stored: Profiles, id_: str) -> StoredProfile:
    try:
        places = stored.transfer(id_)
    except BadProfile as error:
        return StoredProfile(id_, "transfer method", (), (), (str(error),), None)
    content = _blanked(list(places))
    return StoredProfile(id_, "transfer method", (), (), (), content)


def _blanked(content: Any, name: str = "") -> Any:
    """The content without its secrets; the names of secrets are none."""
    if isinstance(content, Mapping):
        return {key: _blanked(value, key) for key, value in content.items()}
    if isinstance(content, list):
        return [_blanked(value, name) for value in content]
    if name in _HIDDEN and isinstance(content, str) and not SECRET.fullmatch(content):
        return "***"
    return content


def _shown(*folders: Path) -> str:
    return " or ".join(map(str, folders))
