"""The analysis of a task, between looking at its sources and encoding them."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.query import EncodeQuery, Mp4
from orchestrator.query.outputs import Stream
from orchestrator.query.video import PER_TITLE
from orchestrator.transcoder.pertitle.findings import Findings, Verdict
from orchestrator.transcoder.pertitle.measuring import Samples, at_crf
from orchestrator.transcoder.pertitle.memory import Curves, identity, key_of
from orchestrator.transcoder.pertitle.search import Bounds, Point, search, target
from orchestrator.transcoder.pertitle.windows import candidates
from orchestrator.transcoder.plan import Material, Pass, Plan, Rendition
from orchestrator.transcoder.ports import MediaError, Notice, Watcher
from orchestrator.transcoder.progress import Board
from orchestrator.transcoder.runner import Limits
from orchestrator.transcoder.toolchain import Toolchain

#: Seconds for all analyses of a task; what is not done by then gets the default.
_PATIENCE: Final = 3600.0
#: How many measurements a search takes, mostly.
_USUAL: Final = 5
#: The largest percent of an output that its analysis can be.
_LARGEST_SHARE: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Title:
    """One output or stream to analyse: its rendition, and which seconds of the film it shows."""

    made: Rendition
    asked: Mp4 | Stream
    start: float
    seconds: float

    @property
    def default(self) -> float:
        """The rate factor that it would have without an analysis."""
        options = self.made.picture.options if self.made.picture else ()
        return float(options[options.index("-crf") + 1])

    @property
    def enough(self) -> float:
        """The VMAF that is searched for."""
        return target(min(self.made.width, self.made.height))

    @property
    def sampled(self) -> float:
        """How many seconds its samples have."""
        return sum(places[0].seconds for places in candidates(self.start, self.seconds))

    @property
    def share(self) -> float:
        """The percent of its work that the analysis is."""
        work = self.sampled * _USUAL
        return min(_LARGEST_SHARE, 100.0 * work / (work + self.seconds))


class PerTitle:
    """Searches the rate factors of a task's outputs with ``optimize_bitrate``.

    ``folder`` keeps what was measured; None keeps nothing. ``threads`` and
    ``limits`` are the task's.
    """

    def __init__(
        self,
        toolchain: Toolchain,
        threads: int,
        limits: Limits,
        folder: Path | None = None,
        *,
        patience: float = _PATIENCE,
    ) -> None:
        self._toolchain, self._threads, self._limits = toolchain, threads, limits
        self._curves, self._patience = Curves(folder), patience

    async def analyse(
        self, query: EncodeQuery, film: Material, plan: Plan, work: Path, watcher: Watcher
    ) -> Findings:
        """Find the rate factors of ``plan``, made without any; samples come and go in ``work``.

        An analysis that fails or takes too long never fails the task: the output
        then has the encoder's default, within the limits, and a warning says so.
        """
        titles = list(_titles(query, film, plan))
        if not titles:
            return Findings()
        board = Board(plan.tags, watcher.progress)
        sources = [await asyncio.to_thread(identity, file.path) for file in film.files]
        verdicts: dict[str, Verdict] = {}
        crfs: dict[str, float] = {}
        warnings = [notice for title in titles for notice in _ignored(title)]
        clock = asyncio.get_running_loop()
        end = clock.time() + self._patience
        for title in titles:
            tag = title.made.tag
            try:
                async with asyncio.timeout_at(end):
                    verdicts[tag] = await self._one(title, film, sources, work, board)
                crfs[tag] = verdicts[tag].choice.chosen.crf
            except (MediaError, TimeoutError, OSError, ValueError) as error:
                crfs[tag] = _bounds(title).settled(title.default)
                warnings.append(_given_up(title, error))
        shares = {title.made.tag: title.share for title in titles}
        return Findings(crfs, verdicts, tuple(warnings), shares)

    async def _one(
        self, title: _Title, film: Material, sources: list[str], work: Path, board: Board
    ) -> Verdict:
        key = _key(title, film, sources)
        points = await asyncio.to_thread(self._curves.load, key)
        with tempfile.TemporaryDirectory(prefix="samples-", dir=work) as folder:
            samples = Samples(
                self._toolchain, self._threads, self._limits, film, title.made, Path(folder)
            )

            async def measure(crf: float) -> Point:
                if crf not in points:
                    points[crf] = await samples.measure(crf, title.start, title.seconds)
                    await asyncio.to_thread(self._curves.save, key, points.values())
                board.reach((title.made.tag,), title.share * min(1.0, len(points) / _USUAL))
                return points[crf]

            choice = await search(measure, title.default, _bounds(title), title.enough)
        return Verdict(choice, title.sampled, title.seconds)


def _titles(query: EncodeQuery, film: Material, plan: Plan) -> Iterator[_Title]:
    for step in plan.steps:
        for made in step.renditions if isinstance(step, Pass) else ():
            asked = made.asked
            if not isinstance(asked, Mp4 | Stream) or not asked.optimize_bitrate:
                continue
            start = getattr(query.format[made.index], "start_time", 0.0)
            seconds = made.seconds or (film.probe.duration or 0.0) - start
            if asked.video_codec in PER_TITLE and made.picture and seconds > 0:
                yield _Title(made, asked, start, seconds)


def _bounds(title: _Title) -> Bounds:
    return Bounds(title.asked.min_crf, title.asked.max_crf, title.asked.adjust_crf)


def _key(title: _Title, film: Material, sources: list[str]) -> str:
    """The settings are the encoder's and the filters', whichever output they are of."""
    picture = title.made.picture
    if picture is None:
        raise MediaError(f"{title.made.tag} has no picture")
    filters = picture.filters.replace(title.made.tag, "")
    parts = [(file.start, file.duration) for file in film.files]
    frame = (title.made.width, title.made.height)
    options = at_crf(picture.options, 0.0)
    return key_of(sources, parts, title.start, title.seconds, filters, options, frame)


def _ignored(title: _Title) -> Iterator[Notice]:
    for name in ("quality", "bitrate"):
        if getattr(title.asked, name) is not None:
            told = f"{name} is ignored beside optimize_bitrate, which finds its own rate factor"
            yield Notice("Ignored Attributes", told, title.made.tag)


def _given_up(title: _Title, error: Exception) -> Notice:
    why = "it took too long" if isinstance(error, TimeoutError) else str(error)
    told = f"no rate factor could be searched for, so the encoder's default was taken: {why}"
    return Notice("Per-Title Encoding", told, title.made.tag)
