"""SVT-AV1. Parameters as its documentation of 3.x names them (Docs/Parameters.md)."""

from orchestrator.transcoder.plan.codecs.common import Coding, Task, bound, set_only

#: In the middle of what its documentation calls fit for files (up to 10 of 13).
_PRESET = "8"
#: The strength of 1 to 50 that its documentation names for live action.
_GRAIN = 8
_MOST_PARALLEL = 6
#: The documents know one mode more, which SVT-AV1 has no longer.
_FINEST_AQ = 2
#: The documents' 0 and 1 are low delay with and without B-frames; 0 means
#: "keyframes alone" today, and one kind of low delay is left.
_STRUCTURES = {0: 1, 1: 1, 2: 2}


def coding(task: Task) -> Coding:
    """How SVT-AV1 is told what is asked."""
    given = task.given
    options = ["-preset", given.preset or _PRESET]
    if task.bitrate is not None:
        options += ["-b:v", f"{task.bitrate}k"]
        for name, value in (("-qmin", bound(given.qmin)), ("-qmax", bound(given.qmax))):
            options += [name, str(value)] if value is not None else []
    else:
        options += ["-crf", f"{task.crf:g}", *task.rates()]
    grain = None if given.film_grain is None else (_GRAIN if given.film_grain else 0)
    own = set_only(
        tune=given.tune,
        aq_mode=None if given.aq_mode is None else min(given.aq_mode, _FINEST_AQ),
        film_grain=grain,
        fast_decode=given.fast_decode,
        enable_dlf=given.enable_dlf,
        enable_restoration=given.enable_restoration,
        hierarchical_levels=given.hierarchical_levels,
        pred_struct=None if given.pred_struct is None else _STRUCTURES[given.pred_struct],
        lookahead=given.rc_lookahead,
        irefresh_type=1 if task.opens_groups else 2,
        lp=min(task.threads, _MOST_PARALLEL) or None,
    )
    return Coding(tuple(options), own, (*task.about_flags(), *_about(task)))


def _about(task: Task) -> tuple[str, ...]:
    film, given = task.film, task.given
    told = []
    if film.two_pass:
        told.append("two_pass has no effect: libsvtav1 aims at a bitrate in one pass here")
    if task.bitrate is not None and given.max_rate is not None:
        told.append("max_rate and bufsize have no effect: libsvtav1 keeps them with quality alone")
    if (given.aq_mode or 0) > _FINEST_AQ:
        told.append(f"aq_mode counts as {_FINEST_AQ}, the most that libsvtav1 has")
    if given.min_rate is not None:
        told.append("min_rate has no effect: libsvtav1 knows none")
    if task.bitrate is None and (bound(given.qmin), bound(given.qmax)) != (None, None):
        told.append("qmin and qmax have no effect: libsvtav1 keeps them with bitrate alone")
    return tuple(told)
