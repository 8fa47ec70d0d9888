"""PNG and JPEG files, as far as it takes to know that one is whole and how large it is."""

from typing import NamedTuple


class Image(NamedTuple):
    """``kind`` is ``png`` or ``jpg``; sizes in pixels."""

    kind: str
    width: int
    height: int


_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"

#: Frame headers (ITU-T T.81, table B.1): SOF0 to SOF15 but for DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Markers that stand alone (TEM, RST0 to RST7), and the one before a second one (fill).
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})


def read_image(data: bytes) -> Image | None:
    """The image that ``data`` holds; None where it is no whole PNG or JPEG file."""
    if data.startswith(_PNG):
        whole = data.endswith(_PNG_END) and data[12:16] == b"IHDR"
        return Image("png", _number(data, 16, 4), _number(data, 20, 4)) if whole else None
    # Some writers fill the last sector with zeros.
    if data.startswith(_JPEG) and data.rstrip(b"\0").endswith(_JPEG_END):
        return _jpeg(data)
    return None


def _jpeg(data: bytes) -> Image | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            return Image("jpg", _number(data, at + 7, 2), _number(data, at + 5, 2))
        if marker == 0xFF:
            at += 1
        else:
            at += 2 if marker in _ALONE else 2 + _number(data, at + 2, 2)
    return None


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")
