"""How thumbnails are laid out in sprites: large images with many of them side by side. Pure.

A sheet's sides end at 16,384 pixels, where browsers' do; JPEG's own end is
65,535. Its area ends with the largest frame that is decoded anywhere here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.query import Thumbnails
from orchestrator.query.values import MAX_SIDE
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import MAX_PIXELS

#: Images in a row where nothing was asked for: the documents name no default.
DEFAULT_COLUMNS = 10


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sprite: the first of its images, how many they are, and its columns and rows."""

    name: str
    first: int
    count: int
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The layout of sprites of images of ``width`` by ``height`` pixels.

    ``rows`` are the most of a sheet; ``ext`` is the sheets' own.
    """

    width: int
    height: int
    columns: int
    rows: int
    ext: str

    def sheets(self, count: int) -> tuple[Sheet, ...]:
        """The sprites for ``count`` images; more than one only where one can't hold them."""
        each = self.columns * self.rows
        starts = range(0, count, each)
        return tuple(
            self._sheet(number, first, min(each, count - first), several=len(starts) > 1)
            for number, first in enumerate(starts, 1)
        )

    def references(self, count: int) -> Iterator[str]:
        """Where each image is: a sprite's name, and the part of it as a media fragment."""
        for sheet in self.sheets(count):
            for place in range(sheet.count):
                down, across = divmod(place, sheet.columns)
                corner = f"{across * self.width},{down * self.height}"
                yield f"{sheet.name}#xywh={corner},{self.width},{self.height}"

    def _sheet(self, number: int, first: int, count: int, *, several: bool) -> Sheet:
        columns = min(self.columns, count)
        name = f"sprite_{number:04}" if several else "sprite"
        return Sheet(f"{name}.{self.ext}", first, count, columns, -(-count // columns))


def grid(asked: Thumbnails, width: int, height: int) -> Grid:
    """The layout for images of that size. Raises ``MediaError`` where a row is too wide."""
    most = min(MAX_SIDE // width, MAX_PIXELS // (width * height))
    if asked.columns is not None and asked.columns > most:
        raise MediaError(
            f"columns: {asked.columns} images of {width}x{height} make a sprite "
            f"{asked.columns * width} pixels wide, and {most} of them are the most; "
            "ask for fewer columns, or for smaller images with width or height"
        )
    columns = asked.columns or max(1, min(DEFAULT_COLUMNS, most))
    rows = max(1, min(MAX_SIDE // height, MAX_PIXELS // (width * height * columns)))
    return Grid(width, height, columns, rows, asked.image_format)
