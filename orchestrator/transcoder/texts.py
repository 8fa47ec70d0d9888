"""Making the outputs that tell of the source: descriptions, transcripts, scores."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.transcoder.plan import (
    Comparison,
    Description,
    Material,
    Pass,
    Transcription,
    commands,
)
from orchestrator.transcoder.plan.comparison import Compared, compared
from orchestrator.transcoder.ports import EncodingFailed, MediaError, Notice, Produced
from orchestrator.transcoder.probe import probe_source
from orchestrator.transcoder.progress import Meter
from orchestrator.transcoder.runner import EncodeError, Limits, Stuck, run
from orchestrator.transcoder.speech import Speech, Spoken
from orchestrator.transcoder.toolchain import Toolchain

#: A step whose output is text.
Telling = Description | Transcription | Comparison

#: Told of a percent, 0 to 100.
Tell = Callable[[float], None]

#: The share of a transcription, in percent, that joining several sources' sound is.
_JOINING = 10.0


def check(speech: Speech, step: Transcription) -> None:
    """Raise ``MediaError`` where this machine can't make that transcript. Blocks."""
    try:
        speech.check(step.asked)
    except MediaError as error:
        raise MediaError(f"{step.tag}: {error}") from error


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one film, written into its task's folder; at most ``threads`` (0: any)."""

    toolchain: Toolchain
    threads: int
    limits: Limits
    film: Material
    folder: Path
    speech: Speech

    async def make(self, step: Telling, tell: Tell) -> tuple[Produced, tuple[Notice, ...]]:
        """The output of a step, and what its client should know. Raises ``MediaError``."""
        try:
            match step:
                case Description():
                    return await self._describe(step), ()
                case Transcription():
                    return await self._transcribe(step, tell)
                case Comparison():
                    return await self._compare(step, tell)
        except Stuck:
            raise
        except EncodingFailed as error:
            raise EncodingFailed(f"{step.tag}: {error}") from error
        except MediaError as error:
            raise MediaError(f"{step.tag}: {error}") from error

    async def _describe(self, step: Description) -> Produced:
        document = json.dumps(self.film.probe.document, indent=4, ensure_ascii=False)
        path = self.folder / step.file
        await asyncio.to_thread(path.write_text, document, encoding="utf-8")
        return _file(step, path)

    async def _transcribe(
        self, step: Transcription, tell: Tell
    ) -> tuple[Produced, tuple[Notice, ...]]:
        sound, start, length = self.film.files[0].path, step.asked.start_time, step.asked.duration
        try:
            if step.joined is not None:
                sound = self.folder / step.joined.renditions[0].file
                start, length = 0.0, None
                await self._run(step.joined, lambda percent: tell(percent * _JOINING / 100))
            spoken = await self.speech.transcribe(
                sound,
                step.asked,
                self.folder / step.folder,
                tell if step.joined is None else _behind_joining(tell),
                start=start,
                length=length,
            )
        finally:
            if step.joined is not None:
                sound.unlink(missing_ok=True)
        notices = tuple(Notice(text, tag=step.tag) for text in spoken.warnings)
        return _transcript(step, self.folder / step.folder, spoken), notices

    async def _compare(self, step: Comparison, tell: Tell) -> tuple[Produced, tuple[Notice, ...]]:
        try:
            found = await probe_source(self.toolchain, step.distorted)
        except MediaError as error:
            told = str(error).replace("the source", "the video", 1)
            raise MediaError(f"distorted can't be compared: {told}") from error
        how = compared(step, self.film, found, self.threads)
        complaints = await self._run(how.work, tell)
        path = self.folder / step.file
        scores = await asyncio.to_thread(_scores, path)
        notices = [Notice(text, tag=step.tag) for text in how.warnings]
        if complaints:
            notices.append(_damaged(step, complaints))
        return replace(_file(step, path), meta=_measured(step, how, scores)), tuple(notices)

    async def _run(self, step: Pass, tell: Tell) -> int:
        """Run a pass of one file; the answer counts the decoder's complaints."""
        (made,) = step.renditions
        (command,) = commands(step, self.toolchain.ffmpeg, self.threads)
        try:
            return await run(
                command,
                folder=self.folder,
                source=self.film.files[0].path,
                meter=Meter(made.frames, made.seconds),
                tell=tell,
                limits=self.limits,
            )
        except Stuck:
            raise
        except EncodeError as error:
            kind = MediaError if error.source_at_fault else EncodingFailed
            raise kind(str(error)) from error


def _behind_joining(tell: Tell) -> Tell:
    return lambda percent: tell(_JOINING + percent * (100.0 - _JOINING) / 100)


def _file(step: Telling, path: Path) -> Produced:
    return Produced(
        tag=step.tag,
        kind="text",
        output=step.asked.output,
        format_index=step.index,
        path=path,
        user_tag=step.asked.tag,
        size=path.stat().st_size,
    )


def _transcript(step: Transcription, folder: Path, spoken: Spoken) -> Produced:
    """``entry`` is the first file that was asked for: the transcript, where there is one."""
    return replace(
        _file(step, folder),
        entry=spoken.files[0].name,
        size=sum(file.stat().st_size for file in spoken.files),
        duration=spoken.duration,
        meta={
            **spoken.meta,
            "detected_language": spoken.detected_language,
            "names": [file.name for file in spoken.files],
        },
    )


def _damaged(step: Comparison, complaints: int) -> Notice:
    times = "once" if complaints == 1 else f"{complaints} times"
    told = f"the decoder complained {times}; the source or distorted may be damaged in places"
    return Notice("Source Video Decoding Errors", told, step.tag)


def _scores(path: Path) -> Mapping[str, Any]:
    """What libvmaf wrote, if it measured anything. Blocks. Raises ``MediaError``."""
    try:
        document = json.loads(path.read_bytes())
        pooled = document["pooled_metrics"]["vmaf"]
    except (OSError, ValueError, KeyError) as error:
        raise MediaError(
            "no frame could be compared; the videos may be too small, or end too early"
        ) from error
    if not math.isfinite(pooled["mean"]):
        raise MediaError("the score came out as no number: the pictures can't be compared")
    return {**pooled, "frames": len(document["frames"])}


def _measured(step: Comparison, how: Compared, scores: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "vmaf": scores["mean"],
        "vmaf_harmonic_mean": scores["harmonic_mean"],
        "vmaf_min": scores["min"],
        "vmaf_max": scores["max"],
        "vmaf_model": how.model,
        "width": how.width,
        "height": how.height,
        "framerate": round(float(how.rate), 3),
        "frames": scores["frames"],
        "n_subsample": step.asked.n_subsample,
    }
