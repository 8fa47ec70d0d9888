"""``orchestrator doctor``: is everything in order?"""

import shutil
import sys
import time
from collections.abc import Iterable, Sequence

from orchestrator.config import Config
from orchestrator.model.errors import OrchestratorError
from orchestrator.report.findings import Finding
from orchestrator.settings import TranscoderService
from orchestrator.transcoder.toolchain import describe, find_toolchain
from orchestrator.wiring.routes import open_route
from orchestrator.wiring.several import check_apart

#: Encoders that the local service can't do without, and what they are for.
ENCODERS = {"libx264": "H.264 video", "libx265": "H.265 video", "aac": "AAC sound"}

#: Free space below which a night's outputs may not fit, in bytes.
LITTLE_SPACE = 5 * 1024**3


async def diagnose(config: Config, services: Sequence[str] = ()) -> list[Finding]:
    """Check the machine, the settings and the services of a run (without any, the default one).

    Raises ``BadInput`` for services that can't work together, and for one that the config
    has not.
    """
    names = tuple(dict.fromkeys(services)) or (config.default_service,)
    check_apart(config, names)
    findings = [_python(), _config(config), _folder(config), _space(config), _clock()]
    for settings in _inside(config, names):
        findings += await _media(settings)
    findings += [await _reached(config, name) for name in names]
    return findings


def _inside(config: Config, names: Iterable[str]) -> list[TranscoderService]:
    """The services that encode on this machine, those with the same programs once."""
    settings = [config.service(name) for name in names]
    found = [each for each in settings if isinstance(each, TranscoderService)]
    return list({(each.ffmpeg, each.ffprobe): each for each in found}.values())


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), version, "use Python 3.11 or newer")


def _config(config: Config) -> Finding:
    return Finding("Settings", True, config.origin)


def _folder(config: Config) -> Finding:
    folder = config.state
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        hint = "choose another folder with `state` in config.toml"
        return Finding("Ledger folder", False, f"{folder}: {error.strerror}", hint)
    return Finding("Ledger folder", True, f"{folder} can be written")


def _space(config: Config) -> Finding:
    folder = config.state if config.state.exists() else config.folder
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.0f} GB free at {folder}"
    return Finding("Disk", free >= LITTLE_SPACE, detail, "make room before a large run")


def _clock() -> Finding:
    year = time.gmtime().tm_year
    detail = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    return Finding("Clock", year >= 2025, detail, "set the clock: tokens expire by it")


async def _media(settings: TranscoderService) -> list[Finding]:
    try:
        found = await describe(find_toolchain(settings.ffmpeg, settings.ffprobe))
    except OrchestratorError as error:
        return [Finding("ffmpeg", False, str(error), "install the package again")]
    missing = [f"{word} ({enc})" for enc, word in ENCODERS.items() if enc not in found.encoders]
    codecs = Finding(
        "Encoders",
        not missing,
        "missing: " + ", ".join(missing) if missing else ", ".join(ENCODERS.values()),
        "use the bundled ffmpeg: take `ffmpeg` out of config.toml",
    )
    return [
        Finding("ffmpeg", True, found.ffmpeg_version),
        Finding("ffprobe", True, found.ffprobe_version),
        codecs,
    ]


async def _reached(config: Config, name: str) -> Finding:
    title = f"Service {name}"
    try:
        async with open_route(config, name) as route:
            return Finding(title, True, await route.service.check())
    except OrchestratorError as error:
        return Finding(title, False, str(error), _what_to_do(error))


def _what_to_do(error: OrchestratorError) -> str:
    match error.error_class:
        case "account":
            return "check the API key and the account"
        case "unreachable":
            return "check the URL in config.toml and the network"
        case _:
            return ""
