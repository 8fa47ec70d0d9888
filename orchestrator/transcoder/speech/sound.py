"""The sound of a source as Whisper models hear it: 16 kHz, one channel."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.probe import INPUT_GUARDS, input_name, probe_source
from orchestrator.transcoder.progress import Meter
from orchestrator.transcoder.runner import EncodeError, Limits, run
from orchestrator.transcoder.toolchain import Toolchain

_RATE, _BYTES = 16000, 2


async def to_pcm(
    toolchain: Toolchain,
    source: Path,
    made: Path,
    *,
    part: tuple[float, float | None] = (0.0, None),
    threads: int = 0,
    tell: Callable[[float], None],
    limits: Limits,
) -> float:
    """Write the source's first sound track to ``made``; the answer is its length in seconds.

    ``made`` becomes 16-bit PCM without a header. ``part`` is where it starts
    and how long it is, in seconds; None takes all the rest. Raises
    ``MediaError`` where there is no sound, or none that can be decoded.
    """
    found = await probe_source(toolchain, source)
    if not found.audio:
        raise MediaError("the source has no sound, so there is no speech to turn into text")
    start, length = part
    seek = ("-ss", f"{start:.6f}") if start else ()
    until = () if length is None else ("-t", f"{length:.6f}")
    command = (
        *(str(toolchain.ffmpeg), "-hide_banner", "-nostdin", "-y", "-v", "level+warning"),
        *("-nostats", "-progress", "pipe:1", "-threads", str(threads)),
        *INPUT_GUARDS,
        *seek,
        *until,
        *("-i", input_name(source), "-map", f"0:{found.audio[0].index}"),
        # Sound that begins late, or has gaps, must keep the time of the picture.
        *(
            "-af",
            "aresample=async=1:first_pts=0",
            "-ac",
            "1",
            "-ar",
            str(_RATE),
            "-c:a",
            "pcm_s16le",
            "-f",
            "s16le",
        ),
        input_name(made),
    )
    meter = Meter(None, length or found.duration)
    try:
        await run(command, folder=made.parent, source=source, meter=meter, tell=tell, limits=limits)
    except EncodeError as error:
        raise MediaError(f"the source's sound can't be decoded: {error}") from error
    size = (await asyncio.to_thread(made.stat)).st_size
    return size / (_RATE * _BYTES)
