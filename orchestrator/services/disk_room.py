"""Room on the disk for what is collected, counted over all downloads of this process."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orchestrator.model.ports import Shortage
from orchestrator.services.disk_write import in_thread


class Usage(NamedTuple):
    """A file system: which one it is, and how many bytes may still be written to it."""

    device: int
    free: int


def usage_of(folder: Path) -> Usage:
    """The file system that ``folder``, which need not be there yet, is or will be on. Blocks."""
    while not folder.exists():
        folder = folder.parent
    return Usage(folder.stat().st_dev, shutil.disk_usage(folder).free)


@dataclass(slots=True)
class _Held:
    device: int
    size: int


class DiskRoom:
    """Promises room and keeps account of it; ``min_free`` bytes are never promised."""

    def __init__(self, min_free: int = 0, usage: Callable[[Path], Usage] = usage_of) -> None:
        self._min_free = min_free
        self._usage = usage
        self._held: dict[int, _Held] = {}

    async def hold(self, owner: int, folder: Path, size: int, have: int) -> Shortage | None:
        """Promise ``owner`` room for ``size`` bytes in ``folder``, ``have`` of them there already.

        The answer says what is missing where there is not enough.
        """
        device, free = await in_thread(self._usage, folder)
        free -= sum(
            held.size
            for other, held in self._held.items()
            if held.device == device and other != owner
        )
        needed = max(0, size - have)
        if needed and free < needed + self._min_free:
            return Shortage(str(folder), max(0, free), needed + self._min_free)
        self._held[owner] = _Held(device, size)
        return None

    def landed(self, owner: int, size: int) -> None:
        """``size`` of the promised bytes are on the disk, and so no longer free there."""
        if held := self._held.get(owner):
            held.size = max(0, held.size - size)

    def let_go(self, owner: int) -> None:
        """The owner needs no more."""
        self._held.pop(owner, None)
