"""libvpx: VP8 and VP9."""

from orchestrator.transcoder.plan.codecs.common import Coding, Task, bound

#: How much is tried, of each kind of deadline: from 0, all, to 5 and 8, little.
_SPEEDS = {"best": "0", "good": "4", "realtime": "5"}
#: VP8 knows a constant quality only below a bitrate: one that never binds, in kbit/s.
_NO_CEILING = 50_000
_COARSEST = 63


def coding(task: Task) -> Coding:
    """How libvpx is told what is asked."""
    film, given = task.film, task.given
    deadline = given.preset or "good"
    options = ["-deadline", deadline, "-cpu-used", _SPEEDS[deadline]]
    if film.video_codec == "libvpx-vp9":
        options += ["-row-mt", "1"]
    elif film.two_pass:
        # VP9 does so by itself: frames for reference alone, seen by looking ahead.
        options += ["-auto-alt-ref", "1"]
    options += [*_rate(task), *task.rates()]
    for name, value in (
        ("-qmin", bound(given.qmin)),
        ("-qmax", bound(given.qmax)),
        ("-lag-in-frames", given.rc_lookahead),
    ):
        options += [name, str(value)] if value is not None else []
    warnings = [*task.about_flags(), *task.about_max_rate()]
    if film.bitrate is None and _crf(task) != task.crf:
        warnings.append(f"quality counts as {_crf(task)}: qmin and qmax leave no room for it")
    if given.min_rate is not None and task.bitrate is None:
        warnings.append("min_rate has no effect: it needs bitrate")
    if given.rc_lookahead is not None and not film.two_pass:
        warnings.append("rc_lookahead has no effect: libvpx looks ahead in two passes alone")
    return Coding(tuple(options), warnings=tuple(warnings))


def _rate(task: Task) -> tuple[str, ...]:
    """A bitrate, or a quality that the highest bitrate may lower."""
    film = task.film
    if task.bitrate is not None:
        return ("-b:v", f"{task.bitrate}k")
    crf = str(_crf(task))
    highest = task.given.max_rate_bps(film.video_codec)
    if highest is not None:
        return ("-crf", crf, "-b:v", str(highest))
    ceiling = "0" if film.video_codec == "libvpx-vp9" else f"{_NO_CEILING}k"
    return ("-crf", crf, "-b:v", ceiling)


def _crf(task: Task) -> int:
    """The rate factor, which libvpx takes only within the bounds of its quantizer."""
    lowest, highest = bound(task.given.qmin) or 0, bound(task.given.qmax)
    return max(lowest, min(int(task.crf), _COARSEST if highest is None else highest))
