"""Verifies an item's outputs: there, as large as reported, and what the query asks for."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from orchestrator.model.errors import OutputMissing
from orchestrator.model.items import Item, Output
from orchestrator.query.expected import Expectations, Expected, Shape
from orchestrator.services.folder_output import images_in, is_folder, path_of
from orchestrator.services.verify.media import MediaCheck
from orchestrator.services.verify.probing import Prober
from orchestrator.services.verify.reading import read, wrong
from orchestrator.services.verify.stills import check_images, check_json


class OutputVerifier:
    """Implements ``model.ports.Verifier``.

    Without a ``prober`` only presence and size are verified. ``decode`` decodes
    every output whole. ``tolerance`` is in seconds: a length may differ by it, or
    by 1 %, whichever is more.
    """

    def __init__(
        self,
        expectations: Expectations,
        prober: Prober | None,
        *,
        decode: bool = False,
        tolerance: float = 1.0,
    ) -> None:
        self._expectations = expectations
        self._prober = prober
        self._media = MediaCheck(prober, tolerance) if prober else None
        self._decode = decode

    async def verify(self, item: Item, outputs: Sequence[Output]) -> tuple[str, ...]:
        """See ``model.ports.Verifier``. What was not collected is not looked at."""
        notes: list[str] = []
        for output in outputs:
            if output.path is not None:
                found = await self._one(item, output, Path(output.path))
                notes += [f"{output.user_tag or output.tag}: {note}" for note in found]
        return tuple(notes)

    async def _one(self, item: Item, output: Output, path: Path) -> tuple[str, ...]:
        if output.url.startswith("file:") and not await read(path, path.exists):
            return ("it is on the service's own disk: it was not verified",)
        files = await read(path, lambda: _files(path, output))
        await read(path, lambda: _check_sizes(path, files, output.size))
        if self._media is None:
            return ()
        expected = self._expectations.of(item, output)
        if expected is None or not _looked_into(expected, output):
            return ("the query does not tell what it should be: only its size was verified",)
        return await self._contents(item, output, files, expected)

    async def _contents(
        self, item: Item, output: Output, files: Sequence[Path], expected: Expected
    ) -> tuple[str, ...]:
        assert self._media is not None
        notes: tuple[str, ...] = ()
        path = files[0]
        match expected.shape:
            case Shape.JSON:
                await read(path, lambda: check_json(path))
                return ()
            case Shape.MEDIA:
                notes = await self._media(item, output, path, expected)
            case Shape.IMAGES:
                files = files[1:]
                await read(path, lambda: check_images(files, expected))
            case Shape.IMAGE:
                await read(path, lambda: check_images(files, expected))
        if self._decode:
            await self._check_decodes(files)
        return notes

    async def _check_decodes(self, files: Sequence[Path]) -> None:
        assert self._prober is not None
        for file in files:
            if complaint := await self._prober.decode(file):
                raise wrong(file, "a file that decodes without errors", complaint)


def _looked_into(expected: Expected, output: Output) -> bool:
    """Whether what was collected is what the checks are for: one file, or images."""
    if expected.shape in (Shape.STREAMING, Shape.TRANSCRIPT):
        return False
    return (expected.shape is Shape.IMAGES) is is_folder(output)


def _files(path: Path, output: Output) -> list[Path]:
    """The output's files: one, or a folder's WebVTT file and the images that it names."""
    if not is_folder(output):
        return [path]
    vtt = path / unquote(urlsplit(output.url).path.rpartition("/")[2])
    try:
        images = [path_of(image) for image in images_in(vtt.read_text("utf-8", "replace"))]
    except OutputMissing as error:
        raise wrong(vtt, "names of images beside it", str(error)) from error
    if not images:
        raise wrong(vtt, "names of images", "it holds none")
    return [vtt, *(path / image for image in images)]


def _check_sizes(path: Path, files: Sequence[Path], size: int | None) -> None:
    total = 0
    for file in files:
        if not file.is_file():
            raise wrong(file, "a file", "there is none")
        here = file.stat().st_size
        if not here:
            raise wrong(file, "a file with something in it", "it is empty")
        total += here
    if size is not None and total != size:
        raise wrong(path, f"{size:,} bytes, as collected", f"there are {total:,}")
