"""What every ``Uploader`` keeps to. Subclass, and say how to make one and its server."""

import hashlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.model.errors import SourceChanged, SourceMissing, UploadGone
from orchestrator.model.items import Attempt
from orchestrator.model.ports import Uploader

BYTES = hashlib.shake_128(b"source").digest(3_000_001)


@dataclass
class Watcher:
    """Notes what it hears; ``meanwhile`` is called when an upload exists."""

    urls: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    total: int = -1
    meanwhile: object = None

    async def created(self, upload_url: str) -> None:
        self.urls.append(upload_url)
        if callable(self.meanwhile):
            self.meanwhile()

    def sent(self, offset: int, total: int) -> None:
        self.offsets.append(offset)
        self.total = total


class UploaderContract:
    """Fixtures to give: ``uploader``, ``attempt`` (prepared, nothing uploaded yet)."""

    def arrived(self, remote: str) -> bytes:
        """The bytes that the server has under the remote source."""
        raise NotImplementedError

    def forget(self) -> None:
        """Let the server forget every upload."""
        raise NotImplementedError

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        path = tmp_path / "Käse, 1.mp4"
        path.write_bytes(BYTES)
        return path

    async def test_the_bytes_arrive(
        self, uploader: Uploader, attempt: Attempt, source: Path
    ) -> None:
        watcher = Watcher()
        remote = await uploader.upload(source, attempt, watcher)
        assert self.arrived(remote) == BYTES
        assert watcher.offsets[-1] == watcher.total == 3_000_001
        assert watcher.offsets == sorted(watcher.offsets)
        assert len(watcher.urls) == 1

    async def test_small_and_empty_files(
        self, uploader: Uploader, attempt: Attempt, tmp_path: Path
    ) -> None:
        for size in (0, 1, 65_536):
            path = tmp_path / f"{size}.mp4"
            path.write_bytes(os.urandom(size))
            remote = await uploader.upload(path, attempt, Watcher())
            assert self.arrived(remote) == path.read_bytes()

    async def test_an_upload_that_is_complete_is_not_sent_again(
        self, uploader: Uploader, attempt: Attempt, source: Path
    ) -> None:
        watcher = Watcher()
        first = await uploader.upload(source, attempt, watcher)
        again = Watcher()
        resumed = replace(attempt, upload_url=watcher.urls[0])
        assert await uploader.upload(source, resumed, again) == first
        assert again.urls == []
        assert again.offsets == [3_000_001]

    async def test_an_upload_that_is_gone(
        self, uploader: Uploader, attempt: Attempt, source: Path
    ) -> None:
        watcher = Watcher()
        await uploader.upload(source, attempt, watcher)
        self.forget()
        with pytest.raises(UploadGone):
            await uploader.upload(source, replace(attempt, upload_url=watcher.urls[0]), Watcher())

    async def test_a_source_that_changes_meanwhile(
        self, uploader: Uploader, attempt: Attempt, source: Path
    ) -> None:
        def change() -> None:
            stat = source.stat()
            os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))

        with pytest.raises(SourceChanged):
            await uploader.upload(source, attempt, Watcher(meanwhile=change))

    async def test_a_source_that_is_cut_short_meanwhile(
        self, uploader: Uploader, attempt: Attempt, source: Path
    ) -> None:
        def cut() -> None:
            os.truncate(source, 1_500_000)

        with pytest.raises(SourceChanged):
            await uploader.upload(source, attempt, Watcher(meanwhile=cut))

    async def test_sources_that_can_not_be_read(
        self, uploader: Uploader, attempt: Attempt, tmp_path: Path
    ) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path / "none.mp4", tmp_path, tmp_path / "pipe", tmp_path / "a" / "b"):
            with pytest.raises(SourceMissing, match=str(path)):
                await uploader.upload(path, attempt, Watcher())
