"""Which seconds of a film stand for all of it: short windows spread evenly over it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.transcoder.plan.material import Material, material
from orchestrator.transcoder.plan.steps import Input, Reading
from orchestrator.transcoder.ports import Inputs, SourceFile

#: Windows of a film, and the seconds of each. What is hardly longer is taken whole.
COUNT, SECONDS = 5, 2.0
_WHOLE = 1.2 * COUNT * SECONDS
#: Where in its stretch of the film a window may lie; the next is tried where it shows nothing.
_PLACES = (0.5, 0.25, 0.75)

#: What is looked at to tell whether a window shows anything: grey pixels.
LOOK = (64, 36)
#: How far apart the darkest and the brightest pixels of a picture are, but for 5% of each.
_CONTRAST, _OUTLIERS = 12, 0.05


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds of a film."""

    start: float
    seconds: float


def candidates(start: float, seconds: float) -> tuple[tuple[Window, ...], ...]:
    """The windows of a part of a film; of each, the places to try in turn."""
    if seconds <= _WHOLE:
        return ((Window(start, seconds),),)
    stretch = seconds / COUNT
    return tuple(
        tuple(Window(start + stretch * (n + place) - SECONDS / 2, SECONDS) for place in _PLACES)
        for n in range(COUNT)
    )


def shows_something(grey: bytes) -> bool:
    """Whether a picture is more than black, or any other single shade."""
    pixels = sorted(grey)
    cut = round(len(pixels) * _OUTLIERS)
    return bool(pixels) and pixels[-1 - cut] - pixels[cut] >= _CONTRAST


def reading(film: Material, windows: Sequence[Window]) -> Reading:
    """How a pass reads these windows, one behind the other, as one picture."""
    if film.stitched:
        return _cut(film, windows).read(0.0, None, sound=False)
    inputs: list[Input] = []
    parts: list[str] = []
    for place, window in enumerate(windows):
        one = film.read(window.start, window.seconds, sound=False)
        trim = f"trim=start={one.lead:.6f}:duration={window.seconds:.6f},setpts=PTS-STARTPTS"
        parts.append(f"[{place}:{film.picture().index}]{trim}[window{place}]")
        inputs.extend(one.inputs)
    pads = "".join(f"[window{place}]" for place in range(len(windows)))
    head = ";".join((*parts, f"{pads}concat=n={len(windows)}[samples]"))
    return Reading(tuple(inputs), picture="samples", head=head)


def look(film: Material, window: Window) -> Reading:
    """How a pass reads a picture of a window, or one shortly before it."""
    middle = window.start + window.seconds / 2
    if film.stitched:
        return _cut(film, (replace(window, start=middle),)).read(0.0, None, sound=False)
    return film.read_near(middle)


def _cut(film: Material, windows: Sequence[Window]) -> Material:
    """Windows of a stitched film as a stitched film, so that nothing else is decoded."""
    parts = list(_parts(film))
    cuts: list[SourceFile] = []
    probes = []
    for window in windows:
        middle = window.start + window.seconds / 2
        begin, length, place = next(
            (part for part in parts if middle < part[0] + part[1]), parts[-1]
        )
        seconds = min(window.seconds, length)
        offset = min(max(0.0, window.start - begin), length - seconds)
        file = film.files[place]
        cuts.append(replace(file, start=file.start + offset, duration=seconds))
        probes.append(film.probes[place])
    return material(Inputs(tuple(cuts)), probes)


def _parts(film: Material) -> Iterator[tuple[float, float, int]]:
    """Begin and length in the film of each of its sources that has a picture, and its place."""
    begin = 0.0
    for place, (file, probe) in enumerate(zip(film.files, film.probes, strict=True)):
        length = (probe.duration or 0.0) - file.start
        length = length if file.duration is None else min(length, file.duration)
        if probe.video and length > 0:
            yield begin, length, place
        begin += length
