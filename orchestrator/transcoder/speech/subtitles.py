"""Cues as SubRip and WebVTT files. Pure.

WebVTT: https://www.w3.org/TR/webvtt1/ . SubRip has no standard; this is what
its readers agree on: numbered from 1, a comma before the milliseconds, UTF-8.
"""

from collections.abc import Sequence

from orchestrator.transcoder.speech.cues import Cue


def srt(cues: Sequence[Cue]) -> str:
    """The cues as SubRip. It knows no escaping, so an arrow in the text is made shorter."""
    return "\n".join(_srt(number, cue) for number, cue in enumerate(cues, 1))


def vtt(cues: Sequence[Cue]) -> str:
    """The cues as WebVTT, with what would be markup escaped."""
    return "\n".join(["WEBVTT\n", *map(_vtt, cues)])


def _srt(number: int, cue: Cue) -> str:
    text = "\n".join(cue.lines).replace("-->", "->")
    return f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{text}\n"


def _vtt(cue: Cue) -> str:
    text = "\n".join(map(_escaped, cue.lines))
    return f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{text}\n"


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(millis: int, point: str) -> str:
    seconds, millis = divmod(millis, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{millis:03}"
