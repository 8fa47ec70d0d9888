"""The media half of the transcoder: a query and a source in, outputs on disk out."""

import asyncio
from dataclasses import replace
from pathlib import Path

from orchestrator.query import EncodeQuery, Thumbnail, Thumbnails
from orchestrator.transcoder.assembly import Assembly
from orchestrator.transcoder.boxes import add_boxes
from orchestrator.transcoder.checks import check_image, check_media, media_output
from orchestrator.transcoder.edge.encode import encode_order
from orchestrator.transcoder.edge.plan import compile_order
from orchestrator.transcoder.edge.query import OrderQuery
from orchestrator.transcoder.keyframes import keyframes
from orchestrator.transcoder.losses import Losses, ignored
from orchestrator.transcoder.memory import Memory, needed
from orchestrator.transcoder.pertitle import PerTitle
from orchestrator.transcoder.plan import (
    Comparison,
    Description,
    Material,
    Means,
    Package,
    Pass,
    Plan,
    Rendition,
    Step,
    Subtitling,
    Transcription,
    commands,
    compile_softly,
    material,
)
from orchestrator.transcoder.ports import (
    Encoded,
    EncodingFailed,
    Inputs,
    MediaError,
    Missed,
    Notice,
    Produced,
    Watcher,
)
from orchestrator.transcoder.probe import probe_source
from orchestrator.transcoder.progress import Board, Meter
from orchestrator.transcoder.runner import EncodeError, Limits, Stuck, run
from orchestrator.transcoder.speech import Speech
from orchestrator.transcoder.sprites import image_row
from orchestrator.transcoder.streams import Probe
from orchestrator.transcoder.subtitling import Subtitler
from orchestrator.transcoder.texts import Telling, Texts, check
from orchestrator.transcoder.toolchain import Toolchain, describe


class FfmpegEncoder:
    """Encodes with ffmpeg, one decode for all outputs that can share it.

    ``threads`` limits each codec of a task (0: ffmpeg decides); with several
    tasks at a time, cores divided by tasks keeps them from fighting. ``nice``
    is added to the niceness of every ffmpeg. A task waits until ``memory`` has
    room for it. ``curves`` is the folder that keeps what was measured for
    ``optimize_bitrate``; None keeps nothing. Without ``speech`` every transcript
    is refused.
    """

    def __init__(
        self,
        toolchain: Toolchain,
        *,
        threads: int = 0,
        nice: int = 5,
        limits: Limits | None = None,
        speech: Speech | None = None,
        memory: Memory | None = None,
        curves: Path | None = None,
    ) -> None:
        self._toolchain, self._threads = toolchain, threads
        self._memory = memory or Memory()
        self._limits = replace(limits or Limits(), nice=nice)
        self._per_title = PerTitle(toolchain, threads, self._limits, curves)
        self._speech = speech or Speech(toolchain, None)

    async def encode(
        self, query: EncodeQuery, inputs: Inputs, folder: Path, watcher: Watcher
    ) -> Encoded:
        """Every output of ``query``; see ``ports.Encoder``. Raises ``MediaError``.

        A source without sound gives outputs without a sound track, muted or
        not. An output that comes out shorter than the source promised is an
        error, never a silent loss (``checks``).
        """
        if not isinstance(query, OrderQuery):
            return await self._encode(query, inputs, folder, watcher)

        async def made(fetched: Inputs) -> Encoded:
            return await self._encode(query, fetched, folder, watcher)

        return await encode_order(self._toolchain, query, inputs, folder, made)

    async def _encode(
        self, query: EncodeQuery, inputs: Inputs, folder: Path, watcher: Watcher
    ) -> Encoded:
        probes = [await probe_source(self._toolchain, each.path) for each in inputs.sources]
        film = material(inputs, probes)
        abilities = await describe(self._toolchain)
        means = Means(
            abilities.encoders,
            self._threads,
            dict(inputs.assets),
            lost=inputs.lost,
            earlier=inputs.earlier,
            keyframes=await keyframes(self._toolchain, query, film),
        )
        plan, missed = _compiled(query, film, means)
        async with self._memory.hold(needed(plan, film, self._threads)):
            return await self._carry_out(query, film, means, plan, missed, folder, watcher)

    async def _carry_out(
        self,
        query: EncodeQuery,
        film: Material,
        means: Means,
        plan: Plan,
        missed: tuple[Missed, ...],
        folder: Path,
        watcher: Watcher,
    ) -> Encoded:
        """Make what was planned, after an analysis where one was asked for."""
        found = await self._per_title.analyse(query, film, plan, folder, watcher)
        if found.crfs:
            plan, missed = _compiled(query, film, replace(means, crfs=found.crfs))
        losses = Losses(query, missed)
        board = Board(plan.tags, watcher.progress, found.shares)
        board.reach(plan.left_out, 100.0)
        task = _Task(
            self._toolchain, self._threads, self._limits, film, folder, board, self._speech, losses
        )
        for step in plan.steps:
            if isinstance(step, Transcription) and not step.asked.allow_soft_fail:
                await asyncio.to_thread(check, self._speech, step)
        if query.refresh_playlist:
            task.tell(watcher)
        for step in plan.steps:
            await task.take(step)
        if losses.missed and not task.outputs:
            raise losses.total()
        return Encoded(
            outputs=found.told(sorted(task.outputs, key=lambda made: made.format_index)),
            duration=film.probe.duration,
            warnings=(
                *(_told(text, plan) for text in plan.warnings),
                *plan.notices,
                *found.warnings,
                *task.warnings(),
                *ignored(losses.missed),
            ),
            missed=losses.missed,
        )


def _told(text: str, plan: Plan) -> Notice:
    """A plan's warning, with the tag of the output that it begins with."""
    first = text.partition(" ")[0].removesuffix(":")
    return Notice(text, tag=first if first in plan.tags else None)


def _compiled(query: EncodeQuery, film: Material, means: Means) -> tuple[Plan, tuple[Missed, ...]]:
    if isinstance(query, OrderQuery):
        return compile_order(query, film, means)
    return compile_softly(query, film, means)


class _Task:
    """One film on its way through a plan."""

    def __init__(
        self,
        toolchain: Toolchain,
        threads: int,
        limits: Limits,
        film: Material,
        folder: Path,
        board: Board,
        speech: Speech,
        losses: Losses,
    ) -> None:
        self._toolchain, self._threads, self._limits = toolchain, threads, limits
        self._film, self._folder, self._board, self._losses = film, folder, board, losses
        self._texts = Texts(toolchain, threads, limits, film, folder, speech)
        self._subtitler = Subtitler(toolchain, limits, film, folder)
        self._complaints = 0
        self._watcher: Watcher | None = None
        self._parts: dict[str, Probe] = {}
        self._assemblies: dict[int, Assembly] = {}
        self._notices: list[Notice] = []
        self.outputs: list[Produced] = []

    def tell(self, watcher: Watcher) -> None:
        """Let others see outputs for streaming as their renditions get ready."""
        self._watcher = watcher

    def warnings(self) -> tuple[Notice, ...]:
        """What the client should know of the source."""
        if not self._complaints:
            return tuple(self._notices)
        times = "once" if self._complaints == 1 else f"{self._complaints} times"
        told = f"the decoder complained {times}; the source may be damaged in places"
        return (Notice("Source Video Decoding Errors", told), *self._notices)

    async def take(self, step: Step) -> None:
        """Do one step of the plan. Raises ``MediaError``."""
        match step:
            case Pass():
                left = tuple(made for made in step.renditions if not self._losses.has(made.index))
                if left:
                    await self._make(replace(step, renditions=left))
            case _ if self._losses.has(step.index):
                return
            case Subtitling():
                try:
                    self._notices.extend(await self._subtitler.make(step))
                except MediaError as error:
                    self._losses.bear((step.index,), error)
            case Description() | Transcription() | Comparison():
                try:
                    await self._write(step)
                except MediaError as error:
                    self._losses.bear((step.index,), error)
            case Package():
                try:
                    await self._package(step)
                except MediaError as error:
                    self._losses.bear((step.index,), EncodingFailed(str(error)))

    async def _write(self, step: Telling) -> None:
        """Write an output that tells of the source."""
        made, notices = await self._texts.make(
            step, lambda percent: self._board.reach(step.tags, min(99.0, percent))
        )
        self.outputs.append(made)
        self._notices.extend(notices)
        self._board.reach(step.tags, 100.0)

    async def _make(self, step: Pass) -> None:
        """Make the outputs of a pass and check them.

        One that can't be written fails a shared ffmpeg, so then each has its
        own, and the error names the one that fails. Raises ``MediaError``.
        """
        indexes = [made.index for made in step.renditions]
        try:
            complained = await self._run(step)
        except Stuck as error:
            self._losses.bear(indexes, error)
            return
        except EncodeError as error:
            if error.source_at_fault or len(step.renditions) == 1:
                self._losses.bear(indexes, _about(step, error))
            else:
                await self._make_apart(step)
            return
        for made in step.renditions:
            try:
                await self._finish(made, step, complained)
            except MediaError as error:
                self._losses.bear((made.index,), error)

    async def _make_apart(self, step: Pass) -> None:
        failed: list[MediaError] = []
        for made in step.renditions:
            try:
                await self._make(replace(step, renditions=(made,)))
            except Stuck:
                raise
            except MediaError as error:
                failed.append(error)
        if failed:
            kind = max((type(each) for each in failed), key=lambda each: each is EncodingFailed)
            raise kind("; ".join(dict.fromkeys(map(str, failed))))

    async def _run(self, step: Pass) -> bool:
        """Run a pass; whether the decoder complained of the source."""
        for made in step.renditions:
            (self._folder / made.file).parent.mkdir(exist_ok=True)
        lines = commands(step, self._toolchain.ffmpeg, self._threads)
        first = step.renditions[0]
        complaints = 0
        for done, command in enumerate(lines):

            def tell(percent: float, before: int = done) -> None:
                # An output is done when it has been checked, not before.
                self._board.reach(step.tags, min(99.0, (100.0 * before + percent) / len(lines)))

            complaints = await run(
                command,
                folder=self._folder,
                source=self._film.files[0].path,
                meter=Meter(first.frames, first.seconds),
                tell=tell,
                limits=self._limits,
            )
        for log in self._folder.glob(f"{first.tag}-0.log*") if step.twice else ():
            log.unlink()
        if not step.reading.inputs[0].nearby:
            # Decoding from the middle of a stream complains of nothing that matters.
            self._complaints += complaints
        return bool(complaints)

    async def _package(self, step: Package) -> None:
        """Put parts into their output; it is told of when it is whole, or may be seen before."""
        assembly = self._assemblies.get(step.index)
        if assembly is None:
            assembly = Assembly(self._toolchain, step, self._folder)
            self._assemblies[step.index] = assembly
        self._board.reach(step.tags, 100.0)
        made = await assembly.add(step, self._parts, self._packaged)
        if self._watcher is not None:
            await self._watcher.landed(made)
        if step.last:
            self.outputs.append(made)

    def _packaged(self, tag: str) -> None:
        self._board.reach((tag,), 100.0)

    async def _finish(self, made: Rendition, step: Pass, complained: bool) -> None:
        try:
            if made.part:
                self._parts[made.tag] = await self._media(made, complained)
                return
            self.outputs.append(await self._check(made, step, complained))
        except EncodeError as error:
            raise _about(replace(step, renditions=(made,)), error) from error
        except MediaError as error:
            raise MediaError(f"{made.tag}: {error}") from error
        self._board.reach((made.tag,), 100.0)

    async def _check(self, made: Rendition, step: Pass, complained: bool) -> Produced:
        if isinstance(made.asked, Thumbnails):
            return await image_row(
                self._toolchain,
                made,
                self._folder,
                self._film.probe.duration,
                complained=complained,
                limits=self._limits,
            )
        if isinstance(made.asked, Thumbnail):
            if step.otherwise is not None and not (self._folder / made.file).exists():
                await self._run(step.otherwise)
            return await asyncio.to_thread(check_image, made, self._folder)
        return media_output(made, self._folder, await self._media(made, complained))

    async def _media(self, made: Rendition, complained: bool) -> Probe:
        if made.boxes:
            await asyncio.to_thread(add_boxes, self._folder / made.file, made.boxes)
        return await check_media(self._toolchain, made, self._folder, complained=complained)


def _about(step: Pass, error: MediaError) -> MediaError:
    """The error, with the names of the outputs that it took."""
    if isinstance(error, EncodeError) and error.source_at_fault:
        return MediaError(f"the source can't be decoded: {error}")
    return EncodingFailed(f"{', '.join(step.tags)}: {error}")
