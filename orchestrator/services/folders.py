"""Brings a folder of files from the service: what names the others is put in its place last.

So a playlist, a manifest or a .vtt file that is there has all that it names
beside it, whatever stopped the collecting.
"""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.model.errors import OutputMissing
from orchestrator.services.fetching import Fetching
from orchestrator.services.folder_output import file_url, images_in
from orchestrator.services.redact import redact
from orchestrator.services.streaming import Home, Named, look_into


async def fetch_row(fetching: Fetching, url: str, folder: Path) -> int:
    """Interval thumbnails: a .vtt file and its images. The answer is the size of all."""
    home = Home(url)
    vtt = await fetching.source.read(url)
    images = [home.named(image, home.entry) for image in images_in(vtt.decode("utf-8", "replace"))]
    if any(image.path == home.entry.path for image in images):
        raise OutputMissing(f"{redact(url)} names itself as an image")
    size = await fetching.files((image.url, folder / image.path) for image in images)
    return size + await fetching.put(folder / home.entry.path, vtt)


async def fetch_ladder(fetching: Fetching, url: str, folder: Path, beside: Sequence[str]) -> int:
    """HLS and DASH: all that the playlist or manifest at ``url`` leads to.

    ``beside`` are names of further master playlists. Keys are left where they are.
    """
    home = Home(url)

    async def read(named: Named) -> bytes:
        return await fetching.source.read(named.url)

    contents = await look_into(home, beside, read)
    size = await fetching.files((file.url, folder / file.path) for file in contents.files)
    for named, data in contents.lists:
        size += await fetching.put(folder / named.path, data)
    return size


async def fetch_named(
    fetching: Fetching, url: str, folder: Path, names: Sequence[str], may_be: Sequence[str]
) -> int:
    """Files of the folder at ``url`` by their names; of ``may_be`` those that are there."""
    size = await fetching.files((file_url(url, name), folder / name) for name in names)
    for name in may_be:
        try:
            size += await fetching.file(file_url(url, name), folder / name)
        except OutputMissing:
            continue
    return size
