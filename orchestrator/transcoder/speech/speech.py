"""The ``speech_to_text`` output: a source in, transcript and subtitles in a folder."""

import asyncio
import importlib.util
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.runner import Limits
from orchestrator.transcoder.speech import subtitles
from orchestrator.transcoder.speech.asked import (
    Asked,
    File,
    files_of,
    iso_code,
    language_of,
    mode_of,
    translations_of,
)
from orchestrator.transcoder.speech.cues import cues
from orchestrator.transcoder.speech.documents import timestamps, transcript
from orchestrator.transcoder.speech.heard import Heard, Segment
from orchestrator.transcoder.speech.listening import Work, listen
from orchestrator.transcoder.speech.models import MODES, Model, find_model
from orchestrator.transcoder.speech.sound import to_pcm
from orchestrator.transcoder.toolchain import Toolchain

#: The share of the whole, in percent, that decoding the sound is.
_DECODING = 5.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """What came of a transcription.

    ``detected_language`` is ISO 639-1: the one given, else the one found, and
    None where nobody spoke. ``duration`` is the sound's, in seconds. ``meta``
    is for the status: mode, model, beam_size, language, translate_languages.
    """

    files: tuple[Path, ...]
    detected_language: str | None
    duration: float
    warnings: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Plan:
    """An output that can be made."""

    mode: str
    model: Model
    files: tuple[File, ...]
    language: str | None
    translations: tuple[str, ...]


class Speech:
    """Turns speech into text with the models in a folder (see ``models``).

    ``models`` None refuses every output. ``threads`` limits the worker (0: the
    libraries decide); ``limits`` hold for decoding and for reading, each.
    """

    def __init__(
        self,
        toolchain: Toolchain,
        models: Path | None,
        *,
        threads: int = 0,
        limits: Limits | None = None,
    ) -> None:
        self._toolchain, self._models, self._threads = toolchain, models, threads
        self._limits = limits or Limits()

    def check(self, asked: Asked) -> None:
        """Raise ``MediaError`` where this output can't be made, whatever the source is.

        Reads small files of the model once.
        """
        self._plan(asked)

    async def transcribe(
        self,
        sound: Path,
        asked: Asked,
        folder: Path,
        tell: Callable[[float], None],
        *,
        start: float = 0.0,
        length: float | None = None,
    ) -> Spoken:
        """Write the files that are asked for into ``folder``, which is made.

        ``sound`` is any media file with sound; ``start`` and ``length`` take a
        part of it, in seconds, and all times count from that start. ``tell``
        gets a percent that rises. Raises ``MediaError``; when cancelled, no
        process is left.
        """
        plan = await asyncio.to_thread(self._plan, asked)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".speech-", dir=folder) as scratch:
            pcm = Path(scratch, "sound.pcm")
            duration = await to_pcm(
                self._toolchain,
                sound,
                pcm,
                part=(start, length),
                threads=self._threads,
                tell=lambda percent: tell(percent * _DECODING / 100),
                limits=self._limits,
            )
            heard = await listen(self._work(plan, pcm), _behind(tell), self._limits)
        files = await asyncio.to_thread(_write, plan, heard, duration, folder)
        tell(100.0)
        return _spoken(plan, heard, duration, files)

    def _plan(self, asked: Asked) -> _Plan:
        mode, translations = mode_of(asked), translations_of(asked)
        files = files_of(asked)
        if importlib.util.find_spec("faster_whisper") is None:
            raise MediaError(
                "speech_to_text needs the extra 'speech' on the transcoder's machine: "
                "pip install 'orchestrator[speech]'"
            )
        model = find_model(self._models, mode)
        return _Plan(mode, model, files, language_of(asked, model), translations)

    def _work(self, plan: _Plan, pcm: Path) -> Work:
        return Work(
            sound=pcm,
            model=plan.model,
            mode=MODES[plan.mode],
            language=plan.language,
            translate=bool(plan.translations),
            words=any(file.kind != "transcript" for file in plan.files),
            threads=self._threads,
        )


def _behind(tell: Callable[[float], None]) -> Callable[[float], None]:
    """Progress of the reading, told as the part of the whole behind decoding."""
    return lambda percent: tell(_DECODING + percent * (99.0 - _DECODING) / 100)


def _write(plan: _Plan, heard: Heard, duration: float, folder: Path) -> tuple[Path, ...]:
    """Write every file; the answer is they. Blocks."""
    written: list[Path] = []
    for name, text in _texts(plan, heard, duration):
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return tuple(written)


def _texts(plan: _Plan, heard: Heard, duration: float) -> Iterator[tuple[str, str]]:
    language = None if heard.language is None else iso_code(heard.language)
    for file in plan.files:
        yield file.name, _text(file.kind, heard.said, language, duration)
    for code in plan.translations:
        for file in plan.files:
            yield file.in_language(code), _text(file.kind, heard.in_english, code, duration)


def _text(kind: str, segments: tuple[Segment, ...], language: str | None, duration: float) -> str:
    match kind:
        case "transcript":
            return transcript(segments)
        case "json":
            return timestamps(segments, language, duration)
        case "srt":
            return subtitles.srt(cues(segments))
        case _:
            return subtitles.vtt(cues(segments))


def _spoken(plan: _Plan, heard: Heard, duration: float, files: tuple[Path, ...]) -> Spoken:
    meta = {
        "mode": plan.mode,
        "model": plan.model.name,
        "beam_size": MODES[plan.mode].beam,
        "language": None if plan.language is None else iso_code(plan.language),
        "translate_languages": list(plan.translations),
    }
    return Spoken(
        files=files,
        detected_language=None if heard.language is None else iso_code(heard.language),
        duration=duration,
        warnings=() if heard.said else ("no speech was found in the sound",),
        meta=meta,
    )
