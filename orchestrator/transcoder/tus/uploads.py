"""The uploads that the service holds: a row each, and a file whose length is the offset."""

import shutil
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from orchestrator.files import sync
from orchestrator.storage.disk import Disk
from orchestrator.transcoder.database import Database
from orchestrator.transcoder.tasks import TaskState
from orchestrator.transcoder.tus.appender import mend, unproven
from orchestrator.transcoder.tus.wire import TusError

_COPY = 8 * 1024 * 1024
_OVER = (TaskState.COMPLETED, TaskState.ERROR, None)


@dataclass(frozen=True, slots=True)
class Upload:
    """One tus upload. ``length`` is None while its client has put it off.

    ``metadata`` and ``concat`` are the headers as they came.
    """

    id: str
    task: str
    length: int | None
    metadata: str = ""
    concat: str = ""
    created: float = 0.0

    @property
    def is_final(self) -> bool:
        """Whether it was put together from others and takes no bytes itself."""
        return self.concat.startswith("final;")


class Uploads:
    """Finds, makes, checks and removes uploads. ``keep`` is in seconds."""

    def __init__(self, database: Database, disk: Disk, folder: Path, keep: float) -> None:
        self._database, self._disk, self._keep = database, disk, keep
        self.folder = folder

    def path(self, upload: Upload) -> Path:
        """Where the bytes are; the file may not exist before the first one."""
        return self.folder / upload.id

    def offset(self, upload: Upload) -> int:
        """How many bytes have arrived. Only for one that holds the upload's turn:

        what a crash left of a body with a checksum is cut off here.
        """
        return mend(self.path(upload))

    def expires(self, upload: Upload) -> float:
        """When it will be gone unless more bytes come, UNIX seconds."""
        try:
            touched = self.path(upload).stat().st_mtime
        except FileNotFoundError:
            touched = upload.created
        return max(touched, upload.created) + self._keep

    async def add(
        self, task: str, length: int | None, metadata: str = "", concat: str = ""
    ) -> Upload:
        """A new upload of a task that was not started, on disk. Raises ``TusError``."""
        upload = Upload(uuid4().hex, task, length, metadata, concat, time.time())
        await self._database.run(lambda db: _add(db, upload))
        return upload

    async def find(self, task: str, upload_id: str) -> Upload:
        """An upload of a task. Raises ``TusError`` 404, and 410 once it has expired."""
        upload = await self._find(task, upload_id)
        if upload is None:
            raise TusError(404, "this task has no such upload; create it again")
        if self.expires(upload) < time.time() and not await self._started(task):
            raise TusError(410, "this upload has expired; create it again")
        return upload

    async def complete(self, task: str, upload_id: str) -> Path | None:
        """The file of a task's upload, once all of it is there; None if it is not."""
        upload = await self._find(task, upload_id)
        if upload is None or upload.concat == "partial":
            return None
        return self.path(upload) if self._is_whole(upload) else None

    async def set_length(self, upload: Upload, length: int) -> Upload:
        """The length that was put off, now known and on disk."""
        await self._database.run(
            lambda db: db.execute("UPDATE uploads SET length = ? WHERE id = ?", (length, upload.id))
        )
        return replace(upload, length=length)

    async def join(self, task: str, ids: Sequence[str], metadata: str, concat: str) -> Upload:
        """A final upload of complete parts, all of its bytes on disk. Raises ``TusError``."""
        sources = [self.path(await self._whole_part(task, part)) for part in ids]
        length = sum(source.stat().st_size for source in sources)
        upload = Upload(uuid4().hex, task, length, metadata, concat, time.time())
        target = self.path(upload)
        try:
            await self._disk.run(_join, sources, target)
            await self._database.run(lambda db: _add(db, upload))
        except BaseException:
            await self._disk.run(target.unlink, missing_ok=True)
            raise
        return upload

    async def remove(self, upload: Upload) -> None:
        """Give up an upload, unless its task was started (``TusError`` 403)."""
        await self._database.run(lambda db: _remove(db, upload))
        await self._disk.run(_unlink, self.path(upload))

    async def remove_all(self, task: str) -> None:
        """Remove every upload of a task."""
        ids = await self._database.run(
            lambda db: db.execute(
                "DELETE FROM uploads WHERE task = ? RETURNING id", (task,)
            ).fetchall()
        )
        for row in ids:
            await self._disk.run(_unlink, self.folder / row["id"])

    async def remove_expired(self) -> int:
        """Remove what has expired or belongs to a task that ended; counts them."""
        rows = await self._database.run(
            lambda db: db.execute(
                "SELECT u.*, t.state FROM uploads u LEFT JOIN tasks t ON t.token = u.task"
            ).fetchall()
        )
        old = await self._disk.run(self._expired, rows)
        await self._database.run(
            lambda db: db.executemany("DELETE FROM uploads WHERE id = ?", [(id_,) for id_ in old])
        )
        for upload_id in old:
            await self._disk.run(_unlink, self.folder / upload_id)
        return len(old)

    async def remove_strays(self) -> None:
        """Remove files that no row knows. Only before anything is uploaded."""
        rows = await self._database.run(lambda db: db.execute("SELECT id FROM uploads").fetchall())
        await self._disk.run(_unlink_strays, self.folder, {row["id"] for row in rows})

    async def _whole_part(self, task: str, part: str) -> Upload:
        upload = await self.find(task, part)
        if upload.concat != "partial":
            raise TusError(400, "Upload-Concat names an upload that was not made as partial")
        if not self._is_whole(upload):
            raise TusError(400, "a part is not complete yet; finish it before the final upload")
        return upload

    def _expired(self, rows: Sequence[sqlite3.Row]) -> list[str]:
        now = time.time()
        return [
            row["id"]
            for row in rows
            if row["state"] in _OVER
            or (row["state"] == TaskState.CREATED and self.expires(_upload(row)) < now)
        ]

    def _is_whole(self, upload: Upload) -> bool:
        path = self.path(upload)
        whole = path.is_file() and path.stat().st_size == upload.length
        return whole and not unproven(path)

    async def _find(self, task: str, upload_id: str) -> Upload | None:
        rows = await self._database.run(
            lambda db: db.execute(
                "SELECT * FROM uploads WHERE id = ? AND task = ?", (upload_id, task)
            ).fetchall()
        )
        return _upload(rows[0]) if rows else None

    async def _started(self, task: str) -> bool:
        state = await self._database.run(lambda db: _state(db, task))
        return state not in (None, TaskState.CREATED)


def _upload(row: sqlite3.Row) -> Upload:
    return Upload(
        row["id"], row["task"], row["length"], row["metadata"], row["concat"], row["created"]
    )


def _state(db: sqlite3.Connection, task: str) -> str | None:
    row = db.execute("SELECT state FROM tasks WHERE token = ?", (task,)).fetchone()
    return None if row is None else row["state"]


def _check_open(db: sqlite3.Connection, task: str) -> None:
    state = _state(db, task)
    if state is None:
        raise TusError(404, "there is no such task; create one with /v1/create_task")
    if state != TaskState.CREATED:
        raise TusError(403, "this task was started, so its uploads can't be changed any more")


def _add(db: sqlite3.Connection, upload: Upload) -> None:
    _check_open(db, upload.task)
    db.execute(
        "INSERT INTO uploads (id, task, length, metadata, concat, created)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (upload.id, upload.task, upload.length, upload.metadata, upload.concat, upload.created),
    )


def _remove(db: sqlite3.Connection, upload: Upload) -> None:
    _check_open(db, upload.task)
    db.execute("DELETE FROM uploads WHERE id = ?", (upload.id,))


def _join(sources: Sequence[Path], target: Path) -> None:
    with target.open("wb") as joined:
        for source in sources:
            with source.open("rb") as part:
                shutil.copyfileobj(part, joined, _COPY)
    sync(target)
    sync(target.parent)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".base").unlink(missing_ok=True)


def _unlink_strays(folder: Path, known: set[str]) -> None:
    for path in folder.iterdir():
        if path.name.removesuffix(".base") not in known:
            path.unlink(missing_ok=True)
