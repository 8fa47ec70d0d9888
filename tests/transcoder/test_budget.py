"""Memory that encodes share, and the disk that they leave alone."""

import asyncio
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from orchestrator.query import parse_query
from orchestrator.transcoder import room as room_module
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.memory import Memory, needed
from orchestrator.transcoder.pertitle import PerTitle
from orchestrator.transcoder.pertitle.findings import Findings
from orchestrator.transcoder.plan import Means, compile_plan, material
from orchestrator.transcoder.ports import EncodingFailed, Inputs, SourceFile
from orchestrator.transcoder.room import Room
from orchestrator.transcoder.streams import Probe, VideoStream
from tests.media import coded_clip, toolchain
from tests.transcoder.encodes import Listener, inputs

#: The peak resident set of ffmpeg 9.0, in MiB: of which encoder, threads, and lines.
MEASURED = [
    *(("libx264", 1, 480, 118), ("libx264", 8, 480, 166), ("libx264", 1, 1080, 402)),
    *(("libx264", 2, 1080, 451), ("libx264", 8, 1080, 599), ("libx265", 1, 480, 156)),
    *(("libx265", 8, 480, 299), ("libx265", 1, 1080, 445), ("libx265", 8, 1080, 751)),
    *(("libvpx-vp9", 1, 1080, 334), ("libvpx-vp9", 8, 1080, 397), ("libvpx-vp9", 8, 480, 175)),
    *(("libsvtav1", 1, 1080, 352), ("libsvtav1", 2, 1080, 461), ("libsvtav1", 8, 1080, 1006)),
]


def estimated(codec: str, threads: int, lines: int, **asked: object) -> float:
    """What an encode at the source's size is thought to need, in MiB."""
    size = (1920, 1080) if lines == 1080 else (854, 480)
    video = VideoStream(0, "h264", *size, rate=Fraction(25), duration=4.0, frames=100)
    film = material(Inputs((SourceFile(Path("a.mp4")),)), [Probe("mov", 4.0, (video,))])
    output = "webm" if codec.startswith("libvpx") else "mp4"
    wanted = {"output": output, "video_codec": codec, **asked}
    query = parse_query({"source": "tus:a", "format": [wanted]})
    return needed(compile_plan(query, film, Means()), film, threads) / 2**20


@pytest.mark.parametrize(("codec", "threads", "lines", "peak"), MEASURED)
def test_estimates_are_above_what_was_measured_and_not_far(codec, threads, lines, peak):
    assert peak <= estimated(codec, threads, lines) <= 1.7 * peak


def test_a_longer_lookahead_and_an_analysis_count():
    usual = estimated("libx264", 8, 1080)
    far = {"video_codec_parameters": {"rc_lookahead": 240}}
    assert estimated("libx264", 8, 1080, **far) > 1.5 * usual
    assert estimated("libx264", 8, 1080, optimize_bitrate=1) > usual


async def test_an_analysis_waits_for_memory_too(tmp_path, monkeypatch):
    order = []

    class Watched(Memory):
        @asynccontextmanager
        async def hold(self, needed):
            async with super().hold(needed):
                order.append("held")
                yield
            order.append("given back")

    async def analyse(*_):
        order.append("analysed")
        return Findings()

    monkeypatch.setattr(PerTitle, "analyse", analyse)
    clip = coded_clip(tmp_path / "clip.mp4", seconds=0.2, size="64x48")
    query = parse_query({"source": "tus:a", "format": [{"output": "mp4", "optimize_bitrate": 1}]})
    encoder = FfmpegEncoder(toolchain(), threads=1, memory=Watched(100))
    await encoder.encode(query, inputs(clip), tmp_path, Listener())
    assert order == ["held", "analysed", "given back"]


async def test_what_does_not_fit_waits_for_its_turn():
    memory, order = Memory(100), []
    gates = {name: asyncio.Event() for name in "abc"}

    async def work(name, needed):
        async with memory.hold(needed):
            order.append(name)
            await gates[name].wait()

    async with asyncio.TaskGroup() as group:
        for name, needed in (("a", 60), ("b", 50), ("c", 10)):
            group.create_task(work(name, needed))
        for _ in range(5):
            await asyncio.sleep(0)
        assert order == ["a"]  # c would fit, but b came first
        gates["a"].set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert order == ["a", "b", "c"]
        gates["b"].set()
        gates["c"].set()


async def test_more_than_there_is_takes_all_of_it():
    memory = Memory(100)
    async with memory.hold(1000), asyncio.timeout(5):
        other = asyncio.create_task(memory.hold(1).__aenter__())
        await asyncio.sleep(0)
        assert not other.done()
        other.cancel()
    async with asyncio.timeout(5), memory.hold(100):
        pass  # who gave up waiting holds nothing


async def test_the_machine_has_memory():
    async with Memory().hold(2**30):
        pass


async def test_an_encode_that_fills_the_disk_is_given_up(tmp_path, monkeypatch):
    ended = asyncio.Event()

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(room_module, "free_bytes", lambda _: 49)
    with pytest.raises(EncodingFailed, match="disk is nearly full"):
        await Room(tmp_path, 100, every=0.01).watch(work())
    assert ended.is_set()


async def test_less_than_wanted_is_no_emergency(tmp_path, monkeypatch):
    async def work():
        await asyncio.sleep(0)
        return 7

    monkeypatch.setattr(room_module, "free_bytes", lambda _: 51)
    assert not Room(tmp_path, 100).is_there()
    assert await Room(tmp_path, 100).watch(work()) == 7


async def test_a_cancelled_encode_has_ended(tmp_path):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(Room(tmp_path, 0).watch(work()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
