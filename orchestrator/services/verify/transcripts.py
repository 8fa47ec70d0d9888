"""Checks of what is said in a source: the files are there, and what they should be."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from orchestrator.services.verify.reading import read
from orchestrator.services.verify.stills import check_json

_EMPTY = "is empty: nothing was heard in the source, or nothing was said"
_NOT_THERE = "is not there: the service did not make this translation"


async def check_transcript(
    folder: Path, names: Sequence[str], may_be: Sequence[str]
) -> tuple[str, ...]:
    """What could not be proven of files called ``names``, which are there.

    Raises ``VerificationFailed``, ``Transient``.
    """
    notes: list[str] = []
    for name in (*names, *may_be):
        path = folder / name
        if name in may_be and not await read(path, path.is_file):
            notes.append(f"{name} {_NOT_THERE}")
        elif not (await read(path, path.stat)).st_size:
            notes.append(f"{name} {_EMPTY}")
        elif path.suffix == ".json":
            await read(path, partial(check_json, path))
    return tuple(notes)
