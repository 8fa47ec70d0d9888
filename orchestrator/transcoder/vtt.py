"""WebVTT files that tell players which thumbnail belongs to which part of a video.

https://www.w3.org/TR/webvtt1/ : a cue's text is here the name of an image,
relative to the file, as players for thumbnails read it.
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


def write(folder: Path, name: str, interval: float, duration: float) -> tuple[Path, ...]:
    """Write ``folder/name`` for the images that are in the folder; the answer is they.

    An image that begins with the last millisecond or behind it has no time in
    which it could be shown, and is removed. Blocks.
    """
    images = sorted((file for file in folder.iterdir() if file.name != name), key=_number)
    length = max(duration, 0.001)
    room = sum(_millis(place * interval) < _millis(length) for place in range(len(images)))
    for image in images[room:]:
        image.unlink()
    text = render([image.name for image in images[:room]], interval, length)
    (folder / name).write_text(text, encoding="utf-8")
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
