"""What ffmpeg and ffprobe say on stderr, in plain words and with no path of ours."""

import re
from collections.abc import Iterable
from pathlib import Path

_DAMAGED = "it is damaged, or not a media file"

_CUT = "it has no index (moov atom), so it is cut short or not a media file at all"
_NAMES_OTHERS = "playlists, scripts and image lists are not taken: send the media itself"

#: First match wins, so the cause comes before what follows from it.
_PLAIN = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        ("no space left on device|disk quota exceeded", "the transcoder's disk is full"),
        ("exceeds max_streams", "it has more tracks than are taken here"),
        ("cannot allocate memory|out of memory", "the transcoder ran out of memory"),
        ("too many open files", "the transcoder ran out of file handles"),
        ("moov atom not found", _CUT),
        ("not on whitelist|format not whitelisted", _NAMES_OTHERS),
        ("permission denied", "it can't be read: permission denied"),
        ("no such file or directory", "it is not there"),
        ("is a directory", "it is a folder"),
        ("could not find codec parameters", "its streams can't be told apart: it is damaged"),
        ("picture size .* is invalid|max_pixels", "its frame is larger than is taken here"),
        ("no decoder found|decoder .* not found|unknown decoder", "its codec is not known here"),
        ("decode error rate .* exceeds maximum", "most of it can't be decoded: it is damaged"),
        ("error opening input.*end of file|file ended prematurely", "it is cut short"),
        ("exceeds containing master element|invalid data length", _DAMAGED),
        ("invalid data found when processing input", _DAMAGED),
    )
)

#: ffmpeg's own report of what failed after something else did.
_AFTERMATH = re.compile(
    "conversion failed|task finished with error|terminating thread|error while filtering|"
    "nothing was written|could not open encoder before eof|error sending frames",
    re.IGNORECASE,
)
_CONTEXT = re.compile(r"\[[^\]]*\]\s*")
_ADDRESS = re.compile(r"\s*@ 0x[0-9a-f]+")
_LONGEST = 300


def in_plain_words(lines: Iterable[str], source: Path | None = None) -> str:
    """The reason in what ffmpeg said last; ``source`` is named by its base name alone."""
    said = [line.strip() for line in lines if line.strip()]
    for pattern, words in _PLAIN:
        if any(pattern.search(line) for line in said):
            return words
    telling = [line for line in said if not _AFTERMATH.search(line)] or said
    return _without_paths(telling[0], source)[:_LONGEST] if telling else "it gave no reason"


def _without_paths(line: str, source: Path | None) -> str:
    plain = _CONTEXT.sub("", _ADDRESS.sub("", line))
    if source is not None:
        plain = plain.replace(f"file:{source.absolute()}", source.name)
        plain = plain.replace(str(source.absolute()), source.name)
    return re.sub(r"(?<!\w)/(?:[\w.@%+-]+/)+([\w.@%+-]+)", r"\1", plain)
