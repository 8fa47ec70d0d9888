"""How a source's bytes are read: from the kernel's memory where they are, else in a thread."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.model.errors import SourceChanged
from orchestrator.services import source_file
from orchestrator.services.source_file import BLOCK, SourceFile, open_source

pytestmark = pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="Linux has it")


FILM = os.urandom(8 * BLOCK + 5)


class Reads:
    """``preadv`` that fails as ``missing`` says, by the offset; counts, too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, missing: Callable[[int], bool]) -> None:
        self.missing = missing
        self.in_threads = 0
        self._preadv = os.preadv
        monkeypatch.setattr(source_file.os, "preadv", self.preadv)
        monkeypatch.setattr(source_file, "AsyncFileIO", self.counted(source_file.AsyncFileIO))

    def preadv(self, file: int, into: list[bytearray], offset: int, flags: int) -> int:
        if self.missing(offset):
            raise BlockingIOError
        return self._preadv(file, into, offset, flags)

    def counted(self, made: Callable[..., object]) -> Callable[..., object]:
        def make(*arguments: object) -> object:
            self.in_threads += 1
            return made(*arguments)

        return make


async def everything(source: SourceFile) -> bytes:
    found = b""
    while len(found) < source.size:
        found += bytes(await source.block(len(found)))
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "film.mov"
    path.write_bytes(FILM)
    return path


async def test_what_is_in_memory_needs_no_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(monkeypatch, lambda offset: False)
    async with open_source(path) as source:
        assert await everything(source) == FILM
    assert reads.in_threads == 0


async def test_a_page_that_is_missing_costs_one_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(monkeypatch, lambda offset: offset == 2 * BLOCK)
    async with open_source(path) as source:
        assert await everything(source) == FILM
    assert reads.in_threads == 1


async def test_what_is_on_the_disk_is_read_ahead(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(monkeypatch, lambda offset: True)
    async with open_source(path) as source:
        await source.block(0)
        assert reads.in_threads == 2
        assert (
            bytes(await source.block(BLOCK)) + bytes(await source.block(2 * BLOCK))
            == FILM[BLOCK : 3 * BLOCK]
        )
        assert reads.in_threads == 4


@pytest.mark.parametrize("missing", [True, False])
async def test_a_small_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    path = tmp_path / "clip.mov"
    path.write_bytes(FILM[:BLOCK])
    Reads(monkeypatch, lambda offset: missing)
    async with open_source(path) as source:
        assert await source.whole() == FILM[:BLOCK]


async def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    path = tmp_path / "clip.mov"
    path.write_bytes(b"x" * 100)
    async with open_source(path) as source:
        os.truncate(path, 0)
        with pytest.raises(SourceChanged, match="shorter"):
            await source.whole()
        with pytest.raises(SourceChanged, match="shorter"):
            await source.block(50)
