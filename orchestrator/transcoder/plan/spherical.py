"""How a player is to show a spherical video: the boxes of Spherical Video V2 RFC.

``st3d`` says where the two eyes' pictures are, ``sv3d`` how the picture lies
around the viewer. Both stand in the sample entry of an mp4's video track.
"""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.query import Mp4, Spherical
from orchestrator.transcoder.plan.context import Context
from orchestrator.transcoder.streams import VideoStream

#: What is said to have written the boxes; the RFC wants a word there.
_WRITER: Final = b"orchestrator\x00"
#: The RFC's numbers, by the documents' and by ffprobe's words.
_STEREO: Final = {
    "none": 0,
    "2D": 0,
    "top-bottom": 1,
    "top and bottom": 1,
    "left-right": 2,
    "side by side": 2,
}
_WHOLE = (1 << 32) - 1


def spherical_boxes(context: Context, tag: str, asked: Mp4, video: VideoStream) -> bytes:
    """The boxes that go into the video's sample entry; none where none are asked for.

    Warns where there is nothing to keep, or where what the source has can't be.
    """
    if asked.inject_360_metadata is not None:
        return _injected(asked.inject_360_metadata)
    if not asked.keep_360_metadata:
        return b""
    if not (video.spherical or video.stereo):
        context.warn(f"{tag}: keep_360_metadata keeps nothing: the source has no such metadata")
        return b""
    return _kept(context, tag, video)


def _injected(asked: Spherical) -> bytes:
    """What the query says. A rectangular picture has no sphere, but may have two eyes."""
    eyes = _box(b"st3d", bytes(4) + bytes([_STEREO[asked.stereo]]))
    if asked.side_data_type == "stereo 3d" or asked.projection == "rectangular":
        return eyes
    bounds = (0, 0, 0, 0)
    if asked.vr180:
        bounds = (
            *_margins(asked.full_height or 1, asked.cropped_top or 0, asked.cropped_height or 1),
            *_margins(asked.full_width or 1, asked.cropped_left or 0, asked.cropped_width or 1),
        )
    sphere = _sphere(bytes(12), _tile(bounds))
    return sphere if asked.side_data_type == "spherical mapping" else eyes + sphere


def _margins(full: int, before: int, size: int) -> tuple[int, int]:
    """What is missing before and behind a picture, as shares of the full one in 0.32 bits.

    Rounded so that readers, ffmpeg's among them, come back to the same pixels.
    """
    first = _WHOLE * before // full
    return first, _WHOLE - _WHOLE * size // full - first


def _kept(context: Context, tag: str, video: VideoStream) -> bytes:
    """What the source says, from ffprobe's words."""
    told, boxes = video.spherical, b""
    if video.stereo:
        eyes = str(video.stereo.get("type", "2D"))
        if eyes in _STEREO:
            boxes += _box(b"st3d", bytes(4) + bytes([_STEREO[eyes]]))
        else:
            context.warn(f"{tag}: the source's stereo mode \"{eyes}\" can't be kept")
    if not told:
        return boxes
    projection = str(told.get("projection", ""))
    pose = b"".join(_turn(told, name) for name in ("yaw", "pitch", "roll"))
    if projection in ("equirectangular", "tiled equirectangular"):
        bounds = _bounds(told, video)
        return boxes + _sphere(pose, _tile(bounds))
    if projection == "cubemap":
        padding = int(told.get("padding", 0))
        return boxes + _sphere(pose, _full(b"cbmp", bytes(4) + padding.to_bytes(4)))
    context.warn(f"{tag}: the source's projection \"{projection}\" can't be kept")
    return boxes


def _turn(told: Mapping[str, Any], name: str) -> bytes:
    """Degrees in 16.16 bits."""
    return int(told.get(name, 0) * 65536).to_bytes(4, signed=True)


def _bounds(told: Mapping[str, Any], video: VideoStream) -> tuple[int, int, int, int]:
    """Top, bottom, left and right, which ffprobe tells in pixels of the full picture."""
    left, top, right, bottom = (
        int(told.get(f"bound_{side}", 0)) for side in ("left", "top", "right", "bottom")
    )
    return (
        *_margins(top + video.height + bottom, top, video.height),
        *_margins(left + video.width + right, left, video.width),
    )


def _sphere(pose: bytes, projection: bytes) -> bytes:
    header = _full(b"svhd", _WRITER)
    return _box(b"sv3d", header + _box(b"proj", _full(b"prhd", pose) + projection))


def _tile(bounds: tuple[int, int, int, int]) -> bytes:
    """An equirectangular picture, less what is missing at its top, bottom, left and right."""
    return _full(b"equi", b"".join(each.to_bytes(4) for each in bounds))


def _full(kind: bytes, body: bytes) -> bytes:
    """A box of version 0, without flags."""
    return _box(kind, bytes(4) + body)


def _box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4) + kind + body
