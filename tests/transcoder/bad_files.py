"""Files that are broken, lie, or are made to do harm; each small, made on the spot."""

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.media import ffmpeg

_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1")
_SOUND = ("-f", "lavfi", "-i", "sine=d=1")
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "5")


@cache
def clip(kind: str, *options: str) -> bytes:
    """A whole second of picture and sound as a file of a kind."""
    codecs = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
    if kind not in ("webm", "ivf"):
        codecs = (*_X264, "-c:a", "aac")
    inputs = _PICTURE if kind == "ivf" else (*_PICTURE, *_SOUND)
    return made(kind, *inputs, *codecs, *options)


def made(kind: str, *arguments: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, f"clip.{kind}")
        ffmpeg(*arguments, path)
        return path.read_bytes()


def fast() -> bytes:
    """An mp4 with its index in front, so that a cut one still opens."""
    return clip("mp4", "-movflags", "+faststart")


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, name) + body


def inside(data: bytes, *names: bytes) -> int:
    """Where the content of an mp4's box begins; the first of each name."""
    at = 0
    for name in names:
        at = data.index(name, at) + 4
    return at


def patched(data: bytes, at: int, what: bytes) -> bytes:
    return data[:at] + what + data[at + len(what) :]


def cut(data: bytes, part: float) -> bytes:
    return data[: int(len(data) * part)]


# --- headers that lie ---------------------------------------------------------


def lying_duration() -> bytes:
    """An mp4 whose every header says 50 days."""
    data = fast()
    for name, offset in ((b"mvhd", 16), (b"tkhd", 20), (b"mdhd", 16)):
        at = -1
        while (at := data.find(name, at + 1)) >= 0:
            data = patched(data, at + 4 + offset, b"\xff\xff\xff\xf0")
    return data


def lying_sample_count(name: bytes, offset: int) -> bytes:
    data = fast()
    return patched(data, inside(data, b"moov", name) + offset, b"\xff\xff\xff\xf0")


def slow_frames(delta: int) -> bytes:
    """An mp4 whose frames take ``delta`` units of 1/12800 s each."""
    data = fast()
    return patched(data, inside(data, b"moov", b"stts") + 12, struct.pack(">I", delta))


def slow_mkv(seconds: int) -> bytes:
    """A Matroska file whose second half comes so long after its first."""
    late = f"setpts='(N*0.04+gte(N,12)*{seconds})/TB'"
    return made("mkv", *_PICTURE, "-vf", late, "-fps_mode", "passthrough", *_X264)


def no_time_at_all() -> bytes:
    """An mp4 where every frame lasts no time: 0 by 0 frames per second."""
    data = fast()
    return patched(data, inside(data, b"moov", b"stts") + 12, b"\x00\x00\x00\x00")


def huge_mp4() -> bytes:
    """An mp4 whose boxes claim 65535x65535, for a picture of 64x48."""
    data = fast()
    return patched(data, inside(data, b"stsd", b"avc1") + 24, b"\xff\xff\xff\xff")


def huge_ivf() -> bytes:
    """VP8 whose container and key frames claim 16383x16383."""
    data = bytearray(clip("ivf"))
    data[12:16] = struct.pack("<HH", 16383, 16383)
    at = 32
    while at < len(data):
        size = struct.unpack_from("<I", data, at)[0]
        if not data[at + 12] & 1:
            data[at + 18 : at + 22] = struct.pack("<HH", 16383, 16383)
        at += 12 + size
    return bytes(data)


def png(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10**6))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def huge_gif() -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x44\x01\x00"
    return screen + image * 3 + b"\x3b"


def wav(claimed: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, 2, 48000, 192000, 4, 16)
    head = b"RIFF" + struct.pack("<I", claimed) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return head + b"data" + struct.pack("<I", claimed) + bytes(2000)


# --- shapes that are hard to read ---------------------------------------------


def deep_boxes() -> bytes:
    """Boxes in boxes, 20,000 deep."""
    data = b""
    for _ in range(20_000):
        data = struct.pack(">I4s", len(data) + 8, b"moov") + data
    return fast()[:32] + data


def many_streams() -> bytes:
    """An mp4 that names its two tracks 1,200 times over."""
    data = fast()
    start = data.index(b"moov") - 4
    size = struct.unpack_from(">I", data, start)[0]
    moov = data[start + 8 : start + size]
    track = moov.index(b"trak") - 4
    length = struct.unpack_from(">I", moov, track)[0]
    again = moov[track : track + length]
    return data[:start] + box(b"moov", moov, again * 1200) + data[start + size :]


def external_media() -> bytes:
    """An mp4 whose samples are said to lie in another file of this machine."""
    data = fast()
    at = data.index(b"url \x00\x00\x00\x01")
    return patched(data, at, b"alis\x00\x00\x00\x00")


def external_url() -> bytes:
    """The same by a URL, as QuickTime wrote it."""
    data = fast()
    at = data.index(b"dref") - 4
    name = b"file:///etc/passwd\x00"
    entry = box(b"url ", bytes(4), name)
    other = box(b"dref", bytes(4), struct.pack(">I", 1), entry)
    old = struct.unpack_from(">I", data, at)[0]
    grown = len(other) - old
    result = bytearray(data[:at] + other + data[at + old :])
    for path in ((b"moov",), (b"moov", b"trak"), (b"moov", b"trak", b"mdia")):
        _grow(result, inside(bytes(result), *path) - 8, grown)
    for path in ((b"mdia", b"minf"), (b"mdia", b"minf", b"dinf")):
        _grow(result, inside(bytes(result), *path) - 8, grown)
    return bytes(result)


def _grow(data: bytearray, at: int, by: int) -> None:
    struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + by)


def attachments() -> bytes:
    """A film with a script attached to it, under a name that climbs."""
    with TemporaryDirectory() as folder:
        evil, path = Path(folder, "evil.sh"), Path(folder, "clip.mkv")
        evil.write_text("#!/bin/sh\ntouch /tmp/owned\n")
        ffmpeg(
            *_PICTURE, *_X264, "-attach", evil, "-metadata:s:t:0", "mimetype=text/x-sh",
            "-metadata:s:t:0", "filename=../../../../tmp/owned.sh", path,
        )  # fmt: skip
        return path.read_bytes()


def zipped() -> bytes:
    """10 MB of nothing in a zip of 10 KB."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("film.mp4", bytes(10_000_000))
    return target.getvalue()


def scrambled(data: bytes, share: float) -> bytes:
    """Some of a file's bytes changed, but none of its first."""
    dice, changed = random.Random(7), bytearray(data)
    for _ in range(int(len(data) * share)):
        changed[dice.randrange(len(data) // 3, len(data))] = dice.randrange(256)
    return bytes(changed)


def _mkv_void() -> bytes:
    """A Matroska header, then an element that claims 2^56 bytes."""
    data = clip("mkv")
    at = data.index(b"\x1f\x43\xb6\x75")
    return data[:at] + b"\xec\x01\xff\xff\xff\xff\xff\xff\xf0" + bytes(100)


#: What may come of a file besides an error: it can be used, in truth.
USABLE = ""

_DAMAGED = "damaged|cut short|can't be decoded|not a media file|neither a picture nor sound"
_NO_MEDIA = "not a media file|damaged"
_OTHERS = "names other files|playlists, scripts and image lists"
_EITHER = f"|{_DAMAGED}"

#: By name: how it is made, and what the error says; beginning with | where the
#: file may as well be used.
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "zero length": (lambda: b"", "empty: it has 0 bytes"),
    "one byte": (lambda: b"\x00", _NO_MEDIA),
    "mp4, only its first box": (lambda: fast()[:32], _DAMAGED),
    "mp4 cut at a quarter": (lambda: cut(clip("mp4"), 0.25), "moov"),
    "mp4 cut in its middle": (lambda: cut(clip("mp4"), 0.5), "moov"),
    "mp4 cut in its index": (
        lambda: clip("mp4")[: inside(clip("mp4"), b"moov") + 200],
        _DAMAGED,
    ),
    "mp4 with its index first, cut in it": (lambda: fast()[:800], _DAMAGED),
    "mp4 with its index first, cut at half": (lambda: cut(fast(), 0.5), _DAMAGED),
    "mp4 with its index first, cut near its end": (lambda: cut(fast(), 0.97), _EITHER),
    "mkv, only its head": (lambda: clip("mkv")[:100], _DAMAGED),
    "mkv cut at a third": (lambda: cut(clip("mkv"), 0.33), _EITHER),
    "mkv cut near its end": (lambda: cut(clip("mkv"), 0.95), _EITHER),
    "ts cut at half": (lambda: cut(clip("ts"), 0.5), USABLE),
    "ts cut inside a packet": (lambda: clip("ts")[: 188 * 20 + 77], USABLE),
    "ts without its first packets": (lambda: clip("ts")[188 * 5 + 50 :], _EITHER),
    "webm cut at half": (lambda: cut(clip("webm"), 0.5), _EITHER),
    "flv cut at half": (lambda: cut(clip("flv", "-ar", "44100"), 0.5), _EITHER),
    "avi cut at half": (lambda: cut(clip("avi"), 0.5), _EITHER),
    "png of 100000x100000": (lambda: png(100_000, 100_000), _OTHERS),
    "png as a film": (lambda: png(64, 48), _OTHERS),
    "mp4 that claims 65535x65535": (huge_mp4, "|larger than is taken|damaged"),
    "ivf that claims 16383x16383": (huge_ivf, "larger than is taken"),
    "gif that claims 65535x65535": (huge_gif, "larger than is taken|no readable size"),
    "y4m that claims 99999x99999": (
        lambda: b"YUV4MPEG2 W99999 H99999 F25:1 Ip A1:1 C420\nFRAME\n" + bytes(5000),
        "larger than is taken|damaged|not a media",
    ),
    "mp4 that claims 50 days": (lying_duration, _EITHER),
    "mp4 that claims 4 billion samples in stsz": (lambda: lying_sample_count(b"stsz", 8), _DAMAGED),
    "mp4 that claims 4 billion samples in stts": (lambda: lying_sample_count(b"stts", 8), _EITHER),
    "mp4 that claims 4 billion chunks": (lambda: lying_sample_count(b"stco", 4), _EITHER),
    "wav that claims 4 GB": (lambda: wav(0xFFFFFFF0), "."),
    "mp4 of 0 frames per second": (no_time_at_all, _EITHER),
    "a million frames per second": (
        lambda: made(
            "mkv",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=64x48:r=25:d=1",
            "-vf",
            "setpts=N/1000000/TB,settb=1/1000000",
            "-fps_mode",
            "passthrough",
            *_X264,
        ),
        _EITHER,
    ),
    "1x1": (
        lambda: made(
            "mkv", "-f", "lavfi", "-i", "color=red:s=1x1:r=5:d=1,format=rgb24", "-c:v", "ffv1"
        ),
        "|too small|smaller",
    ),
    "frames that last for days": (lambda: slow_frames(0x1000000), "|hours"),
    "a frame that lasts a year": (lambda: slow_mkv(31_000_000), "lasts 8,611 hours"),
    "a frame that lasts ten hours": (lambda: slow_mkv(36_000), "10 hours in [0-9]+ bytes"),
    "negative times": (
        lambda: made(
            "mkv", *_PICTURE, *_X264, "-output_ts_offset", "-1000", "-avoid_negative_ts", "disabled"
        ),
        _EITHER,
    ),
    "gzip called mp4": (lambda: gzip.compress(bytes(10**7)), _NO_MEDIA),
    "zip bomb called mp4": (zipped, _NO_MEDIA),
    "text": (lambda: b"Dear all,\nthe film is in the post.\n" * 50, _NO_MEDIA),
    "random bytes": (lambda: random.Random(3).randbytes(50_000), _NO_MEDIA),
    "html": (lambda: b"<!doctype html><html><body>Not found</body></html>", _NO_MEDIA),
    "svg": (
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        f"{_NO_MEDIA}|{_OTHERS}",
    ),
    "xml with an entity": (
        lambda: b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        _OTHERS,
    ),
    "m3u8 called mp4": (
        lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
        _OTHERS,
    ),
    "m3u8 behind blank lines": (
        lambda: b"\n" * 5000 + b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        f"{_NO_MEDIA}|{_OTHERS}",
    ),
    "ffconcat": (lambda: b"ffconcat version 1.0\nfile /etc/passwd\n", _OTHERS),
    "sdp": (
        lambda: b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
        _OTHERS,
    ),
    "mp4 with its media elsewhere": (external_media, _EITHER),
    "mp4 with its media at a URL": (external_url, _EITHER),
    "mkv with a script attached": (attachments, USABLE),
    "mp3 called mp4": (lambda: made("mp3", *_SOUND), "picture|no video|video"),
    "boxes 20,000 deep": (deep_boxes, _DAMAGED),
    "1,200 tracks": (many_streams, "more tracks than are taken"),
    "a box of no size": (lambda: fast()[:32] + bytes(4) + b"moov" + bytes(50), _DAMAGED),
    "a box smaller than its head": (
        lambda: fast()[:32] + struct.pack(">I4s", 4, b"moov") * 500,
        _DAMAGED,
    ),
    "a box of 2^63 bytes": (
        lambda: fast()[:32] + struct.pack(">I4sQ", 1, b"moov", 2**63 + 5) + bytes(50),
        _DAMAGED,
    ),
    "an element of 2^56 bytes": (_mkv_void, _DAMAGED),
    "mp4 with every tenth byte changed": (lambda: scrambled(clip("mp4"), 0.1), _DAMAGED),
    "ts with every tenth byte changed": (lambda: scrambled(clip("ts"), 0.1), _EITHER),
    "webm with some bytes changed": (lambda: scrambled(clip("webm"), 0.01), _EITHER),
}
