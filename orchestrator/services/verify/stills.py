"""Checks of images and documents. They block and raise ``VerificationFailed``, ``OSError``."""

import json
from collections.abc import Sequence
from pathlib import Path

from orchestrator.query.expected import Expected
from orchestrator.services.verify.images import read_image
from orchestrator.services.verify.reading import wrong


def check_images(files: Sequence[Path], expected: Expected) -> None:
    """Each is whole, of the kind asked for, and of the size, where the query names one."""
    for file in files:
        found = read_image(file.read_bytes())
        if found is None:
            raise wrong(file, f"a whole {expected.image_format} image", "it is none")
        if found.kind != expected.image_format:
            raise wrong(file, f"a {expected.image_format} image", f"it is a {found.kind}")
        frame = (found.width, found.height)
        if expected.frame is not None and frame != expected.frame:
            width, height = expected.frame
            raise wrong(file, f"{width}x{height}", f"it is {found.width}x{found.height}")


def check_json(path: Path) -> None:
    """It is a JSON object."""
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise wrong(path, "a JSON document", "it can't be read as one") from error
    if not isinstance(document, dict):
        raise wrong(path, "a JSON object", f"it holds a {type(document).__name__}")
