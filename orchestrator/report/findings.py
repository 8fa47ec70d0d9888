"""What a check of the machine, the settings and the service found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of ``orchestrator doctor``.

    ``detail`` says what was found, ``hint`` what to do where it is not ``ok``.
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""
