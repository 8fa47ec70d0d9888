"""Making WebVTT of subtitles: of .srt and .ass files that clients name, of tracks of the source.

The files are hostile until proven otherwise: they are read here, bounded, and
what ffmpeg gets is clean UTF-8 with the demuxer that it is to use, so that it
opens nothing else.
"""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

from orchestrator.transcoder.packaging.subtitles import Text, read_text
from orchestrator.transcoder.plan import Material
from orchestrator.transcoder.plan.steps import Subtitling
from orchestrator.transcoder.ports import MediaError, Notice
from orchestrator.transcoder.probe import INPUT_GUARDS, input_name
from orchestrator.transcoder.progress import Meter
from orchestrator.transcoder.runner import Limits, Stuck, run
from orchestrator.transcoder.streams import TEXT_CODECS
from orchestrator.transcoder.toolchain import Toolchain

#: Bytes. The subtitles of a long film are a fiftieth of it.
_LARGEST = 10 << 20

_ASS = re.compile(r"\s*\[script info\]", re.IGNORECASE)
_SRT = re.compile(r"^\s*\d+:\d{1,2}:\d{1,2}[,.]\d{1,3}\s*-->", re.MULTILINE)
#: Shapes that .ass draws: their points are no text.
_DRAWN = re.compile(r"\{[^}]*\\p[1-9][^}]*\}.*?(?=\{[^}]*\\p0[^}]*\}|$)", re.MULTILINE)
_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"))
_ALL_MARKS = (*_MARKS, (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
_SETTINGS = re.compile(r"-->[ \t]+\S+(.*)")


class Subtitler:
    """The subtitles of one film; each text is read once."""

    def __init__(self, toolchain: Toolchain, limits: Limits, film: Material, folder: Path) -> None:
        self._toolchain, self._limits = toolchain, limits
        self._film, self._folder = film, folder
        self._files: dict[Path, Text] = {}
        self._own: dict[int, Text] | None = None

    async def make(self, step: Subtitling) -> tuple[Notice, ...]:
        """Write the WebVTT file of a step; the answer is what the client should know.

        Raises ``MediaError`` naming the field.
        """
        notices: tuple[Notice, ...] = ()
        try:
            if step.asset is None:
                text = (await self._tracks())[step.stream or 0]
            elif step.asset in self._files:
                text = self._files[step.asset]
            else:
                text, told = await self._read(step.asset)
                self._files[step.asset] = text
                notices = tuple(Notice(f"{step.field}: {each}") for each in told)
        except Stuck:
            raise
        except MediaError as error:
            raise MediaError(f"{step.field}: {error}") from error
        content = _part(text, step.start, step.duration)
        await asyncio.to_thread((self._folder / step.file).write_text, content, encoding="utf-8")
        return notices

    async def _read(self, asset: Path) -> tuple[Text, list[str]]:
        content, told = await asyncio.to_thread(_content, asset)
        kind = "ass" if _ASS.match(content) else "srt"
        clean = self._folder / f"subtitles-{len(self._files)}.{kind}"
        await asyncio.to_thread(clean.write_text, content, encoding="utf-8", newline="\n")
        guards = ("-protocol_whitelist", "file", "-format_whitelist", kind, "-f", kind)
        try:
            (text,) = await self._converted((*guards, "-i", input_name(clean)), [0])
        finally:
            clean.unlink(missing_ok=True)
        if not text.cues:
            raise MediaError("there are no subtitles in it that can be read")
        if kind == "ass":
            told.append("of the styling of .ass only bold, italics and underlines are kept")
        return text, told

    async def _tracks(self) -> dict[int, Text]:
        """All tracks of text of the source, in one go."""
        if self._own is None:
            found = [e.index for e in self._film.probe.subtitles if e.codec in TEXT_CODECS]
            source = (*INPUT_GUARDS, "-i", input_name(self._film.files[0].path))
            self._own = dict(zip(found, await self._converted(source, found), strict=True))
        return self._own

    async def _converted(self, source: Iterable[str], streams: Iterable[int]) -> list[Text]:
        """Streams of a file as WebVTT, by ffmpeg."""
        names = {index: self._folder / f"subtitles-{index}.vtt" for index in streams}
        outputs = (
            ("-map", f"0:{index}", "-c:s", "webvtt", "-f", "webvtt", f"file:{path.name}")
            for index, path in names.items()
        )
        head = (str(self._toolchain.ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-y")
        quiet = ("-loglevel", "repeat+level+error", "-progress", "pipe:1")
        try:
            await run(
                (*head, *quiet, *source, *(word for output in outputs for word in output)),
                folder=self._folder,
                source=self._film.files[0].path,
                meter=Meter(None, self._film.probe.duration),
                tell=lambda _: None,
                limits=self._limits,
            )
            return [read_text(path.read_text(encoding="utf-8")) for path in names.values()]
        finally:
            for path in names.values():
                path.unlink(missing_ok=True)


def _content(asset: Path) -> tuple[str, list[str]]:
    """A file as clean text, and what is to be told of it. Blocks."""
    try:
        with asset.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise MediaError(f"it can't be read: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise MediaError(f"it is larger than {_LARGEST >> 20} MB, so these are no subtitles")
    text, certain = decoded(data)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    if not _ASS.match(text) and (text.startswith("WEBVTT") or not _SRT.search(text)):
        raise MediaError("it is neither .srt nor .ass")
    guess = "it is not UTF-8 and was read as Windows-1252; if letters are wrong, save it as UTF-8"
    return _DRAWN.sub("", text) if _ASS.match(text) else text, [] if certain else [guess]


def decoded(data: bytes) -> tuple[str, bool]:
    """Bytes as text, and whether their encoding is certain: else it is a western one's."""
    for mark, encoding in _ALL_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace").removeprefix("\ufeff"), True
    if data[1::2].count(0) > len(data) // 4:
        return data.decode("utf-16-le", errors="replace"), True
    if data[::2].count(0) > len(data) // 4:
        return data.decode("utf-16-be", errors="replace"), True
    try:
        return data.decode(), True
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), False
    except UnicodeDecodeError:
        return data.decode("latin-1"), False


def _part(text: Text, start: float, duration: float | None) -> str:
    """WebVTT of what is shown from ``start`` on, with times that count from there."""
    first = round(start * 1000)
    last = None if duration is None else first + round(duration * 1000)
    blocks = ["WEBVTT"]
    for cue in text.cues:
        begin, end = max(cue.start, first), cue.end if last is None else min(cue.end, last)
        words = _words(cue.block)
        if begin < end and words:
            blocks.append(f"{_clock(begin - first)} --> {_clock(end - first)}{words}")
    return "\n\n".join(blocks) + "\n"


def _words(block: str) -> str:
    """What follows a cue's times: its settings, and its lines, "" where there are none."""
    found = _SETTINGS.search(block)
    lines = block[found.end() :] if found else ""
    return found[1] + lines if found and lines.strip() else ""


def _clock(millis: int) -> str:
    seconds, millis = divmod(millis, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{millis:03}"
