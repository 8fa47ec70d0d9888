"""Cutting picture and sound together, or codecs that Shaka Packager can't put where asked.

ffmpeg's HLS muxer copies the streams: Shaka Packager keeps every stream apart,
and its transport streams hold neither HEVC nor MP3.
"""

import asyncio
import struct
from collections.abc import Sequence
from pathlib import Path

from orchestrator.transcoder.packaging.cutting import PLAYLIST_TIMESCALE, TS_START_MS, Cut
from orchestrator.transcoder.packaging.places import Names
from orchestrator.transcoder.packaging.playlists import read_parts
from orchestrator.transcoder.packaging.rendition import IFrame, Segment
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.probe import input_name
from orchestrator.transcoder.processes import child
from orchestrator.transcoder.reasons import in_plain_words
from orchestrator.transcoder.toolchain import Toolchain


class Joiner:
    """Runs ffmpeg and ffprobe; each run may take ``limit`` seconds."""

    def __init__(self, toolchain: Toolchain, limit: float, nice: int = 5) -> None:
        self._toolchain, self._limit, self._nice = toolchain, limit, nice

    async def cut(
        self, work: Path, inputs: Sequence[tuple[Path, str]], names: Names, seconds: float
    ) -> Cut:
        """Cut the first stream of each kind (``v``, ``a``) of ``inputs`` into common segments.

        Cuts at keyframes, each at least ``seconds`` after the last. Raises ``MediaError``.
        """
        await self._run(self._command(inputs, names.format == "mp4", seconds), work)
        return await asyncio.to_thread(_taken, work, names)

    def _command(self, inputs: Sequence[tuple[Path, str]], fmp4: bool, seconds: float) -> list[str]:
        command = [str(self._toolchain.ffmpeg), "-v", "error", "-nostdin", "-y"]
        for path, _ in inputs:
            command += ["-i", input_name(path)]
        for index, (_, kind) in enumerate(inputs):
            command += ["-map", f"{index}:{kind}:0"]
        command += ["-map_metadata", "-1", "-c", "copy", "-f", "hls", "-hls_playlist_type", "vod"]
        command += ["-hls_time", f"{seconds:g}", "-start_number", "1"]
        if fmp4:
            names = ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "s_init.mp4"]
            return [*command, *names, "-hls_segment_filename", "s_%d.m4s", "p.m3u8"]
        start = ["-muxdelay", "0", "-muxpreload", "0"]
        start += ["-output_ts_offset", f"{TS_START_MS / 1000:g}"]
        return [*command, *start, "-hls_segment_filename", "s_%d.ts", "p.m3u8"]

    async def i_frames(self, work: Path, made: Cut) -> tuple[IFrame, ...]:
        """The picture that each segment begins with. Raises ``MediaError``."""
        frames: list[IFrame] = []
        for segment in made.segments:
            seconds = segment.duration / made.timescale
            offset, size = await self._first_picture(work, segment, made.init)
            frames.append(IFrame(segment.file, offset, size, seconds))
        return tuple(frames)

    async def _first_picture(
        self, work: Path, segment: Segment, init: str | None
    ) -> tuple[int, int]:
        """Where the bytes are that hold it; an fMP4's include the index before them."""
        path, before, index = work / segment.file, 0, None
        if init is not None:
            before = (work / init).stat().st_size
            index = await asyncio.to_thread(_moof, path)
            path = await asyncio.to_thread(_with_init, work, init, segment.file)
        entries = ("-show_entries", "packet=pos,size", "-read_intervals", "%+#2", "-of", "csv=p=0")
        command = (str(self._toolchain.ffprobe), "-v", "error", "-select_streams", "v:0", *entries)
        said = (await self._run([*command, input_name(path)], work)).split()
        if not said:
            raise MediaError("packaging failed: a segment has no picture to begin with")
        packets = [
            dict(zip(("size", "pos"), map(int, line.split(",")[:2]), strict=True)) for line in said
        ]
        first = packets[0]["pos"] - before
        if index is not None:
            return index, first + packets[0]["size"] - index
        end = packets[1]["pos"] if len(packets) > 1 else segment.size
        return first, end - first

    async def _run(self, command: Sequence[str], work: Path) -> str:
        try:
            async with (
                asyncio.timeout(self._limit),
                child(command, cwd=work, nice=self._nice) as process,
            ):
                said, errors = await process.communicate()
        except TimeoutError:
            raise MediaError(f"packaging took longer than {self._limit:g} seconds") from None
        except OSError as error:
            raise MediaError(f"packaging could not be started: {error.strerror}") from error
        if process.returncode:
            reason = in_plain_words(errors.decode(errors="replace").splitlines())
            raise MediaError(f"packaging failed: {reason}")
        return said.decode()


def _taken(work: Path, names: Names) -> Cut:
    segments: list[Segment] = []
    parts = read_parts((work / "p.m3u8").read_text())
    for number, (file, start, duration) in enumerate(parts, 1):
        path = (work / file).rename(work / names.segment(number))
        segments.append(Segment(path.name, start, duration, path.stat().st_size))
    if names.init:
        (work / "s_init.mp4").rename(work / names.init)
    return Cut(tuple(segments), PLAYLIST_TIMESCALE, names.init)


def _moof(path: Path) -> int:
    """Where the movie fragment's index begins (ISO/IEC 14496-12, 8.8.4)."""
    at = 0
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            if kind == b"moof":
                return at
            if size < 8:
                break
            at += size
            file.seek(at)
    raise MediaError("packaging failed: a segment has no index")


def _with_init(work: Path, init: str, segment: str) -> Path:
    path = work / "whole.mp4"
    path.write_bytes((work / init).read_bytes() + (work / segment).read_bytes())
    return path
