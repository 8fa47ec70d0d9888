"""Checks of images and documents. They block and raise ``VerificationFailed``, ``OSError``."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.query.expected import Expected
from orchestrator.services.folder_output import Area
from orchestrator.services.verify.images import Image, read_image
from orchestrator.services.verify.reading import wrong


def check_images(
    files: Sequence[Path], expected: Expected, areas: Mapping[Path, Sequence[Area]] | None = None
) -> None:
    """Each is whole, of the kind asked for, and of the size, where the query names one.

    ``areas`` are the parts that are images of their own, by the file that has them.
    """
    for file in files:
        found = read_image(file.read_bytes())
        if found is None:
            raise wrong(file, f"a whole {expected.image_format} image", "it is none")
        if found.kind != expected.image_format:
            raise wrong(file, f"a {expected.image_format} image", f"it is a {found.kind}")
        parts = areas.get(file) if areas else None
        for part in parts or ():
            _check_inside(file, found, part)
        sizes = [(part.width, part.height) for part in parts or ()]
        for frame in sizes or [(found.width, found.height)]:
            _check_frame(file, frame, expected.frame)


def _check_inside(file: Path, image: Image, part: Area) -> None:
    right, bottom = part.x + part.width, part.y + part.height
    if not part.width or not part.height or right > image.width or bottom > image.height:
        area = f"{part.width}x{part.height} at {part.x},{part.y}"
        raise wrong(file, f"an image that has {area}", f"it is {image.width}x{image.height}")


def _check_frame(file: Path, frame: tuple[int, int], asked: tuple[int, int] | None) -> None:
    if asked is not None and frame != asked:
        raise wrong(file, f"{asked[0]}x{asked[1]}", f"it is {frame[0]}x{frame[1]}")


def check_json(path: Path) -> None:
    """It is a JSON object."""
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise wrong(path, "a JSON document", "it can't be read as one") from error
    if not isinstance(document, dict):
        raise wrong(path, "a JSON object", f"it holds a {type(document).__name__}")
