"""Boxes put into the sample entry of an mp4's video track (ISO/IEC 14496-12).

Every box around the place grows, and where the index stands before the media,
as in files that play while they load, the media moves: so do its offsets.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orchestrator.transcoder.ports import MediaError

_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_OFFSETS = {b"stco": 4, b"co64": 8}
#: An index of a film of a day has a few dozen MB.
_LARGEST_INDEX = 512 << 20


@dataclass(frozen=True, slots=True)
class _Box:
    """A box: its kind, and where it begins, where its body does and where it ends."""

    kind: bytes
    start: int
    body: int
    end: int


def add_boxes(path: Path, boxes: bytes) -> None:
    """Put ``boxes`` into the video track's sample entry of a file. Blocks; reads it all.

    Raises ``MediaError`` for a file that is no mp4 with a video track.
    """
    other = path.with_name(f"{path.name}.boxed")
    with path.open("rb") as file:
        index = _find_index(file)
        file.seek(index.start)
        moov = file.read(index.end - index.start)
        file.seek(0)
        with other.open("wb") as out:
            _copy(file, out, index.start)
            out.write(with_boxes(moov, boxes, at=index.start))
            file.seek(index.end)
            shutil.copyfileobj(file, out)
    other.replace(path)


def with_boxes(moov: bytes, boxes: bytes, at: int) -> bytes:
    """A ``moov`` box that stands at byte ``at`` of its file, with ``boxes`` in it.

    They become the last of the video's sample entry. Raises ``MediaError``.
    """
    tracks = [box for box in _walk(moov, 0, len(moov)) if box.kind == b"trak"]
    for track in tracks:
        if _is_video(moov, track):
            grown = _grown(moov, track, boxes)
            return _moved(grown, at + len(moov), len(boxes))
    raise MediaError("the file has no video track to put metadata into")


def _grown(moov: bytes, track: _Box, boxes: bytes) -> bytes:
    around = [_within(moov, 0, len(moov), b"moov"), track]
    for kind in (b"mdia", b"minf", b"stbl", b"stsd"):
        around.append(_within(moov, around[-1].body, around[-1].end, kind))
    # stsd: version and flags, the number of entries, then the first one.
    entry = next(_siblings(moov, around[-1].body + 8, around[-1].end))
    data = bytearray(moov)
    data[entry.end : entry.end] = boxes
    for box in (*around, entry):
        data[box.start : box.start + 4] = (box.end - box.start + len(boxes)).to_bytes(4)
    return bytes(data)


def _moved(moov: bytes, end: int, by: int) -> bytes:
    """With every offset at or behind ``end`` of the old file moved."""
    data = bytearray(moov)
    for box in _walk(moov, 0, len(moov)):
        size = _OFFSETS.get(box.kind)
        if size is None:
            continue
        for at in range(box.body + 8, box.end, size):
            offset = int.from_bytes(data[at : at + size])
            if offset < end:
                continue
            if offset + by >= 1 << (8 * size):
                raise MediaError("the file is so long that its index can't grow")
            data[at : at + size] = (offset + by).to_bytes(size)
    return bytes(data)


def _find_index(file: BinaryIO) -> _Box:
    size, start = os.fstat(file.fileno()).st_size, 0
    while start + 8 <= size:
        file.seek(start)
        header = file.read(16)
        length, head = int.from_bytes(header[:4]), 8
        if length == 1:
            length, head = int.from_bytes(header[8:16]), 16
        end = start + length if length else size
        if header[4:8] == b"moov" and end - start <= _LARGEST_INDEX:
            return _Box(b"moov", start, start + head, end)
        if length and length < head:
            break
        start = end
    raise MediaError("the file has no index to put metadata into")


def _walk(data: bytes, start: int, end: int) -> Iterator[_Box]:
    """Every box of an index that matters here, at any depth."""
    for box in _siblings(data, start, end):
        yield box
        if box.kind in _CONTAINERS:
            yield from _walk(data, box.body, box.end)


def _siblings(data: bytes, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        length = int.from_bytes(data[start : start + 4])
        if not 8 <= length <= end - start:
            raise MediaError("the file's index is not what it should be")
        yield _Box(data[start + 4 : start + 8], start, start + 8, start + length)
        start += length


def _within(data: bytes, start: int, end: int, kind: bytes) -> _Box:
    for box in _siblings(data, start, end):
        if box.kind == kind:
            return box
    raise MediaError(f"the file's index has no {kind.decode()}")


def _is_video(moov: bytes, track: _Box) -> bool:
    media = _within(moov, track.body, track.end, b"mdia")
    handler = _within(moov, media.body, media.end, b"hdlr")
    return moov[handler.body + 8 : handler.body + 12] == b"vide"


def _copy(source: BinaryIO, out: BinaryIO, length: int) -> None:
    """Copy ``length`` bytes; what stands before an index may be all of the media."""
    while length:
        block = source.read(min(length, 1 << 20))
        if not block:
            break
        out.write(block)
        length -= len(block)
