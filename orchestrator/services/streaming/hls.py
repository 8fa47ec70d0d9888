"""Reads HLS playlists (RFC 8216), as far as it takes to find every file and what it should be.

A reader of our own, because what is read was written by somebody else's
machine: it is a hundred lines that can't fetch, expand or loop.
"""

import re
from dataclasses import dataclass

from orchestrator.model.errors import OutputMissing

#: Attribute lists (4.2): names, and values in quotes or without.
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
_RESOLUTION = re.compile(r"(\d{1,5})x(\d{1,5})")

#: What EXT-X-MEDIA calls its kinds, in ffprobe's words.
_KINDS = {"AUDIO": "audio", "SUBTITLES": "subtitle", "VIDEO": "video"}

#: How names of codecs for sound begin (RFC 6381 and its registries).
_SOUNDS = ("mp4a", "ac-3", "ec-3", "opus", "flac", "mp3")


@dataclass(frozen=True, slots=True)
class Listed:
    """A media playlist that a master playlist names.

    ``kind`` is ``video``, ``audio``, ``subtitle`` or ``i-frames``; "" where it is
    not told. ``frame`` is width and height.
    """

    uri: str
    kind: str
    frame: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Master:
    """A master playlist."""

    listed: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Media:
    """A media playlist. ``files`` are its URIs, each once, in the order in which they are needed.

    ``heads`` are those of them that hold no media. ``ended``: nothing will be added.
    """

    files: tuple[str, ...]
    heads: frozenset[str]
    seconds: float
    protected: bool
    ended: bool


def read_playlist(data: bytes) -> Master | Media:
    """What a playlist says. Raises ``OutputMissing`` where it is none, or names nothing."""
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise OutputMissing("it is no HLS playlist: it is not text") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or lines[0] != "#EXTM3U":
        raise OutputMissing("it is no HLS playlist: #EXTM3U is missing")
    if any(line.startswith(("#EXT-X-STREAM-INF", "#EXT-X-MEDIA:")) for line in lines):
        return _master(lines)
    return _media(lines)


def _master(lines: list[str]) -> Master:
    found: dict[str, Listed] = {}
    variant: dict[str, str] | None = None
    for line in lines:
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-STREAM-INF":
            variant = _attributes(value)
        elif tag in ("#EXT-X-MEDIA", "#EXT-X-I-FRAME-STREAM-INF"):
            _name(found, _beside(tag, _attributes(value)))
        elif not line.startswith("#") and variant is not None:
            kind = _kind(variant)
            _name(found, Listed(line, kind, _frame(variant)))
            variant = None
    if not found:
        raise OutputMissing("it names no media playlist")
    return Master(tuple(found.values()))


def _name(found: dict[str, Listed], listed: Listed | None) -> None:
    """The first mention tells what it is."""
    if listed is not None:
        found.setdefault(listed.uri, listed)


def _beside(tag: str, told: dict[str, str]) -> Listed | None:
    """None for what has no playlist of its own, such as captions inside of a picture."""
    uri = told.get("URI")
    if not uri:
        return None
    if tag == "#EXT-X-I-FRAME-STREAM-INF":
        return Listed(uri, "i-frames", _frame(told))
    return Listed(uri, _KINDS.get(told.get("TYPE", ""), ""))


def _kind(told: dict[str, str]) -> str:
    codecs = [codec.strip().lower() for codec in told.get("CODECS", "").split(",") if codec.strip()]
    if "RESOLUTION" in told:
        return "video"
    if not codecs:
        return ""
    return "audio" if all(codec.startswith(_SOUNDS) for codec in codecs) else "video"


def _frame(told: dict[str, str]) -> tuple[int, int] | None:
    found = _RESOLUTION.fullmatch(told.get("RESOLUTION", ""))
    return (int(found[1]), int(found[2])) if found else None


def _media(lines: list[str]) -> Media:
    files: dict[str, None] = {}
    heads: set[str] = set()
    seconds = 0.0
    protected = ended = False
    for line in lines:
        tag, _, value = line.partition(":")
        if tag == "#EXTINF":
            seconds += _seconds(value)
        elif tag == "#EXT-X-MAP" and (uri := _attributes(value).get("URI")):
            files[uri] = None
            heads.add(uri)
        elif tag == "#EXT-X-KEY":
            protected |= _attributes(value).get("METHOD", "NONE") != "NONE"
        elif tag == "#EXT-X-ENDLIST":
            ended = True
        elif not line.startswith("#"):
            files[line] = None
    if not files.keys() - heads:
        raise OutputMissing("it names no segment")
    return Media(tuple(files), frozenset(heads), seconds, protected, ended)


def _seconds(value: str) -> float:
    text = value.partition(",")[0].strip()
    if not re.fullmatch(r"\d{1,9}(?:\.\d*)?", text):
        raise OutputMissing(f"it has a segment of {text[:20]!r} seconds")
    return float(text)


def _attributes(value: str) -> dict[str, str]:
    return {name: told.strip('"') for name, told in _ATTRIBUTE.findall(value)}
