"""A clip with EIA-608 captions in its picture, written bit by bit.

ffmpeg reads captions but draws none: each picture of an H.264 stream gets an
SEI message (ITU-T H.264, D.1.6) with ATSC A/53 caption data (A/53 part 4, 6.2.3),
that holds two bytes of EIA-608.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.media import ffmpeg

_RATE = 30
_START = b"\0\0\0\1"
#: Load a caption, erase the one before, go to the last row.
_LOAD, _ERASE, _ROW = (0x14, 0x20), (0x14, 0x2E), (0x14, 0x70)
_SHOW, _CLEAR = (0x14, 0x2F), (0x14, 0x2C)


def captioned_clip(path: Path, text: str) -> Path:
    """Two seconds of grey with ``text`` as a caption (CC1) from about half a second on."""
    raw = path.with_suffix(".h264")
    picture = f"color=c=gray:s=96x64:r={_RATE}:d=2"
    codec = (
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-bf",
        "0",
        "-x264-params",
        "aud=1:slices=1",
    )
    ffmpeg("-f", "lavfi", "-i", picture, *codec, raw)
    told = raw.with_suffix(".captions.h264")
    told.write_bytes(_with_captions(raw.read_bytes(), _pairs(text)))
    ffmpeg("-framerate", str(_RATE), "-i", told, "-c", "copy", path)
    return path


def _pairs(text: str) -> Iterator[tuple[int, int]]:
    """The bytes for each frame: commands are sent twice, letters in pairs."""
    for command in (_LOAD, _ERASE, _ROW):
        yield command
        yield command
    padded = text + " " * (len(text) % 2)
    yield from ((ord(a), ord(b)) for a, b in zip(padded[::2], padded[1::2], strict=True))
    yield _SHOW
    yield _SHOW
    yield from [(0, 0)] * 20
    yield _CLEAR
    yield _CLEAR


def _with_captions(stream: bytes, pairs: Iterator[tuple[int, int]]) -> bytes:
    out = b""
    for unit in re.split(rb"\x00?\x00\x00\x01", stream)[1:]:
        if unit[0] & 31 in (1, 5):
            first, second = next(pairs, (0, 0))
            out += _START + _sei(_odd(first), _odd(second))
        out += _START + unit
    return out


def _odd(byte: int) -> int:
    """With the bit that makes the number of ones odd."""
    return byte if byte.bit_count() % 2 else byte | 0x80


def _sei(first: int, second: int) -> bytes:
    triplet = bytes([0xFC, first, second])
    captions = bytes([0x40 | 1, 0xFF]) + triplet + b"\xff"
    payload = b"\xb5\x00\x31GA94\x03" + captions
    body = bytes([4, len(payload)]) + payload + b"\x80"
    escaped = re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\0\0\3", body)
    return b"\x06" + escaped
