"""libx265. Parameters as ``x265 --fullhelp`` names them; the stream tells them in its SEI."""

from orchestrator.transcoder.plan.codecs.common import PRESET, Coding, Task, bound, set_only

#: Of the documents' levels the one that H.264 alone has.
_NO_LEVEL = 42
_SEARCHES = {"epzs": "dia", "hex": "hex", "umh": "umh", "full": "full"}


def coding(task: Task) -> Coding:
    """How libx265 is told what is asked."""
    film, given = task.film, task.given
    rate = ("-b:v", f"{task.bitrate}k") if task.bitrate is not None else ("-crf", f"{task.crf:g}")
    profile = () if "422" in film.pix_format else ("-profile:v", "main")
    options = ("-preset", given.preset or PRESET, *rate, *profile, *task.rates())
    # Forced keyframes must be such that a player can begin at them.
    options += ("-forced-idr", "1")
    return Coding(
        options,
        {"log-level": "error", **_parameters(task)},
        _about(task),
    )


def _about(task: Task) -> tuple[str, ...]:
    told = [*task.about_flags("loop"), *task.about_max_rate(), *task.about_min_rate()]
    if task.given.level == _NO_LEVEL:
        told.append("level 42 has no effect: HEVC has no level 4.2")
    return tuple(told)


def _parameters(task: Task) -> dict[str, object]:
    given = task.given
    return set_only(
        level_idc=None if given.level in (None, _NO_LEVEL) else given.level,
        me=None if given.me_method is None else _SEARCHES[given.me_method],
        merange=given.me_range,
        subme=given.subq,
        ref=None if given.refs is None else max(1, given.refs),
        scenecut=given.sc_threshold,
        ipratio=None if given.i_qfactor is None else round(1 / given.i_qfactor, 4),
        b_adapt=given.b_strategy,
        qcomp=given.qcomp,
        qpmin=bound(given.qmin),
        qpmax=bound(given.qmax),
        qpstep=given.qdiff,
        rc_lookahead=given.rc_lookahead,
        open_gop=task.opens_groups,
        deblock={None: None, True: "true", False: "false"}[task.switched("loop")],
        strict_cbr=True if task.constant_bitrate else None,
        pools=task.threads or None,
    )
