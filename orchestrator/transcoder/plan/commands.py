"""A pass of a plan as the argument lists of ffmpeg."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.transcoder.plan.steps import Chain, Input, Pass, Rendition
from orchestrator.transcoder.probe import DECODER_GUARDS, INPUT_GUARDS, input_name

#: Seconds between two lines of progress.
_PROGRESS_EVERY = "0.25"

#: One filter of a chain: up to a comma that is neither quoted nor escaped.
_FILTER = re.compile(r"(?:\\.|'[^']*'|[^,\\'])+", re.DOTALL)

#: Seconds: what begins with the output must not seem to begin before it.
_AFTER = 0.001


def commands(step: Pass, ffmpeg: Path, threads: int) -> tuple[tuple[str, ...], ...]:
    """The ffmpeg processes of a pass, one after the other; run them in the task's folder.

    ``threads`` limits each codec of each process; 0 leaves it to ffmpeg.
    """
    turns = (1, 2) if step.twice else (0,)
    return tuple(_Command(step, threads, of_two).line(ffmpeg) for of_two in turns)


class _Command:
    """One ffmpeg: the whole of a pass, or the first or the second of two."""

    def __init__(self, step: Pass, threads: int, of_two: int) -> None:
        self._step, self._threads, self._of_two = step, threads, of_two
        self._inputs = list(step.reading.inputs)

    def line(self, ffmpeg: Path) -> tuple[str, ...]:
        # The first of two passes measures the picture alone.
        outputs = [
            argument
            for place, made in enumerate(self._step.renditions)
            for argument in self._output(place, made)
        ]
        graph = _graph(self._step, with_sound=self._of_two != 1)
        limit = ("-filter_complex_threads", str(self._threads)) if self._threads else ()
        return (
            *(str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-y"),
            *("-loglevel", "repeat+level+error"),
            *("-progress", "pipe:1", "-stats_period", _PROGRESS_EVERY),
            *limit,
            *(argument for each in self._inputs for argument in self._input(each)),
            *(("-filter_complex", graph) if graph else ()),
            *outputs,
        )

    def _input(self, each: Input) -> Iterator[str]:
        yield from (*INPUT_GUARDS, *DECODER_GUARDS)
        if self._threads:
            yield from ("-threads", str(self._threads))
        if each.nearby:
            yield "-noaccurate_seek"
        if each.start > 0:
            yield from ("-ss", f"{each.start:.6f}")
        if each.duration is not None:
            yield from ("-t", f"{each.duration:.6f}")
        if self._step.reading.lead and each not in self._step.reading.inputs:
            # Further files have nothing to be thrown away at their beginning.
            yield from ("-itsoffset", f"{self._step.reading.lead + _AFTER:.6f}")
        # What the task made itself lies in its folder, where ffmpeg runs.
        name = input_name(each.path) if each.path.is_absolute() else f"file:{each.path}"
        yield from (*each.options, "-i", name)

    def _output(self, place: int, made: Rendition) -> Iterator[str]:
        if made.picture is not None:
            yield from ("-map", f"[v{place}]")
        if self._of_two != 1:
            yield from self._others(place, made)
        if self._threads:
            yield from ("-threads", str(self._threads))
        yield from self._window(made)
        if self._of_two:
            yield from ("-pass", str(self._of_two), "-passlogfile", made.tag)
        if made.picture is not None:
            yield from made.picture.options
        if self._of_two == 1:
            # Statistics are all this pass is for.
            yield from ("-f", "null", "-")
        else:
            yield from (*made.options, f"file:{made.file}")

    def _others(self, place: int, made: Rendition) -> Iterator[str]:
        """The streams beside the picture."""
        if made.sound is not None:
            yield from ("-map", f"[a{place}]", *made.sound.options)
        for stream in made.copied:
            yield from ("-map", stream)
        for number, further in enumerate(made.further):
            yield from ("-map", f"{self._opened(further.file)}:{further.stream}", *further.options)
            if self._step.reading.lead:
                # ffmpeg cuts subtitles off at the lead's end, but leaves them their times.
                back = self._step.reading.lead + _AFTER
                yield from (f"-bsf:s:{number}", f"setts=ts=TS-{back:.6f}/TB")

    def _opened(self, file: Input) -> int:
        """The place of a further input among all, opening it if it is new."""
        if file not in self._inputs:
            self._inputs.append(file)
        return self._inputs.index(file)

    def _window(self, made: Rendition) -> Iterator[str]:
        """What is cut off again of what was read; images choose their frames by themselves."""
        if made.kind == "image":
            return
        if self._step.reading.lead:
            yield from ("-ss", f"{self._step.reading.lead:.6f}")
        if self._step.duration is not None:
            # Once more: what came through the input's limit was rounded to a frame grid.
            yield from ("-t", f"{self._step.duration:.6f}")


def _graph(step: Pass, *, with_sound: bool) -> str:
    """One decoder a stream, split over as many chains as there are renditions of it."""
    reading, parts = step.reading, []
    if reading.head:
        parts.append(reading.head)
    pictures = [(n, made.picture) for n, made in enumerate(step.renditions) if made.picture]
    parts.extend(_split(reading.picture, "split", "v", pictures))
    for track, pad in enumerate(reading.sounds if with_sound else ()):
        sounds = [
            (n, made.sound)
            for n, made in enumerate(step.renditions)
            if made.sound and made.track == track
        ]
        parts.extend(_split(pad, "asplit", "a", sounds))
    return ";".join(parts)


def _split(
    pad: str | None, by: str, letter: str, chains: Sequence[tuple[int, Chain]]
) -> Iterator[str]:
    """The chains from one pad; those of one rendition end in its number (``v0``)."""
    if pad is None or not chains:
        return
    if len(chains) == 1:
        ((place, chain),) = chains
        yield f"[{pad}]{chain.filters}[{letter}{place}]"
        return
    first, rests = _shared([chain.filters for _, chain in chains])
    inner = [f"[{letter}in{place}]" for place, _ in chains]
    yield f"[{pad}]{first}{by}={len(chains)}{''.join(inner)}"
    for name, rest, (place, _) in zip(inner, rests, chains, strict=True):
        yield f"{name}{rest}[{letter}{place}]"


def _shared(chains: Sequence[str]) -> tuple[str, list[str]]:
    """The filters that all chains begin with, and what is left of each, never nothing.

    So frames are deinterlaced, turned or thinned out once, not for each rendition.
    """
    apart = [_FILTER.findall(chain) for chain in chains]
    common = 0
    for same in zip(*(filters[:-1] for filters in apart), strict=False):
        # Side chains have labels of their own, which must stay with their rendition.
        if len(set(same)) > 1 or set(same[0]) & set("[];"):
            break
        common += 1
    first = "".join(f"{each}," for each in apart[0][:common])
    return first, [",".join(filters[common:]) for filters in apart]
