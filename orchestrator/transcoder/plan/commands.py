"""A pass of a plan as the argument lists of ffmpeg."""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.query import Mp4
from orchestrator.transcoder.plan.steps import Pass, Rendition
from orchestrator.transcoder.plan.video import x265_params
from orchestrator.transcoder.probe import DECODER_GUARDS, INPUT_GUARDS, input_name

#: Seconds between two lines of progress.
_PROGRESS_EVERY = "0.25"


def commands(step: Pass, ffmpeg: Path, source: Path, threads: int) -> tuple[tuple[str, ...], ...]:
    """The ffmpeg processes of a pass, one after the other; run them in the task's folder.

    ``threads`` limits each codec of each process; 0 leaves it to ffmpeg.
    """
    if not step.twice:
        return (_command(step, ffmpeg, source, threads),)
    return tuple(_command(step, ffmpeg, source, threads, of_two) for of_two in (1, 2))


def _command(
    step: Pass, ffmpeg: Path, source: Path, threads: int, of_two: int = 0
) -> tuple[str, ...]:
    limit = ("-threads", str(threads)) if threads else ()
    graph_limit = ("-filter_complex_threads", str(threads)) if threads else ()
    outputs = (
        argument
        for place, made in enumerate(step.renditions)
        for argument in _output(step, place, made, threads, of_two)
    )
    return (
        *(str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-y"),
        *("-loglevel", "repeat+level+error"),
        *("-progress", "pipe:1", "-stats_period", _PROGRESS_EVERY),
        *graph_limit,
        *INPUT_GUARDS,
        *DECODER_GUARDS,
        *limit,
        *_window(step),
        *("-i", input_name(source)),
        *("-filter_complex", _graph(step)),
        *outputs,
    )


def _window(step: Pass) -> Iterator[str]:
    if step.nearby:
        yield "-noaccurate_seek"
    if step.start > step.lead:
        yield from ("-ss", f"{step.start - step.lead:.6f}")
    if step.duration is not None:
        yield from ("-t", f"{step.lead + step.duration:.6f}")


def _graph(step: Pass) -> str:
    """One decoder, split over as many chains as there are renditions."""
    source = f"[0:{step.video}]"
    if len(step.renditions) == 1:
        return f"{source}{step.renditions[0].filters}[out0]"
    places = range(len(step.renditions))
    split = f"{source}split={len(places)}" + "".join(f"[in{place}]" for place in places)
    chains = (f"[in{n}]{made.filters}[out{n}]" for n, made in enumerate(step.renditions))
    return ";".join((split, *chains))


def _output(step: Pass, place: int, made: Rendition, threads: int, of_two: int) -> Iterator[str]:
    yield from ("-map", f"[out{place}]")
    if made.sound and step.audio is not None and of_two != 1:
        yield from ("-map", f"0:{step.audio}", *made.sound)
    if threads:
        yield from ("-threads", str(threads))
    if isinstance(made.asked, Mp4):
        if step.lead:
            yield from ("-ss", f"{step.lead:.6f}")
        if step.duration is not None:
            # Once more: what came through the input's limit was rounded to a frame grid.
            yield from ("-t", f"{step.duration:.6f}")
        yield from x265_params(made.asked, threads)
    if of_two:
        yield from ("-pass", str(of_two), "-passlogfile", made.tag)
    yield from made.options
    if of_two == 1:
        # A second -f takes the place of the first: statistics are all this pass is for.
        yield from ("-movflags", "0", "-f", "null", "-")
    else:
        yield f"file:{made.file}"
