"""Outputs that are a folder of files: interval thumbnails, named by a WebVTT file."""

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from orchestrator.model.errors import OutputMissing
from orchestrator.model.items import Output


def is_folder(output: Output) -> bool:
    """Whether the output's URL names the .vtt file of a folder of images."""
    return output.kind == "image" and urlsplit(output.url).path.lower().endswith(".vtt")


def images_in(vtt: str) -> list[str]:
    """The image references of a WebVTT file's cues, each once, without ``#xywh=``.

    https://www.w3.org/TR/webvtt1/#file-structure: a cue's text follows the
    line with ``-->`` and ends at an empty line.
    """
    found: dict[str, None] = {}
    in_cue = False
    for line in vtt.splitlines():
        if "-->" in line:
            in_cue = True
        elif not line.strip():
            in_cue = False
        elif in_cue and (reference := line.strip().partition("#")[0]):
            found[reference] = None
    return list(found)


def path_of(reference: str) -> PurePosixPath:
    """Where an image lies under its folder; raises ``OutputMissing`` where that is not inside."""
    parts = urlsplit(reference)
    path = PurePosixPath(unquote(parts.path))
    stays = not any(part in ("..", ".") or "\\" in part or "\0" in part for part in path.parts)
    if parts.scheme or parts.netloc or path.is_absolute() or not path.parts or not stays:
        raise OutputMissing(f"the .vtt file names a file outside its own folder: {reference[:100]}")
    return path
