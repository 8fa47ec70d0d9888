"""``orchestrator serve``, and the demo clips: what the transcoder does on its own."""

import signal
from collections.abc import Callable
from pathlib import Path

import anyio
from pydantic import SecretStr

from orchestrator.config import Config
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.folders import CURVES
from orchestrator.transcoder.runner import Limits
from orchestrator.transcoder.samples import make_samples as samples
from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import EdgeAccount, Smtp, TranscoderSettings
from orchestrator.transcoder.speech import Speech
from orchestrator.transcoder.toolchain import find_toolchain


async def serve(config: Config, listen: str | None, ready: Callable[[str], None]) -> None:
    """Run the transcoding service until SIGINT or SIGTERM.

    ``listen`` (host:port) is stronger than the config; ``ready`` gets the URL
    once the service answers. Raises ``BadInput`` for settings that can't be used.
    """
    settings = config.serve
    toolchain = find_toolchain(settings.ffmpeg, settings.ffprobe)
    served = TranscoderSettings(
        data=settings.data,
        listen=listen or settings.listen,
        public_url=settings.url or "",
        api_keys=(SecretStr(config.secret(settings.api_key)),),
        suspended_keys=tuple(SecretStr(config.secret(key)) for key in settings.suspended_keys),
        workers=settings.workers or 0,
        local_roots=settings.local_roots,
        min_free_bytes=settings.min_free,
        keep_hours=settings.keep_hours,
        max_upload_bytes=settings.max_upload or 0,
        allow_private_sources=settings.private_sources,
        allow_private_destinations=settings.private_destinations,
        profiles=settings.profiles,
        transfers=settings.transfers,
        speech_models=settings.speech_models,
        edge_clients={
            name: EdgeAccount(secret=SecretStr(config.secret(each.secret)), company=each.company)
            for name, each in settings.clients.items()
        },
        smtp=_smtp(config),
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
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with Transcoder(served, encoder) as transcoder:
            ready(transcoder.url)
            async for _ in signals:
                return


def _smtp(config: Config) -> Smtp | None:
    mail = config.serve.mail
    if mail is None:
        return None
    return Smtp(
        server=mail.server,
        sender=mail.sender,
        starttls=mail.starttls,
        user=mail.user,
        password=SecretStr(config.secret(mail.password)),
    )


async def make_samples(folder: Path) -> list[Path]:
    """Write short clips of many shapes into ``folder``; those that are there are kept."""
    return await samples(folder, find_toolchain())
