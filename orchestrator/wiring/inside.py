"""The transcoder inside this process. A module of its own: other runs need none of it loaded."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from orchestrator.settings import TranscoderService
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.folders import CURVES
from orchestrator.transcoder.runner import Limits
from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import EDGE_CLIENT, EDGE_COMPANY, TranscoderSettings
from orchestrator.transcoder.speech import Speech
from orchestrator.transcoder.toolchain import find_toolchain
from orchestrator.wiring.account import Account


@asynccontextmanager
async def inside(settings: TranscoderService) -> AsyncIterator[Account]:
    """The transcoder, running; its key is one that only we know."""
    key = secrets.token_hex(16)
    toolchain = find_toolchain(settings.ffmpeg, settings.ffprobe)
    served = TranscoderSettings(
        data=settings.data,
        api_keys=(SecretStr(key),),
        workers=settings.workers or 0,
        local_roots=settings.local_roots,
        min_free_bytes=settings.min_free,
        keep_hours=settings.keep_hours,
        allow_private_sources=settings.private_sources,
        speech_models=settings.speech_models,
    )
    limits = Limits(nice=settings.nice)
    speech = Speech(toolchain, served.speech_models, threads=served.threads, limits=limits)
    encoder = FfmpegEncoder(
        toolchain,
        threads=served.threads,
        nice=settings.nice,
        speech=speech,
        curves=served.data / CURVES,
    )
    async with Transcoder(served, encoder) as transcoder:
        yield Account(transcoder.url, key, EDGE_CLIENT, EDGE_COMPANY)
