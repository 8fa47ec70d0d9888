"""From a query and a probe to a plan: pure, so every decision can be tested alone.

What each kind of output needs is in a module of its own; here they are put
together, so that outputs of the same part of the source share one decode.
"""

from collections.abc import Iterable, Iterator, Sequence

from orchestrator.query import EncodeQuery, Metadata, Mp4, Thumbnail, Thumbnails
from orchestrator.transcoder.plan.context import Context, Means, Place, Wanted
from orchestrator.transcoder.plan.files import video_file
from orchestrator.transcoder.plan.material import Material
from orchestrator.transcoder.plan.sizes import sized
from orchestrator.transcoder.plan.steps import Description, Pass, Plan, Rendition, Step
from orchestrator.transcoder.plan.stills import row, still


def compile_plan(query: EncodeQuery, material: Material, means: Means) -> Plan:
    """How to make every output of ``query`` of ``material``.

    Raises ``MediaError`` where the source can't give what is asked: no picture,
    a start behind its end.
    """
    context = Context(query, material, means)
    films, left_out = _films(context)
    rows = [
        row(context, place, material.picture())
        for place in context.places
        if isinstance(place.asked, Thumbnails)
    ]
    stills = (
        still(context, place, material.picture())
        for place in context.places
        if isinstance(place.asked, Thumbnail)
    )
    steps: tuple[Step, ...] = (
        *_descriptions(context),
        *_passes(context, [*films, *rows]),
        *stills,
    )
    return Plan(steps, left_out, context.warnings)


def _films(context: Context) -> tuple[list[Wanted], tuple[str, ...]]:
    """The videos that are made, and the tags of those that the size rule leaves out."""
    places: Sequence[Place[Mp4]] = [p for p in context.places if isinstance(p.asked, Mp4)]
    if not places:
        return [], ()
    video = context.material.picture()
    fitting, left_out = sized(context, places, video)
    return [video_file(context, one, video) for one in fitting], left_out


def _descriptions(context: Context) -> Iterator[Description]:
    for place in context.places:
        if not isinstance(place.asked, Metadata):
            continue
        if place.asked.metadata_version:
            context.warn(
                "metadata_version is not kept to: this service describes with its own ffprobe"
            )
        yield Description(place.tag, place.index, place.asked, f"{place.tag}.json")


def _passes(context: Context, wanted: Iterable[Wanted]) -> Iterator[Pass]:
    """Those of one part of the film share a decode, those alone or twice have their own."""
    windows: dict[tuple[float, float | None], list[Rendition]] = {}
    for one in wanted:
        if one.alone or one.twice:
            yield _pass(context, [one.rendition], one.start, one.duration, twice=one.twice)
        else:
            windows.setdefault((one.start, one.duration), []).append(one.rendition)
    for (start, duration), renditions in windows.items():
        yield _pass(context, renditions, start, duration)


def _pass(
    context: Context,
    renditions: Sequence[Rendition],
    start: float,
    duration: float | None,
    *,
    twice: bool = False,
) -> Pass:
    reading = context.material.read(
        start,
        duration,
        sound=any(made.sound for made in renditions),
        picture=any(made.picture for made in renditions),
    )
    return Pass(tuple(renditions), reading, duration, twice)
