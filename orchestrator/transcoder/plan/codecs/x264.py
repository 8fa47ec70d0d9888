"""libx264. Parameters as ``x264 --fullhelp`` names them; the stream tells them in its SEI."""

from orchestrator.query import CodecParameters
from orchestrator.transcoder.plan.codecs.common import (
    PRESET,
    Coding,
    Task,
    above_hexagon,
    bound,
    set_only,
    switched,
)

_SEARCHES = {"epzs": "dia", "hex": "hex", "umh": "umh", "full": "esa"}
_DIRECT = ("none", "spatial", "temporal", "auto")
#: The widest search of a diamond or hexagon, and the finest search without trellis 2.
_HEXAGON_RANGE, _PLAIN_SUBQ = 16, 9


def coding(task: Task) -> Coding:
    """How libx264 is told what is asked."""
    given = task.given
    preset = given.preset or PRESET
    rate = ("-b:v", f"{task.bitrate}k") if task.bitrate is not None else ("-crf", f"{task.crf:g}")
    options = ("-preset", preset, *rate, *_profile(task), *task.rates())
    return Coding(
        options,
        {**_analysis(given), **_control(given), **_structure(task)},
        (*task.about_flags("loop", "ildct"), *_about(task, preset)),
    )


def _profile(task: Task) -> tuple[str, ...]:
    """``main`` (the documents) where it can hold what is asked; else the encoder takes one."""
    film, given = task.film, task.given
    profile = film.profile or given.vprofile
    if profile is not None:
        return ("-profile:v", profile)
    wide = "422" in film.pix_format or task.crf == 0 or _transforms_8x8(given)
    return () if wide else ("-profile:v", "main")


def _transforms_8x8(given: CodecParameters) -> bool:
    """Whether what only the High profile has is asked for."""
    return bool(switched(given.flags2, "dct8x8") or switched(given.partitions, "parti8x8"))


def _analysis(given: CodecParameters) -> dict[str, object]:
    """How blocks are cut up and where they are looked for."""
    eight = True if _transforms_8x8(given) else switched(given.flags2, "dct8x8")
    chroma = switched(given.cmp, "chroma")
    return set_only(
        partitions=_partitions(given),
        direct=None if given.directpred is None else _DIRECT[given.directpred],
        me=None if given.me_method is None else _SEARCHES[given.me_method],
        merange=given.me_range,
        subme=given.subq,
        trellis=given.trellis,
        ref=given.refs,
        chroma_me=chroma,
    ) | ({} if eight is None else {"8x8dct": int(eight)})


def _partitions(given: CodecParameters) -> str | None:
    """The partitions that are switched on; those of 4x4 need those of 8x8."""
    if given.partitions is None:
        return None
    on = [name[4:] for name in given.partitions if name.startswith("+")]
    if not on:
        off = {name[5:] for name in given.partitions}
        on = [name for name in ("p8x8", "b8x8", "i8x8", "i4x4") if name not in off]
    needed = ["p8x8"] if "p4x4" in on else []
    return ",".join(dict.fromkeys((*needed, *on))) or "none"


def _control(given: CodecParameters) -> dict[str, object]:
    """How bits are shared out."""
    return set_only(
        ipratio=None if given.i_qfactor is None else round(1 / given.i_qfactor, 4),
        qcomp=given.qcomp,
        qpmin=bound(given.qmin),
        qpmax=bound(given.qmax),
        qpstep=given.qdiff,
        rc_lookahead=given.rc_lookahead,
    )


def _structure(task: Task) -> dict[str, object]:
    """Which frames there are, and how they are written."""
    given = task.given
    pyramid, weighted = switched(given.flags2, "bpyramid"), switched(given.flags2, "wpred")
    return set_only(
        level=None if given.level is None else f"{given.level // 10}.{given.level % 10}",
        cabac=given.coder,
        b_pyramid=None if pyramid is None else ("normal" if pyramid else "none"),
        weightp=None if weighted is None else (2 if weighted else 0),
        mixed_refs=switched(given.flags2, "mixed_refs"),
        fast_pskip=switched(given.flags2, "fastpskip"),
        aud=switched(given.flags2, "aud"),
        scenecut=given.sc_threshold,
        b_adapt=given.b_strategy,
        open_gop=task.opens_groups,
        deblock="0:0" if task.switched("loop") else None,
        no_deblock=True if task.switched("loop") is False else None,
        interlaced=True if task.switched("ildct") else None,
        nal_hrd="cbr" if task.constant_bitrate else None,
    )


#: What each profile of H.264 can't hold of what may be switched on.
_ABOVE = {
    "main": ("dct8x8", "parti8x8"),
    "baseline": ("dct8x8", "parti8x8", "bpyramid", "wpred", "partb8x8", "ildct"),
    "high": (),
}


def _about(task: Task, preset: str) -> tuple[str, ...]:
    given = task.given
    told = [*task.about_max_rate(), *task.about_min_rate()]
    profile = task.film.profile or given.vprofile
    switches = (*(given.flags2 or ()), *(given.partitions or ()), *(given.flags or ()))
    told += [
        f"{sent} has no effect: the {profile} profile can't hold it"
        for sent in switches
        if profile and sent[0] == "+" and sent[1:] in _ABOVE[profile]
    ]
    if profile == "baseline" and given.coder:
        told.append("coder has no effect: the baseline profile knows no CABAC")
    far = given.me_range is not None and given.me_range > _HEXAGON_RANGE
    if far and not above_hexagon(given.me_method, preset):
        told.append(f"me_range counts as {_HEXAGON_RANGE}: a wider one needs me_method umh or full")
    if (given.subq or 0) > _PLAIN_SUBQ and given.trellis != 2:
        told.append(f"subq counts as {_PLAIN_SUBQ}: a higher one needs trellis 2")
    return tuple(told)
