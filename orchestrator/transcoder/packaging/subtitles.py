"""Cutting WebVTT texts into segments for HLS (RFC 8216, 3.5)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.transcoder.ports import MediaError

_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_CUE = re.compile(rf"^{_TIME}[ \t]+-->[ \t]+{_TIME}", re.MULTILINE)
_SHARED = ("STYLE", "REGION")


@dataclass(frozen=True, slots=True)
class _Cue:
    """``block`` is all its lines; times are in milliseconds."""

    start: int
    end: int
    block: str


@dataclass(frozen=True, slots=True)
class Text:
    """A WebVTT file: what all its segments share, and its cues in order."""

    shared: tuple[str, ...]
    cues: tuple[_Cue, ...]

    @property
    def seconds(self) -> float:
        """When the last cue goes."""
        return max((cue.end for cue in self.cues), default=0) / 1000

    def pieces(self, length: float, seconds: float, ticks: int) -> Iterator[tuple[float, str]]:
        """Seconds and content of each segment of ``length`` seconds, ``seconds`` in all.

        A cue that crosses a border is in both segments, with its own times.
        ``ticks`` is where the media's clock (90 kHz) stands when the text's is 0.
        """
        head = f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{ticks},LOCAL:00:00:00.000"
        start = 0.0
        while start < seconds:
            end = min(start + length, seconds)
            cues = (
                cue.block for cue in self.cues if cue.start < end * 1000 and cue.end > start * 1000
            )
            yield end - start, "\n\n".join((head, *self.shared, *cues)) + "\n"
            start += length


def read_text(content: str) -> Text:
    """Read a WebVTT file. Raises ``MediaError`` where it is none."""
    plain = content.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not re.match(r"WEBVTT(?:[ \t\n]|$)", plain):
        raise MediaError("the subtitles are no WebVTT")
    blocks = [block.strip("\n") for block in re.split(r"\n{2,}", plain)][1:]
    shared = tuple(block for block in blocks if block.startswith(_SHARED))
    cues = tuple(cue for block in blocks for cue in _cues(block))
    return Text(shared, tuple(sorted(cues, key=lambda cue: cue.start)))


def _cues(block: str) -> Iterator[_Cue]:
    timing = _CUE.search(block)
    if timing is not None and not block.startswith(("NOTE", *_SHARED)):
        times = timing.groups()
        yield _Cue(_milliseconds(*times[:4]), _milliseconds(*times[4:]), block)


def _milliseconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> int:
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int(thousandths)
