"""Fragmented mp4 files of one track each, put together into one (ISO/IEC 14496-12).

The packager encrypts a track at a time and writes each into a file of its own.
What is encrypted is left as it is: tracks get numbers of their own, and the
fragments stand in the order of their times.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orchestrator.transcoder.ports import MediaError

_CHUNK = 1 << 20
_LARGEST_INDEX = 256 << 20
_BASE_OFFSET, _BASE_IS_MOOF = 0x1, 0x20000


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A ``moof`` and what it is about, up to ``end``; ``time`` is in seconds."""

    time: float
    track: int
    moof: bytes
    data: int
    end: int


def joined(parts: Sequence[Path], whole: Path) -> None:
    """Write the tracks of ``parts`` into one file. Blocks. Raises ``MediaError``, ``OSError``."""
    files = [path.open("rb") for path in parts]
    try:
        heads = [_head(file) for file in files]
        fragments = [
            fragment
            for number, (file, (_, moov)) in enumerate(zip(files, heads, strict=True))
            for fragment in _fragments(file, number, _timescale(moov))
        ]
        with whole.open("wb") as out:
            out.write(heads[0][0])
            out.write(_moov([moov for _, moov in heads]))
            for number, fragment in enumerate(sorted(fragments, key=_order), 1):
                out.write(_numbered(fragment, number))
                _copy(files[fragment.track], out, fragment)
    except (struct.error, StopIteration) as error:
        raise MediaError("the protected file can't be put together") from error
    finally:
        for file in files:
            file.close()


def _order(fragment: _Fragment) -> tuple[float, int]:
    return fragment.time, fragment.track


def _head(file: BinaryIO) -> tuple[bytes, bytes]:
    """``ftyp`` and ``moov``."""
    found = {box.kind: box for box in _of_file(file)}
    return _read(file, found.get(b"ftyp")), _read(file, found.get(b"moov"))


def _read(file: BinaryIO, box: _Box | None) -> bytes:
    if box is None or box.end - box.start > _LARGEST_INDEX:
        raise MediaError("the packager wrote no index of the protected file")
    file.seek(box.start)
    return file.read(box.end - box.start)


def _fragments(file: BinaryIO, track: int, timescale: int) -> Iterator[_Fragment]:
    moof, start = b"", 0.0
    for box in _of_file(file):
        if box.kind == b"moof":
            moof = _read(file, box)
            start = _time(moof) / timescale
        elif box.kind == b"mdat" and moof:
            yield _Fragment(start, track, moof, box.start, box.end)
            moof = b""


def _of_file(file: BinaryIO) -> Iterator[_Box]:
    at = 0
    while True:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack_from(">I4s", head)
        body = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", head, 8)
            body += 8
        if size < body - at:
            raise MediaError("the packager wrote a box without an end")
        yield _Box(kind, at, body, at + size)
        at += size


def _inside(data: bytes, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8:
            raise MediaError("the packager wrote a box without an end")
        yield _Box(kind, start, start + 8, start + size)
        start += size


def _within(data: bytes, *path: bytes) -> _Box:
    """The first box at a path. Raises ``StopIteration``."""
    box = _Box(b"", 0, 0, len(data))
    for kind in path:
        box = next(each for each in _inside(data, box.body, box.end) if each.kind == kind)
    return box


def _timescale(moov: bytes) -> int:
    """Ticks per second of the one track."""
    box = _within(moov, b"moov", b"trak", b"mdia", b"mdhd")
    at = box.body + (20 if moov[box.body] else 12)
    return max(1, int(struct.unpack_from(">I", moov, at)[0]))


def _time(moof: bytes) -> int:
    box = _within(moof, b"moof", b"traf", b"tfdt")
    long = moof[box.body]
    return int(struct.unpack_from(">Q" if long else ">I", moof, box.body + 4)[0])


def _numbered(fragment: _Fragment, number: int) -> bytes:
    """The ``moof`` with its place in the whole, and its track's number there."""
    data = bytearray(fragment.moof)
    struct.pack_into(">I", data, _within(fragment.moof, b"moof", b"mfhd").body + 4, number)
    head = _within(fragment.moof, b"moof", b"traf", b"tfhd").body
    flags = struct.unpack_from(">I", data, head)[0] & 0xFFFFFF
    if flags & _BASE_OFFSET or not flags & _BASE_IS_MOOF:
        raise MediaError("the packager's fragments can't be moved")
    struct.pack_into(">I", data, head + 4, fragment.track + 1)
    return bytes(data)


def _moov(parts: Sequence[bytes]) -> bytes:
    """One index: the first's, with the tracks and the keys' boxes of all."""
    traks = b"".join(_track(moov, number) for number, moov in enumerate(parts, 1))
    extends = b"".join(_extends(moov, number) for number, moov in enumerate(parts, 1))
    keys: dict[bytes, None] = {}
    for moov in parts:
        keys |= dict.fromkeys(_all(moov, b"pssh"))
    header = bytearray(_all(parts[0], b"mvhd")[0])
    struct.pack_into(">I", header, len(header) - 4, len(parts) + 1)
    return _box(b"moov", bytes(header) + traks + _box(b"mvex", extends) + b"".join(keys))


def _all(moov: bytes, kind: bytes) -> list[bytes]:
    box = _within(moov, b"moov")
    found = (each for each in _inside(moov, box.body, box.end) if each.kind == kind)
    return [moov[each.start : each.end] for each in found]


def _track(moov: bytes, number: int) -> bytes:
    trak = bytearray(_all(moov, b"trak")[0])
    head = _within(bytes(trak), b"trak", b"tkhd").body
    struct.pack_into(">I", trak, head + (20 if trak[head] else 12), number)
    return bytes(trak)


def _extends(moov: bytes, number: int) -> bytes:
    box = _within(moov, b"moov", b"mvex", b"trex")
    trex = bytearray(moov[box.start : box.end])
    struct.pack_into(">I", trex, 12, number)
    return bytes(trex)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _copy(file: BinaryIO, out: BinaryIO, fragment: _Fragment) -> None:
    file.seek(fragment.data)
    left = fragment.end - fragment.data
    while left and (chunk := file.read(min(left, _CHUNK))):
        out.write(chunk)
        left -= len(chunk)
