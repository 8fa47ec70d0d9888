"""The master manifests: a pure function of the renditions that have landed."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.files import replacing
from orchestrator.transcoder.packaging.dash import mpd
from orchestrator.transcoder.packaging.hls import master_playlist
from orchestrator.transcoder.packaging.packing import Packing
from orchestrator.transcoder.packaging.rendition import Rendition
from orchestrator.transcoder.ports import MediaError


def manifests(renditions: Sequence[Rendition], packing: Packing) -> dict[str, str]:
    """File name and text of each master manifest, HLS before DASH.

    Call it again whenever a rendition lands, or with fewer to unlink some. Raises
    ``MediaError`` where there is no rendition with picture or sound.
    """
    if all(each.kind == "text" for each in renditions):
        raise MediaError("there is nothing to play: no rendition with picture or sound")
    made: dict[str, str] = {}
    if packing.hls is not None:
        made[packing.hls] = master_playlist(renditions, packing)
    if packing.dash is not None:
        made[packing.dash] = mpd(renditions, packing)
    return made


async def write_manifests(
    folder: Path, renditions: Sequence[Rendition], packing: Packing
) -> tuple[Path, ...]:
    """Write the manifests into ``folder``; readers see the old or the new one, whole."""
    texts = manifests(renditions, packing)
    await asyncio.to_thread(_write, folder, texts)
    return tuple(folder / name for name in texts)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        with replacing(folder / name) as file:
            file.write(text)
