"""Encodes for tests: a query and sources in, what came of it out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.query import parse_query
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.ports import Encoded, Inputs, Produced, SourceFile
from orchestrator.transcoder.runner import Limits
from tests.media import toolchain


class Listener:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, float]] = []
        self.landings: list[Produced] = []

    def progress(self, percents: Mapping[str, float]) -> None:
        self.told.append(percents)

    async def landed(self, made: Produced) -> None:
        self.landings.append(made)


def inputs(*sources: Path | SourceFile, assets: Mapping[str, Path] | None = None) -> Inputs:
    """Sources as a task has them once they are fetched."""
    files = tuple(each if isinstance(each, SourceFile) else SourceFile(each) for each in sources)
    return Inputs(files, assets or {})


async def encode(
    source: Path | Inputs,
    out: Path,
    *formats: Mapping[str, Any],
    listener: Listener | None = None,
    limits: Limits | None = None,
    **query: Any,
) -> Encoded:
    """Encode with the real ffmpeg, one thread; ``query`` is the rest of the query."""
    given = source if isinstance(source, Inputs) else inputs(source)
    named = {"stitch": ["tus:0"] * len(given.sources)} if len(given.sources) > 1 else {}
    asked = parse_query({**(named or {"source": "tus:0"}), "format": list(formats), **query})
    encoder = FfmpegEncoder(toolchain(), threads=1, nice=0, limits=limits)
    return await encoder.encode(asked, given, out, listener or Listener())


async def only(source: Path | Inputs, out: Path, asked: Mapping[str, Any], **more: Any) -> Produced:
    """The one output of an encode."""
    (made,) = (await encode(source, out, asked, **more)).outputs
    return made
