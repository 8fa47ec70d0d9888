"""The publishing uploader over places that tests move: stalls, names, sources read as they lie."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.model.errors import Permanent, SourceMissing, Stalled, Transient
from orchestrator.model.items import Attempt
from orchestrator.query import Origins, Publish
from orchestrator.services.publishing import MappedUploader, PlaceUploader
from orchestrator.services.publishing.published import Published
from orchestrator.services.throttle import Throttle
from orchestrator.storage import Passing, Sending, Target
from tests.services.contract_uploader import Watcher

FILM = bytes(range(256)) * 8192
ATTEMPT = Attempt(1, "edge", "", "", task="f00")


class Memory:
    """Keeps files in memory. ``breaks`` are how many bytes each of the next tries brings."""

    streams = True

    def __init__(self, *breaks: int) -> None:
        self.data = bytearray()
        self._breaks = list(breaks)
        self.tries = 0

    async def begin(self, sending: Sending) -> str:
        return "handle"

    async def arrived(self, sending: Sending) -> int | None:
        return len(self.data)

    async def append(self, sending: Sending, offset: int, blocks: AsyncIterator[bytes]) -> None:
        assert offset == len(self.data)
        self.tries += 1
        left = self._breaks.pop(0) if self._breaks else None
        async for block in blocks:
            self.data += block if left is None else block[:left]
            if left is not None and (left := left - len(block)) <= 0:
                raise Passing("the connection failed")
            sending.moved(len(self.data))

    async def finish(self, sending: Sending) -> None:
        assert len(self.data) == sending.size

    async def remove(self, sending: Sending) -> None:
        self.data.clear()


class Hung(Memory):
    """Takes one block and no more."""

    async def append(self, sending: Sending, offset: int, blocks: AsyncIterator[bytes]) -> None:
        async for _ in blocks:
            await asyncio.Event().wait()


def uploader(place: Memory, stall: float = 5.0) -> PlaceUploader:
    publish = Publish(to="ftp://u:${env:P}@host/in")
    target = Target("ftp://host/in", "in", {})
    return PlaceUploader(place, target, publish, throttle=Throttle(), stall=stall)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mov"
    path.write_bytes(FILM)
    return path


async def test_a_server_that_takes_nothing_is_given_up(film: Path) -> None:
    with pytest.raises(Stalled, match="ftp://host/in: nothing moved for"):
        await uploader(Hung(), stall=0.05).upload(film, ATTEMPT, Watcher())


async def test_it_goes_on_as_long_as_each_try_brings_something(film: Path) -> None:
    place, watcher = Memory(300_000, 100, 700_000), Watcher()
    assert await uploader(place).upload(film, ATTEMPT, watcher) == (
        "ftp://u:${env:P}@host/in/film-f00.mov"
    )
    assert bytes(place.data) == FILM
    assert place.tries == 4
    assert watcher.urls == ["film-f00.mov#handle"]
    assert watcher.offsets == sorted(set(watcher.offsets))


async def test_what_brings_nothing_is_for_the_engine_to_try_again(film: Path) -> None:
    place = Memory(300_000, 0)
    with pytest.raises(Transient, match="can't publish at ftp://host/in: the connection failed"):
        await uploader(place).upload(film, ATTEMPT, Watcher())
    assert place.tries == 2


async def test_an_attempt_that_was_not_prepared(film: Path) -> None:
    with pytest.raises(ValueError, match="not prepared"):
        await uploader(Memory()).upload(film, Attempt(1, "edge", "", ""), Watcher())


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("film.mov", "film-f00.mov"),
        ("Käse, 1.mp4", "K_se_1-f00.mp4"),
        ("...", "source-f00"),
        (".hidden", "hidden-f00"),
        ("-rf x.mp4", "rf_x-f00.mp4"),
        ("a" * 200 + ".mp4", "a" * 80 + "-f00.mp4"),
        ("no ending", "no_ending-f00"),
    ],
)
def test_names_are_safe_everywhere(name: str, published: str) -> None:
    made = Published.of(Path("/films") / name, "f00")
    assert made.name == published
    with_handle = made._replace(handle="2~x#y")
    assert Published.read(with_handle.record) == with_handle
    assert Published.read(made.record) == made


async def test_a_mapped_file_is_named_and_others_go_on(film: Path, tmp_path: Path) -> None:
    origins = Origins.of({str(tmp_path): "https://cdn.example.com"}, tmp_path)
    mapped = MappedUploader(origins, uploader(Memory()))
    watcher = Watcher()
    assert await mapped.upload(film, ATTEMPT, watcher) == "https://cdn.example.com/film.mov"
    assert watcher.urls == watcher.offsets == []
    with pytest.raises(SourceMissing):
        await mapped.upload(tmp_path / "gone.mov", ATTEMPT, watcher)
    elsewhere = MappedUploader(Origins.of({"/srv": "https://h"}, tmp_path), uploader(Memory()))
    assert (await elsewhere.upload(film, ATTEMPT, watcher)).startswith("ftp://u:${env:P}@")
    with pytest.raises(Permanent, match="under no folder of origin_map"):
        await MappedUploader(Origins({})).upload(film, ATTEMPT, watcher)
