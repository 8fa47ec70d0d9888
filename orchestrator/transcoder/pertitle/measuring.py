"""Samples of a film, encoded as an output will be, and how they compare with the film."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.transcoder.pertitle.search import Point
from orchestrator.transcoder.pertitle.windows import (
    LOOK,
    Window,
    candidates,
    look,
    reading,
    shows_something,
)
from orchestrator.transcoder.plan import Material, Pass, Rendition, commands
from orchestrator.transcoder.plan.steps import Chain, Input, Reading
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.progress import Meter
from orchestrator.transcoder.runner import Limits, run
from orchestrator.transcoder.toolchain import Toolchain

#: Every frame as the output's filters give it, in half the room of what decodes faster.
_LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-fps_mode", "passthrough")
_REFERENCE, _SAMPLE, _SCORES, _LOOK = "reference.mkv", "sample.mp4", "vmaf.json", "look.gray"

#: From more lines than these on, people look at a frame as at a 4K screen.
_HD_LINES = 1440
#: Frames are held against each other one by one, whatever their containers say of times.
_IN_STEP = "settb=AVTB,setpts=N/25/TB"


class Samples:
    """The samples of one output in a folder of their own, made when they are first needed."""

    def __init__(
        self,
        toolchain: Toolchain,
        threads: int,
        limits: Limits,
        film: Material,
        made: Rendition,
        folder: Path,
    ) -> None:
        self._toolchain, self._threads, self._limits = toolchain, threads, limits
        self._film, self._made, self._folder = film, made, folder
        self._ready = False

    async def measure(self, crf: float, start: float, seconds: float) -> Point:
        """Encode the samples of a part of the film at a rate factor, and compare.

        Raises ``MediaError``.
        """
        if not self._ready:
            await self._take(start, seconds)
            self._ready = True
        chain = Chain("null", at_crf(self._options, crf))
        self._folder.joinpath(_SAMPLE).unlink(missing_ok=True)
        await self._run(
            self._rendition(_SAMPLE, chain, "mp4"),
            Reading((_input(self._folder, _REFERENCE),), "0:v:0"),
        )
        size = self._folder.joinpath(_SAMPLE).stat().st_size
        return Point(crf, await self._score(), size)

    @property
    def _options(self) -> tuple[str, ...]:
        if self._made.picture is None:
            raise TypeError(f"{self._made.tag} has no picture")
        return self._made.picture.options

    async def _take(self, start: float, seconds: float) -> None:
        """Write the reference: the samples as the output's own filters show them."""
        if self._made.picture is None:
            raise TypeError(f"{self._made.tag} has no picture")
        windows = [await self._choose(places) for places in candidates(start, seconds)]
        chain = Chain(self._made.picture.filters, _LOSSLESS)
        await self._run(
            self._rendition(_REFERENCE, chain, "matroska"), reading(self._film, windows)
        )

    async def _choose(self, places: Sequence[Window]) -> Window:
        """The first place that shows something; the first of all where none does."""
        for place in places if len(places) > 1 else ():
            if shows_something(await self._seen(place)):
                return place
        return places[0]

    async def _seen(self, place: Window) -> bytes:
        wide, high = LOOK
        small = f"scale={wide}:{high}:flags=area,format=gray"
        chain = Chain(small, ("-frames:v", "1", "-c:v", "rawvideo"))
        image = replace(self._rendition(_LOOK, chain, "rawvideo"), kind="image")
        await self._run(image, look(self._film, place))
        path = self._folder / _LOOK
        return path.read_bytes() if path.exists() else b""

    async def _score(self) -> float:
        """The VMAF of the sample, pooled so that bad frames count for more."""
        lines = min(self._made.width, self._made.height)
        model = "vmaf_4k_v0.6.1" if lines > _HD_LINES else "vmaf_v0.6.1"
        head = (
            f"[0:v:0]{_IN_STEP}[encoded];[1:v:0]{_IN_STEP}[shown];[encoded][shown]libvmaf="
            f"model=version={model}:n_threads={max(1, self._threads)}:"
            f"log_fmt=json:log_path={_SCORES}[compared]"
        )
        both = (_input(self._folder, _SAMPLE), _input(self._folder, _REFERENCE))
        chain = Chain("null", ("-fps_mode", "passthrough"))
        await self._run(self._rendition("-", chain, "null"), Reading(both, "compared", head=head))
        scores = json.loads(self._folder.joinpath(_SCORES).read_bytes())
        return float(scores["pooled_metrics"]["vmaf"]["harmonic_mean"])

    def _rendition(self, file: str, chain: Chain, form: str) -> Rendition:
        return replace(
            self._made,
            file=file,
            picture=chain,
            sound=None,
            copied=(),
            further=(),
            options=("-f", form),
        )

    async def _run(self, made: Rendition, read: Reading) -> None:
        (command,) = commands(Pass((made,), read), self._toolchain.ffmpeg, self._threads)
        await run(
            command,
            folder=self._folder,
            source=self._film.files[0].path,
            meter=Meter(None, None),
            tell=lambda _: None,
            limits=self._limits,
        )


def at_crf(options: Sequence[str], crf: float) -> tuple[str, ...]:
    """An encoder's options with another rate factor. Raises ``MediaError`` without one."""
    if "-crf" not in options:
        raise MediaError("its encoder takes no rate factor")
    place = options.index("-crf") + 1
    changed = [*options[:place], f"{crf:g}", *options[place + 1 :]]
    if crf == 0 and "-profile:v" in changed:
        # Lossless video needs a profile of its own; the encoder takes it by itself.
        place = changed.index("-profile:v")
        del changed[place : place + 2]
    return tuple(changed)


def _input(folder: Path, name: str) -> Input:
    return Input(folder / name)
