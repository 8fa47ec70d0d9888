"""Rows of thumbnails, finished: named by a WebVTT file, and put into sprites where asked for."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from orchestrator.query import Thumbnails
from orchestrator.transcoder.checks import Row, check_row, row_output, whole_image
from orchestrator.transcoder.plan import Rendition
from orchestrator.transcoder.plan.images import IMAGE_NAMES, codec, pixels
from orchestrator.transcoder.plan.sprites import Sheet, grid
from orchestrator.transcoder.ports import Produced
from orchestrator.transcoder.progress import Meter
from orchestrator.transcoder.runner import Limits, run
from orchestrator.transcoder.toolchain import Toolchain


async def image_row(
    toolchain: Toolchain,
    made: Rendition,
    folder: Path,
    duration: float | None,
    *,
    complained: bool,
    limits: Limits,
) -> Produced:
    """The output of a row of images that was written into ``folder``.

    ``duration`` is the source's, in seconds; ``complained`` says that its
    decoder did. Raises ``MediaError`` where images are missing.
    """
    row = await asyncio.to_thread(check_row, made, folder, duration, complained=complained)
    references = tuple(image.name for image in row.images)
    if isinstance(made.asked, Thumbnails) and made.asked.sprite:
        layout = grid(made.asked, made.width, made.height)
        for sheet in layout.sheets(len(row.images)):
            await _compose(toolchain, made.asked, sheet, row, limits)
        references = tuple(layout.references(len(row.images)))
        await asyncio.to_thread(_remove, row)
    return await asyncio.to_thread(row_output, made, folder, row, references)


async def _compose(
    toolchain: Toolchain, asked: Thumbnails, sheet: Sheet, row: Row, limits: Limits
) -> None:
    """Write one sprite beside its images."""
    home = row.images[0].parent
    await run(
        tuple(_command(toolchain.ffmpeg, asked, sheet, row.images[0].suffix)),
        folder=home,
        source=row.images[0],
        meter=Meter(1, None),
        tell=lambda _: None,
        limits=limits,
    )
    await asyncio.to_thread(whole_image, home / sheet.name)


def _command(ffmpeg: Path, asked: Thumbnails, sheet: Sheet, suffix: str) -> Iterator[str]:
    yield from (str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-y")
    yield from ("-loglevel", "repeat+level+error", "-progress", "pipe:1")
    # The images are our own: no pattern of a client's comes near this.
    yield from ("-threads", "1", "-f", "image2", "-start_number", str(sheet.first + 1))
    yield from ("-i", f"{IMAGE_NAMES}{suffix}", "-frames:v", "1")
    tiles = f"tile={sheet.columns}x{sheet.rows}:nb_frames={sheet.count}"
    yield from ("-vf", f"{tiles},setsar=1,{pixels(asked)}")
    yield from (*codec(asked), "-threads", "1", "-f", "image2", "-update", "1", sheet.name)


def _remove(row: Row) -> None:
    for image in row.images:
        image.unlink()
