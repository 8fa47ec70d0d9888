"""The data folder: where what lies, and who holds it."""

import fcntl
import os
from pathlib import Path

from orchestrator.model.errors import BadInput

#: In the data folder: what was measured for ``optimize_bitrate``, for the next time.
CURVES = "curves"


class DataFolderInUse(BadInput):
    """Raised when another process serves from the same data folder."""


class DataFolder:
    """The layout of ``settings.data``, locked while open.

    ``uploads/<id>`` are tus uploads, ``work/<task>`` is a running task's own,
    ``outputs/<key>`` can be downloaded, ``tasks.sqlite`` knows what all of it is, and
    ``key`` opens what is sealed in it. ``known_hosts`` are the SSH servers that were met.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.uploads = self.root / "uploads"
        self.work = self.root / "work"
        self.outputs = self.root / "outputs"
        self.database = self.root / "tasks.sqlite"
        self.key = self.root / "key"
        self.known_hosts = self.root / "known_hosts"
        self._lock: int | None = None

    def open(self) -> None:
        """Make the folders and take the lock. Raises ``DataFolderInUse``, ``BadInput``."""
        try:
            for folder in (self.root, self.uploads, self.work, self.outputs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._take_lock()
        except OSError as error:
            raise BadInput(
                f"the data folder {self.root} can't be used: {error.strerror or error}"
            ) from error

    def _take_lock(self) -> int:
        fd = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise DataFolderInUse(
                f"another transcoder is running on the data folder {self.root}; "
                "stop it, or give this one a folder of its own"
            ) from error
        return fd

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
