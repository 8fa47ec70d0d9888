"""Encoding an order: its overlays are brought to their size before, and DRM comes after."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from orchestrator.transcoder.edge.plan import overlay_key
from orchestrator.transcoder.edge.profile import Overlay
from orchestrator.transcoder.edge.protect import protected
from orchestrator.transcoder.edge.query import OrderQuery
from orchestrator.transcoder.ports import Encoded, Inputs, MediaError
from orchestrator.transcoder.probe import DECODER_GUARDS
from orchestrator.transcoder.processes import child
from orchestrator.transcoder.toolchain import Toolchain

_KINDS = ((b"\x89PNG\r\n\x1a\n", "png_pipe"), (b"\xff\xd8\xff", "jpeg_pipe"))
#: Seconds that bringing one image to its size may take.
_PATIENCE = 60.0


async def encode_order(
    toolchain: Toolchain,
    query: OrderQuery,
    inputs: Inputs,
    folder: Path,
    encode: Callable[[Inputs], Awaitable[Encoded]],
) -> Encoded:
    """Every file of an order; ``encode`` makes those of the query. Raises ``MediaError``."""
    assets = dict(inputs.assets)
    for number, overlay in enumerate(_overlays(query)):
        image = folder / f"overlay-{number}.png"
        await _resized(toolchain, assets[overlay.url], overlay, image)
        assets[overlay_key(overlay)] = image
    encoded = await encode(replace(inputs, assets=assets))
    if query.drm is None:
        return encoded
    made = [
        await protected(toolchain, each, query.drm)
        if query.made[each.format_index].profile
        else each
        for each in encoded.outputs
    ]
    return replace(encoded, outputs=tuple(made))


def _overlays(query: OrderQuery) -> list[Overlay]:
    """Each image and size once."""
    found = [made.profile.overlay for made in query.made if made.profile]
    return list({overlay_key(each): each for each in found if each}.values())


async def _resized(toolchain: Toolchain, source: Path, overlay: Overlay, image: Path) -> None:
    """Raises ``MediaError``. A stranger's file is opened by what its first bytes say it is."""
    head = await asyncio.to_thread(_head, source)
    kind = next((name for magic, name in _KINDS if head.startswith(magic)), None)
    if kind is None:
        raise MediaError("the overlay's file is neither a PNG nor a JPEG image")
    scaled = f"scale={overlay.scale_width}:{overlay.scale_height},format=rgba"
    command = (
        *(str(toolchain.ffmpeg), "-v", "error", "-nostdin", "-y", *DECODER_GUARDS),
        *(
            "-protocol_whitelist",
            "file",
            "-f",
            kind,
            "-i",
            f"file:{source}",
            "-frames:v",
            "1",
            "-vf",
            scaled,
            f"file:{image}",
        ),
    )
    try:
        async with asyncio.timeout(_PATIENCE), child(command, cwd=image.parent) as process:
            await process.communicate()
    except (TimeoutError, OSError) as error:
        raise MediaError("the overlay's image could not be scaled") from error
    if process.returncode:
        raise MediaError("the overlay's image is damaged, or too large")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)
