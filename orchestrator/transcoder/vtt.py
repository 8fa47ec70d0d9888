"""WebVTT files that tell players which thumbnail belongs to which part of a video.

https://www.w3.org/TR/webvtt1/ : a cue's text is here the name of an image,
relative to the file, as players for thumbnails read it. Of a sprite, a part is
named by a media fragment: ``sprite.png#xywh=320,0,160,90``
(https://www.w3.org/TR/media-frags/#naming-space), in pixels.
"""

from collections.abc import Sequence
from pathlib import Path


def render(images: Sequence[str], interval: float, duration: float) -> str:
    """One cue per image, without gaps: each holds until the next, the last to the end.

    ``interval`` and ``duration`` are in seconds. Raises ``ValueError`` where
    an image would begin at or behind the end, which no player could show.
    """
    starts = [_millis(place * interval) for place in range(len(images))]
    end = _millis(duration)
    if starts and starts[-1] >= end:
        raise ValueError(f"{len(images)} images, {interval:g} s apart, do not fit {duration:g} s")
    cues = [
        f"{_clock(start)} --> {_clock(until)}\n{image}\n"
        for image, start, until in zip(images, starts, [*starts[1:], end], strict=True)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def shown(folder: Path, pattern: str, interval: float, duration: float) -> tuple[Path, ...]:
    """The images of a folder that can be shown, in order; ``pattern`` is theirs. Blocks.

    An image that begins with the last millisecond or behind it has no time in
    which it could be shown, and is removed.
    """
    images = sorted(folder.glob(pattern), key=_number)
    room = sum(_millis(place * interval) < _millis(duration) for place in range(len(images)))
    for image in images[room:]:
        image.unlink()
    return tuple(images[:room])


def _number(image: Path) -> int:
    """Its place in the row: after 9999 names grow longer, and sort wrongly as text."""
    return int(image.stem.rpartition("_")[2])


def _millis(seconds: float) -> int:
    return round(seconds * 1000)


def _clock(millis: int) -> str:
    seconds, millis = divmod(millis, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{millis:03}"
