"""What profiles make, with the real ffmpeg and packager, and what is in the files."""

import asyncio
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.transcoder.edge.query import read_request
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.ports import Encoded, Inputs, MediaError, SourceFile
from tests.media import colours, ffmpeg, probed, stream, toolchain
from tests.sample import sampled
from tests.transcoder.edge.conftest import PROFILE, an_order
from tests.transcoder.encodes import Listener

LOGO = "https://example.com/logo.png"
KEY, KEY_ID = "0123456789abcdef0123456789abcdef", "f" * 32


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """Four seconds whose picture has nearly 985 kbit/s, as in the documents' example."""
    path = tmp_path_factory.mktemp("edge") / "film.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4,noise=alls=12:allf=t")
    rate = ("-c:v", "libx264", "-preset", "veryfast", "-b:v", "925k", "-maxrate", "2000k")
    sound = ("-f", "lavfi", "-i", "sine=d=4", "-c:a", "aac")
    ffmpeg(*picture, *sound[:4], *rate, "-bufsize", "2000k", *sound[4:], path)
    return path


async def made(
    film: Path, out: Path, *, assets: Mapping[str, Path] | None = None, **told: Any
) -> Encoded:
    """Encode an order of one job; ``drm`` and ``thumbnails`` go to the order, the rest is
    the profile's.
    """
    name = told.pop("filename", "a.mp4")
    order = an_order(1, jobs=[{"label": "a", "filename": name, "profile_id": 1}])
    order["thumbnails"] = told.pop("thumbnails", [])
    if drm := told.pop("drm", None):
        order["post_process"] = [{"drm": drm}]
    query = read_request({"order": order, "profiles": {"1": {**PROFILE, **told}}})
    inputs = Inputs((SourceFile(film),), dict(assets or {}))
    await asyncio.to_thread(out.mkdir, exist_ok=True)
    return await FfmpegEncoder(toolchain(), threads=1, nice=0).encode(
        query, inputs, out, Listener()
    )


async def one(film: Path, out: Path, **told: Any) -> Path:
    return (await made(film, out, **told)).outputs[0].path


def rate(path: Path) -> float:
    """kbit/s of the picture, by its packets; of HLS, those of its master playlist."""
    path = path / "master.m3u8" if path.is_dir() else path
    command = [toolchain().ffprobe, "-v", "error", "-select_streams", "v:0"]
    shown = ["-show_entries", "packet=size", "-of", "csv=p=0", path]
    done = subprocess.run([*command, *shown], check=True, capture_output=True, timeout=60)
    sizes = [int(line.strip(b",")) for line in done.stdout.split()]
    return sum(sizes) * 8 / 1000 / (len(sizes) / 25)


@pytest.mark.parametrize(
    "more",
    sampled(
        [
            {},
            {"video_codec": "mpeg2video", "video_format": "mpegts", "filename": "a.ts"},
            {"segmentation": True},
        ],
        {},
    ),
)
async def test_restrict_bitrate_takes_the_lower_of_the_two(film, tmp_path, more):
    source = rate(film)
    assert 850 < source <= 985
    free = await one(film, tmp_path / "free", video_bitrate=1200, **more)
    held = await one(film, tmp_path / "held", video_bitrate=1200, restrict_bitrate=True, **more)
    low = await one(film, tmp_path / "low", video_bitrate=400, restrict_bitrate=True, **more)
    assert rate(free) > source
    assert 0.7 * source < rate(held) <= source
    assert rate(low) < 0.75 * rate(held)


CODECS = [
    ({}, "a.mp4", "mov,mp4", "h264", "aac"),
    ({"video_codec": "libx264", "audio_codec": "mp3"}, "a.mp4", "mov,mp4", "h264", "mp3"),
    ({"audio_codec": "ac3"}, "a.mp4", "mov,mp4", "h264", "ac3"),
    ({"video_format": "mpegts", "audio_codec": "mp2"}, "a.ts", "mpegts", "h264", "mp2"),
    ({"video_format": "mpegts"}, "a.ts", "mpegts", "h264", "aac"),
    ({"video_codec": "mpeg2video"}, "a.mp4", "mov,mp4", "mpeg2video", "aac"),
    ({"video_codec": "webm"}, "a.webm", "matroska,webm", "vp9", "opus"),
    ({"video_codec": "copy", "audio_codec": "copy"}, "a.mp4", "mov,mp4", "h264", "aac"),
    ({"video_codec": "copy", "video_format": "mpegts"}, "a.ts", "mpegts", "h264", "aac"),
    ({"audio_codec": "copy"}, "a.mp4", "mov,mp4", "h264", "aac"),
    ({"video_format": "rawvideo"}, "a.h264", "h264", "h264", None),
    ({"video_format": "rawvideo", "video_codec": "copy"}, "a.h264", "h264", "h264", None),
    (
        {"video_format": "rawvideo", "video_codec": "mpeg2video"},
        "a.m2v",
        "mpegvideo",
        "mpeg2video",
        None,
    ),
]


@pytest.mark.parametrize(
    ("profile", "name", "container", "video", "audio"), sampled(CODECS, *CODECS[:3])
)
async def test_formats_and_codecs(film, tmp_path, profile, name, container, video, audio):
    path = await one(film, tmp_path, filename=name, audio_bitrate=128, **profile)
    found = probed(path)
    assert found["format"]["format_name"].startswith(container)
    codecs = {each["codec_type"]: each["codec_name"] for each in found["streams"]}
    assert codecs == {"video": video, **({"audio": audio} if audio else {})}
    ffmpeg("-xerror", "-i", path, "-f", "null", "-")
    sound = stream(path, "audio")
    if sound and profile.get("audio_codec") not in (None, "copy") and "bit_rate" in sound:
        assert float(sound["bit_rate"]) == pytest.approx(128_000, rel=0.05)
    if profile.get("video_codec") == "copy":
        assert rate(path) == pytest.approx(rate(film), rel=0.02)


async def test_what_a_container_cannot_hold_is_not_copied_into_it(tmp_path):
    source = tmp_path / "film.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", "-c:v", "ffv1", source)
    with pytest.raises(MediaError, match="can't hold the source's picture \\(ffv1\\)"):
        await made(source, tmp_path / "out", video_codec="copy")
    with pytest.raises(MediaError, match="ffv1 can't be stored as rawvideo"):
        await made(source, tmp_path / "raw", video_codec="copy", video_format="rawvideo")


@pytest.mark.slow
async def test_sizes_and_aspect(film, tmp_path):
    for told, size in (
        ({"video_width": 160}, (160, 90)),
        ({"video_height": 120}, (214, 120)),
        ({"video_width": 320, "video_height": 240}, (320, 240)),
        ({"video_width": 640, "video_height": 360}, (640, 360)),
    ):
        video = stream(await one(film, tmp_path / str(size), **told), "video") or {}
        assert (video["width"], video["height"]) == size
    video = stream(await one(film, tmp_path / "aspect", video_aspect="4:3"), "video") or {}
    assert video["width"] / video["height"] == pytest.approx(4 / 3, abs=0.01)


@pytest.mark.parametrize(
    ("told", "box"),
    [
        ({}, (640 - 44 - 128, 44, 128, 128)),
        ({"horizontal": "left", "vertical": "bottom"}, (44, 360 - 44 - 128, 128, 128)),
        (
            {"offset_x": 0, "offset_y": 0, "scale_width": 64, "scale_height": 32},
            (640 - 64, 0, 64, 32),
        ),
        ({"horizontal": "center", "vertical": "center"}, (256, 116, 128, 128)),
    ],
)
@pytest.mark.slow
async def test_overlays_are_of_their_size_and_in_their_place(tmp_path, told, box):
    source, logo = tmp_path / "grey.mp4", tmp_path / "logo.png"
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=640x360:d=1", source)
    ffmpeg("-f", "lavfi", "-i", "color=red:s=16x16", "-frames:v", "1", logo)
    overlay = {"profile_type": "overlay", "url": LOGO, "opacity": 1, **told}
    path = await one(source, tmp_path / "out", custom_profiles=[overlay], assets={LOGO: logo})
    pixels = colours(path, 640, 360)
    red = [n for n, (r, g, b) in enumerate(pixels) if r > 180 and g < 80 and b < 80]
    left, top = min(n % 640 for n in red), min(n // 640 for n in red)
    right, bottom = max(n % 640 for n in red), max(n // 640 for n in red)
    found = (left, top, right - left + 1, bottom - top + 1)
    assert found == pytest.approx(box, abs=3)


async def test_an_overlay_that_is_no_image_is_refused(film, tmp_path):
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"#EXTM3U\nfile:///etc/passwd\n")
    custom = [{"profile_type": "overlay", "url": LOGO}]
    with pytest.raises(MediaError, match="neither a PNG nor a JPEG"):
        await made(film, tmp_path / "out", custom_profiles=custom, assets={LOGO: logo})


@pytest.mark.slow
async def test_hls_with_its_options(film, tmp_path):
    custom = {
        "profile_type": "hls",
        "hls_time": 2,
        "master_pl_name": "all.m3u8",
        "h264_level": "3.1",
        "h264_profile": "main",
        "h264_preset": "veryfast",
        "maxrate": 1500,
        "bufsize": "3000k",
        "refs": 2,
        "framerate": 20,
    }
    (output,) = (await made(film, tmp_path / "out", custom_profiles=[custom])).outputs
    assert output.entry == "all.m3u8"
    segments = sorted(output.path.rglob("*.ts"))
    assert len(segments) == 2
    assert b" ref=2 " in segments[0].read_bytes()  # what the encoder says of itself
    video = stream(output.path / "all.m3u8", "video") or {}
    assert (video["profile"], video["level"]) == ("Main", 31)
    assert video["avg_frame_rate"] == "20/1"
    assert stream(output.path / "all.m3u8", "audio")


@pytest.mark.slow
async def test_segmentation_is_hls_as_it_is_by_default(film, tmp_path):
    logo = tmp_path / "logo.png"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=16x16", "-frames:v", "1", logo)
    told = {"segmentation": True, "restrict_bitrate": True, "video_bitrate": 1200}
    custom = [{"profile_type": "overlay", "url": LOGO}]
    (output,) = (
        await made(film, tmp_path / "out", custom_profiles=custom, assets={LOGO: logo}, **told)
    ).outputs
    assert output.entry == "master.m3u8"
    assert len(list(output.path.rglob("*.ts"))) == 1  # of five seconds


async def test_thumbnails_of_the_order(film, tmp_path):
    image = {"filename": "n.jpg", "width": "72", "height": "48", "time": 0.5}
    encoded = await made(film, tmp_path / "out", thumbnails=[image])
    assert [each.kind for each in encoded.outputs] == ["video", "image"]
    found = stream(encoded.outputs[1].path, "video") or {}
    assert (found["codec_name"], found["width"], found["height"]) == ("mjpeg", 72, 48)


@pytest.mark.parametrize("scheme", ["cenc", "cbc1", "cens", "cbcs"])
@pytest.mark.parametrize("iv", [None, "0" * 31 + "1"])
@pytest.mark.slow
async def test_protected_files_open_with_their_key_alone(film, tmp_path, scheme, iv):
    drm = {"key": KEY, "key_id": KEY_ID, "encryption_scheme": scheme}
    if iv:
        drm["key_iv"] = iv
    plain = await one(film, tmp_path / "plain", video_width=160)
    path = await one(film, tmp_path / "out", video_width=160, drm=drm)
    assert sorted(each["codec_type"] for each in probed(path)["streams"]) == ["audio", "video"]
    assert scheme.encode() in path.read_bytes()
    with pytest.raises(subprocess.CalledProcessError):
        ffmpeg("-xerror", "-i", path, "-f", "null", "-")
    assert packets(path, "v", "-decryption_key", KEY) == packets(plain, "v")
    sounds = zip(packets(path, "a", "-decryption_key", KEY), packets(plain, "a"), strict=True)
    for opened, known in sounds:
        # Of cens only whole blocks are encrypted (ISO/IEC 23001-7, 10.3): ffmpeg, which
        # takes the rest for encrypted too where there are no subsamples, garbles it.
        whole = len(known) - len(known) % 16 if scheme == "cens" else len(known)
        assert opened[:whole] == known[:whole]


def packets(path: Path, kind: str, *options: str) -> list[bytes]:
    """What is in a stream, packet by packet."""
    command = [toolchain().ffprobe, "-v", "error", "-select_streams", f"{kind}:0"]
    shown = ["-show_entries", "packet=size", "-of", "csv=p=0", path]
    done = subprocess.run([*command, *shown], check=True, capture_output=True, timeout=60)
    sizes = [int(line.strip(b",")) for line in done.stdout.split()]
    data = ffmpeg(*options, "-i", path, "-map", f"0:{kind}:0", "-c", "copy", "-f", "data", "-")
    assert sum(sizes) == len(data)
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    return [data[end - size : end] for end, size in zip(ends, sizes, strict=True)]


@pytest.mark.slow
async def test_the_boxes_of_a_key_service_are_in_the_file(film, tmp_path):
    data = b"what the key service gave"
    system = bytes.fromhex("edef8ba979d64acea3c827dcd51d21ed")
    content = bytes(4) + system + len(data).to_bytes(4, "big") + data
    box = (8 + len(content)).to_bytes(4, "big") + b"pssh" + content
    drm = {"key": KEY, "key_id": KEY_ID, "pssh": box.hex()}
    path = await one(film, tmp_path / "out", video_width=160, drm=drm)
    assert path.read_bytes().count(box) == 1
    assert not [each for each in (tmp_path / "out").iterdir() if each != path]
