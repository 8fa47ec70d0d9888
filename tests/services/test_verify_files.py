"""Images and MP4 boxes, byte by byte."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.services.verify.boxes import missing_bytes
from orchestrator.services.verify.images import Image, read_image
from tests.media import ffmpeg

SOURCE = ("-f", "lavfi", "-i", "color=red:s=33x17", "-frames:v", "1")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("images")
    for kind in ("png", "jpg"):
        ffmpeg(*SOURCE, "-update", "1", folder / f"a.{kind}")
    return {kind: (folder / f"a.{kind}").read_bytes() for kind in ("png", "jpg")}


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_images_are_read(images: dict[str, bytes], kind: str) -> None:
    data = images[kind]
    assert read_image(data) == Image(kind, 33, 17)
    assert read_image(data[:-1]) is None
    assert read_image(data[1:]) is None


def test_a_jpeg_may_be_padded(images: dict[str, bytes]) -> None:
    assert read_image(images["jpg"] + bytes(300)) == Image("jpg", 33, 17)
    filled = b"\xff\xd8\xff\xff\xe0\0\4ab" + images["jpg"][2:]
    assert read_image(filled) == Image("jpg", 33, 17)


@given(st.binary(max_size=40))
def test_anything_can_be_read(data: bytes) -> None:
    read_image(data)
    read_image(b"\xff\xd8\xff" + data + b"\xff\xd9")
    read_image(b"\x89PNG\r\n\x1a\n" + data + b"IEND\xaeB`\x82")


def box(kind: bytes, size: int, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", size, kind) + body


LARGE = struct.pack(">I4sQ", 1, b"mdat", 116)


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (box(b"ftyp", 8) + box(b"mdat", 20, bytes(12)), 0),
        (box(b"ftyp", 8) + box(b"mdat", 20, bytes(5)), 7),
        (box(b"ftyp", 8) + LARGE + bytes(100), 0),
        (box(b"ftyp", 8) + LARGE + bytes(99), 1),
        (box(b"ftyp", 8) + box(b"mdat", 0, bytes(99)), 0),
        (box(b"ftyp", 8) + box(b"mdat", 3) + box(b"free", 8), 0),
        (b"\x1a\x45\xdf\xa3 not an mp4 at all", 0),
        (b"", 0),
    ],
)
def test_missing_bytes(tmp_path: Path, data: bytes, missing: int) -> None:
    (tmp_path / "a").write_bytes(data)
    assert missing_bytes(tmp_path / "a") == missing
