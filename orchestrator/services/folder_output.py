"""Outputs that are a folder of files, and what names the files in it."""

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from orchestrator.model.items import Output

_XYWH = re.compile(r"xywh=(?:pixel:)?(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})")


class Area(NamedTuple):
    """A part of an image, in pixels (https://www.w3.org/TR/media-frags/#naming-space)."""

    x: int
    y: int
    width: int
    height: int


class Cue(NamedTuple):
    """An image that a cue names, and which part of it; None: all of it."""

    image: str
    area: Area | None


def is_streaming(output: Output) -> bool:
    """Whether the output's URL names a playlist or a manifest, and so all of a ladder."""
    return _path(output).lower().endswith((".m3u8", ".mpd"))


def is_row(output: Output) -> bool:
    """Whether the output's URL names the .vtt file of a folder of images."""
    return output.kind == "image" and _path(output).lower().endswith(".vtt")


def folder_url(output: Output, names: Sequence[str]) -> str | None:
    """The URL, without ``/`` at its end, of the folder that files called ``names`` lie in.

    The output's URL names one of them, or the folder. None: it names another file.
    """
    head, _, last = _path(output).rpartition("/")
    if not names:
        return None
    if unquote(last) in names:
        path = head
    elif "." not in last:
        path = _path(output).rstrip("/")
    else:
        return None
    return urlsplit(output.url)._replace(path=path, query="", fragment="").geturl()


def is_folder(output: Output, names: Sequence[str] = ()) -> bool:
    """Whether the output is a folder of files; ``names`` are those that the query names."""
    if is_streaming(output) or is_row(output):
        return True
    return folder_url(output, names) is not None


def name_of(output: Output) -> str:
    """The name of the file that the output's URL names; "" where there is none."""
    return unquote(_path(output).rpartition("/")[2])


def file_url(folder: str, name: str) -> str:
    """The URL of a file in a folder."""
    return f"{folder}/{quote(name)}"


def _path(output: Output) -> str:
    return urlsplit(output.url).path


def images_in(vtt: str) -> list[str]:
    """The image references of a WebVTT file's cues, each once, without ``#xywh=``."""
    return list(dict.fromkeys(cue.image for cue in cues_in(vtt)))


def cues_in(vtt: str) -> list[Cue]:
    """The images that a WebVTT file's cues name.

    https://www.w3.org/TR/webvtt1/#file-structure: a cue's text follows the
    line with ``-->`` and ends at an empty line.
    """
    found: list[Cue] = []
    in_cue = False
    for line in vtt.splitlines():
        if "-->" in line:
            in_cue = True
        elif not line.strip():
            in_cue = False
        elif in_cue:
            image, _, fragment = line.strip().partition("#")
            if image:
                found.append(Cue(image, _area(fragment)))
    return found


def _area(fragment: str) -> Area | None:
    found = _XYWH.search(fragment)
    return Area(*map(int, found.groups())) if found else None
