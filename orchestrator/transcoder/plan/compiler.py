"""From a query and a probe to a plan: pure, so every decision can be tested alone.

What each kind of output needs is in a module of its own; here they are put
together, so that outputs of the same part of the source share one decode.
"""

from collections.abc import Iterable, Iterator, Sequence

from orchestrator.query import (
    AdvancedDash,
    AdvancedHls,
    EncodeQuery,
    Flac,
    Gif,
    HlsAudio,
    Mp3,
    Mp4,
    Repack,
    Thumbnail,
    Thumbnails,
    Webm,
    WebmDash,
)
from orchestrator.query.outputs import Stream
from orchestrator.transcoder.plan.context import Context, Means, Place, Wanted
from orchestrator.transcoder.plan.files import sound_file, video_file
from orchestrator.transcoder.plan.gif import moving
from orchestrator.transcoder.plan.ladder import Rung, films_of, rungs, streams_of
from orchestrator.transcoder.plan.material import Material
from orchestrator.transcoder.plan.repack import repacked
from orchestrator.transcoder.plan.sizes import Sized, sized
from orchestrator.transcoder.plan.steps import Pass, Plan, Rendition, Step
from orchestrator.transcoder.plan.stills import row, still
from orchestrator.transcoder.plan.texts import told_first, told_last

_Film = Mp4 | Webm | Gif | Stream
_Ladders = AdvancedHls | AdvancedDash | WebmDash | HlsAudio


def compile_plan(
    query: EncodeQuery, material: Material, means: Means, without: frozenset[int] = frozenset()
) -> Plan:
    """How to make every output of ``query`` of ``material``, save those at ``without``.

    Raises ``MediaError`` where the source can't give what is asked: no picture,
    a start behind its end.
    """
    return _Compiler(Context(query, material, means, without)).plan()


class _Compiler:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._films, self._left_out = _sized_films(context)

    def plan(self) -> Plan:
        context = self._context
        ladders = tuple(self._ladders())
        at_once = [rung for ladder in ladders if len(ladder) == 1 for rung in ladder]
        in_turn = [rung for ladder in ladders if len(ladder) > 1 for rung in ladder]
        wanted = [*self._files(), *(one for rung in at_once for one in rung.wanted)]
        steps: tuple[Step, ...] = (
            *told_first(context),
            *context.subtitling,
            *self._passes(wanted),
            *(rung.package for rung in at_once),
            *self._in_turn(in_turn),
            *self._stills(),
            *told_last(context),
        )
        return Plan(steps, self._left_out, context.warnings, context.notices)

    def _files(self) -> Iterator[Wanted]:
        """Outputs that are whole once ffmpeg has written them."""
        for one in self._films:
            if isinstance(one.place.asked, Mp4 | Webm):
                yield video_file(self._context, one, self._context.material.picture())
            elif isinstance(one.place.asked, Gif):
                yield moving(self._context, one, self._context.material.picture())
        for place in self._context.places:
            match place.asked:
                case Thumbnails():
                    yield row(self._context, place, self._context.material.picture())
                case Mp3() | Flac():
                    yield sound_file(self._context, place)
                case Repack():
                    yield repacked(self._context, place)

    def _ladders(self) -> Iterator[tuple[Rung, ...]]:
        """The ladders, each as what is packaged together."""
        for place in self._context.places:
            if not isinstance(place.asked, _Ladders):
                continue
            streams = {stream.tag for stream in streams_of(place)}
            own = [one for one in self._films if one.place.tag in streams]
            if own or isinstance(place.asked, HlsAudio):
                yield rungs(self._context, place, own)

    def _in_turn(self, rungs: Iterable[Rung]) -> Iterator[Step]:
        for rung in rungs:
            yield from self._passes(rung.wanted)
            yield rung.package

    def _stills(self) -> Iterator[Pass]:
        for place in self._context.places:
            if isinstance(place.asked, Thumbnail):
                yield still(self._context, place, self._context.material.picture())

    def _passes(self, wanted: Iterable[Wanted]) -> Iterator[Pass]:
        """Those of one part of the film share a decode, those in two passes have their own."""
        windows: dict[tuple[float, float | None], list[Rendition]] = {}
        for one in wanted:
            if one.twice:
                yield self._pass([one.rendition], one.start, one.duration, twice=True)
            else:
                windows.setdefault((one.start, one.duration), []).append(one.rendition)
        for (start, duration), renditions in windows.items():
            yield self._pass(renditions, start, duration)

    def _pass(
        self,
        renditions: Sequence[Rendition],
        start: float,
        duration: float | None,
        *,
        twice: bool = False,
    ) -> Pass:
        reading = self._context.material.read(
            start,
            duration,
            sound=any(made.sound for made in renditions),
            picture=any(made.picture for made in renditions),
        )
        return Pass(tuple(renditions), reading, duration, twice)


def _sized_films(context: Context) -> tuple[tuple[Sized, ...], tuple[str, ...]]:
    """The videos that are made, files and streams, and the tags of those left out."""
    films: list[Place[_Film]] = []
    for place in context.places:
        if isinstance(place.asked, Mp4 | Webm | Gif):
            films.append(place)
        elif isinstance(place.asked, _Ladders):
            films.extend(films_of(context, place))
    return sized(context, films, context.material.picture()) if films else ((), ())
