"""Builds what verifies outputs: the query's expectations, ffprobe and ffmpeg."""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from orchestrator.model.errors import BadInput, Transient
from orchestrator.model.ports import Verifier
from orchestrator.query import Job
from orchestrator.query.expected import Expectations
from orchestrator.services.verify import Found, OutputVerifier, Unreadable
from orchestrator.settings import AnyService, CollectConfig, TranscoderService
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.probe import DECODER_GUARDS, INPUT_GUARDS, input_name, probe
from orchestrator.transcoder.processes import child
from orchestrator.transcoder.reasons import in_plain_words
from orchestrator.transcoder.toolchain import Toolchain, find_toolchain

#: Decoding for verification steps back for everything else.
_NICE = 10

#: Seconds after which a decode is given up: nothing that is collected takes so long.
_LONGEST = 6 * 3600.0

#: A muxer that writes nothing has no business complaining of times.
_NO_FAULT = b"[null @"

_IMAGES = {".png": "png_pipe", ".jpg": "jpeg_pipe", ".jpeg": "jpeg_pipe"}

#: Files that are decoded as one: segments begin anew, so a break between some does no harm.
_AT_ONCE = 200

#: The list of files and the files, and nothing else (the last option of a name counts).
_JOINED_GUARDS = (*INPUT_GUARDS, "-protocol_whitelist", "concatf,file")


def build_verifier(
    collect: CollectConfig,
    job: Job,
    service: AnyService,
    note: Callable[[str], None],
) -> Verifier | None:
    """What verifies the job's outputs; None where nobody wants that.

    Without ffprobe, ``note`` hears so and sizes alone are verified.
    """
    level = (job.collect.verify if job.collect else None) or collect.verify
    if level == "none":
        return None
    prober = None if level == "size" else _prober(service, note)
    return OutputVerifier(
        Expectations(job.query), prober, decode=level == "decode", tolerance=collect.tolerance
    )


class FfmpegProber:
    """Implements ``services.verify.Prober``; decodes one file per core at once."""

    def __init__(self, toolchain: Toolchain, *, longest: float = _LONGEST) -> None:
        self._toolchain = toolchain
        self._longest = longest
        self._cores = asyncio.Semaphore(os.cpu_count() or 1)

    async def probe(self, path: Path) -> Found:
        """See ``Prober``."""
        try:
            found = await probe(self._toolchain, path)
        except MediaError as error:
            if isinstance(error.__context__, TimeoutError):
                raise Transient(f"{path}: {error}") from error
            raise Unreadable(str(error)) from error
        kinds = (stream.get("codec_type") for stream in found.document.get("streams", ()))
        frame = shown = None
        if found.video:
            picture = found.video[0]
            frame = (picture.width, picture.height)
            frame = frame[::-1] if picture.rotation % 180 else frame
            shown = (round(picture.display[0]), round(picture.display[1]))
        return Found(
            frozenset(map(str, kinds)),
            found.duration,
            frame,
            picture=found.video[0].codec if found.video else "",
            sound=found.audio[0].codec if found.audio else "",
            shown=shown,
        )

    async def decode(self, path: Path) -> str:
        """See ``Prober``."""
        return await self._decode((*_guards(path), "-i", input_name(path)), path)

    async def decode_joined(self, heads: Sequence[Path], media: Sequence[Path]) -> str:
        """See ``Prober``. Some at a time, because the decoder keeps all of them open."""
        for begin in range(0, len(media), _AT_ONCE):
            batch = [*heads, *media[begin : begin + _AT_ONCE]]
            with NamedTemporaryFile("w", prefix="orchestrator-", suffix=".txt") as listed:
                listed.write("".join(f"{_escaped(input_name(path))}\n" for path in batch))
                listed.flush()
                source = ("-i", f"concatf:{listed.name}")
                if complaint := await self._decode((*_JOINED_GUARDS, *source), batch[-1]):
                    return complaint
        return ""

    async def _decode(self, source: Sequence[str], path: Path) -> str:
        command = (
            *(str(self._toolchain.ffmpeg), "-v", "error", "-nostdin", "-threads", "1"),
            *(*DECODER_GUARDS, *source),
            *("-map", "0:v?", "-map", "0:a?", "-fps_mode", "passthrough", "-f", "null", "-"),
        )
        async with self._cores:
            try:
                async with asyncio.timeout(self._longest), child(command, nice=_NICE) as process:
                    _, said = await process.communicate()
            except TimeoutError as error:
                raise Transient(f"{path}: decoding it takes too long") from error
        lines = [line for line in said.splitlines() if not line.startswith(_NO_FAULT)]
        if lines or process.returncode:
            told = [line.decode(errors="replace") for line in lines]
            return f"the decoder complains: {in_plain_words(told, path)}"
        return ""


def _escaped(name: str) -> str:
    """As a line of a list of ``concatf``: av_get_token's escapes."""
    return re.sub(r"([\\'\s])", r"\\\1", name)


def _guards(path: Path) -> tuple[str, ...]:
    """What a file may be read as: images as one image, never as a pattern of names.

    Left to guess, ffmpeg takes a small image by its name for such a pattern.
    """
    kind = _IMAGES.get(path.suffix.lower())
    return ("-protocol_whitelist", "file", "-f", kind) if kind else INPUT_GUARDS


def _prober(service: AnyService, note: Callable[[str], None]) -> FfmpegProber | None:
    own = (service.ffmpeg, service.ffprobe) if isinstance(service, TranscoderService) else ()
    try:
        toolchain = find_toolchain(*own)
    except BadInput as error:
        note(f"Only the sizes of outputs are verified, not what is in them: {error}")
        return None
    return FfmpegProber(toolchain)
