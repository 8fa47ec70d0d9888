"""Verifies an item's outputs: there, as large as reported, and what the query asks for."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.model.errors import OutputMissing
from orchestrator.model.items import Item, Output
from orchestrator.query.expected import Expectations, Expected, Shape
from orchestrator.services.collect import grouped
from orchestrator.services.folder_output import Area, cues_in, folder_url, is_row, is_streaming
from orchestrator.services.streaming import Home
from orchestrator.services.verify.ladder import LadderCheck, open_ladder
from orchestrator.services.verify.media import MediaCheck
from orchestrator.services.verify.probing import Prober
from orchestrator.services.verify.reading import check_there, check_total, read, wrong
from orchestrator.services.verify.stills import check_images, check_json
from orchestrator.services.verify.transcripts import check_transcript

_NOT_TOLD = "the query does not tell what it should be: only its size was verified"

#: A file, and the parts of it that are images of their own.
_File = tuple[Path, Sequence[Area]]


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
        self._ladders = (
            LadderCheck(prober, self._media, decode=decode) if prober and self._media else None
        )
        self._decode = decode

    async def verify(self, item: Item, outputs: Sequence[Output]) -> tuple[str, ...]:
        """See ``model.ports.Verifier``. What was not collected is not looked at."""
        notes: list[str] = []
        for together in grouped(outputs):
            output = together[0]
            if output.path is not None:
                found = await self._one(item, together, Path(output.path))
                notes += [f"{output.user_tag or output.tag}: {note}" for note in found]
        return tuple(notes)

    async def _one(self, item: Item, together: Sequence[Output], path: Path) -> tuple[str, ...]:
        """``together`` are the streams of a ladder, or one output."""
        output = together[0]
        if output.url.startswith("file:") and not await read(path, path.exists):
            return ("it is on the service's own disk: it was not verified",)
        if is_streaming(output):
            return await self._ladder(item, together, path)
        expected = self._expectations.of(item, output)
        names = expected.names if expected else ()
        if expected is not None and folder_url(output, names) is not None:
            return await self._transcript(path, output, expected)
        files = await read(path, lambda: _files(path, output))
        total = await read(path, lambda: check_there([file for file, _ in files]))
        check_total(path, total, output.size)
        if self._media is None:
            return ()
        if expected is None or not _looked_into(expected, output):
            return (_NOT_TOLD,)
        return await self._contents(item, output, files, expected)

    async def _ladder(
        self, item: Item, together: Sequence[Output], folder: Path
    ) -> tuple[str, ...]:
        expected = [self._expectations.of(item, output) for output in together]
        ladder, total = await open_ladder(folder, together, expected[0])
        if not together[0].url.startswith("file:"):  # there its size is the service's own count
            check_total(folder, total, together[0].size)
        if self._ladders is None:
            return ()
        known = [each for each in expected if each and each.shape is Shape.STREAMING]
        if len(known) < len(expected):
            return (_NOT_TOLD,)
        return await self._ladders(item, ladder, known)

    async def _transcript(
        self, folder: Path, output: Output, expected: Expected
    ) -> tuple[str, ...]:
        there = await read(folder, lambda: _there(folder, expected))
        total = await read(folder, lambda: check_there(there, may_be_empty=True))
        check_total(folder, total, None if output.url.startswith("file:") else output.size)
        return await check_transcript(folder, expected.files, expected.may_be)

    async def _contents(
        self, item: Item, output: Output, files: Sequence[_File], expected: Expected
    ) -> tuple[str, ...]:
        assert self._media is not None
        notes: tuple[str, ...] = ()
        path = files[0][0]
        match expected.shape:
            case Shape.JSON:
                await read(path, lambda: check_json(path))
                return ()
            case Shape.MEDIA:
                notes = await self._media(item, output, path, expected)
            case Shape.IMAGES:
                files = files[1:]
        images = [file for file, _ in files]
        if expected.shape in (Shape.IMAGE, Shape.IMAGES):
            await read(path, lambda: check_images(images, expected, dict(files)))
        if self._decode:
            await self._check_decodes(images)
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
    return (expected.shape is Shape.IMAGES) is is_row(output)


def _files(path: Path, output: Output) -> list[_File]:
    """The output's files: one, or a folder's WebVTT file and the images that it names.

    With each, the parts of it that cues name.
    """
    if not is_row(output):
        return [(path, ())]
    home = Home(output.url)
    vtt = path / home.entry.path
    areas: dict[Path, list[Area]] = {}
    try:
        for cue in cues_in(vtt.read_text("utf-8", "replace")):
            parts = areas.setdefault(path / home.named(cue.image, home.entry).path, [])
            parts += [cue.area] if cue.area else []
    except OutputMissing as error:
        raise wrong(vtt, "names of images beside it", str(error)) from error
    if not areas:
        raise wrong(vtt, "names of images", "it holds none")
    return [(vtt, ()), *areas.items()]


def _there(folder: Path, expected: Expected) -> list[Path]:
    """The files of a transcript; of translations those that the service made."""
    more = [folder / name for name in expected.may_be]
    return [*(folder / name for name in expected.files), *(each for each in more if each.is_file())]
