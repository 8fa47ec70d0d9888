"""Protected outputs: others can undo it with the key and nobody without; keys stay hidden."""

import asyncio
import base64
import os
import re
import stat
import struct
import subprocess
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import m3u8
import pytest

from orchestrator.transcoder.packaging import (
    Aes128,
    Cenc,
    FairPlay,
    Packaging,
    Packing,
    Protection,
    Track,
    joined,
    packager,
)
from orchestrator.transcoder.packaging.drm import PLAYREADY, WIDEVINE, headers
from orchestrator.transcoder.ports import MediaError
from tests.media import children, toolchain
from tests.transcoder.packaging.media import (
    FRAMES,
    SECONDS,
    SUBTITLES,
    Tracks,
    decoded_frames,
    files_in,
    package,
    packets,
    sound_seconds,
)
from tests.transcoder.packaging.schema import NAMESPACES, read_mpd

KEY, IV, KEY_ID = bytes(range(160, 176)), bytes(range(16, 32)), bytes(range(64, 80))
WIDEVINE_DATA = b"\x08\x01\x12\x10" + KEY_ID
CENC = Cenc(KEY, KEY_ID, WIDEVINE_DATA, iv=IV[:8])
DASH = Packing(hls=None, dash="playlist.mpd", container="mp4", segment_duration=1)


def _tracks(track_file: Tracks) -> tuple[Track, Track]:
    return Track(track_file("small.mp4"), "video", 1), Track(track_file("aac.mp4"), "audio", 1)


@pytest.mark.attribute(
    "format[].encryption",
    "format[].encryption.key",
    "format[].encryption.iv",
    "format[].encryption.key_url",
)
@pytest.mark.parametrize(
    ("container", "together"), [("ts", False), ("mp4", False), ("ts", True), ("mp4", True)]
)
@pytest.mark.slow
async def test_aes_128(tmp_path: Path, track_file: Tracks, container: str, together: bool) -> None:
    """ffmpeg fetches the key, as players do, and decodes all of it."""
    (tmp_path / "the.key").write_bytes(KEY)
    protection = Aes128(KEY, IV, f"file://{tmp_path}/the.key")
    packing = Packing(
        container=container, segment_duration=1, protection=protection, i_frames_only=True
    )
    video, sound = _tracks(track_file)
    tracks = (replace(video, sound=sound.path),) if together else (video, sound)
    out = tmp_path / "out"
    await package(out, packing, *tracks)
    media = m3u8.load(str(out / "video_1" / "chunklist.m3u8"))
    (key,) = media.keys
    assert (key.method, key.uri, key.iv) == ("AES-128", protection.key_url, f"0x{IV.hex()}")
    assert decoded_frames(out / "playlist.m3u8") == FRAMES
    assert sound_seconds(out / "playlist.m3u8") == pytest.approx(SECONDS, abs=0.05)
    for segment in media.segments:
        data = (out / "video_1" / segment.uri).read_bytes()
        assert len(data) % 16 == 0
        clear = _openssl(data)
        assert clear[:1] == b"G" if container == "ts" else clear[4:8] in {b"styp", b"moof"}


def _openssl(data: bytes) -> bytes:
    """Decrypted, and its padding checked, by a program that others wrote."""
    command = ["openssl", "enc", "-d", "-aes-128-cbc", "-K", KEY.hex(), "-iv", IV.hex()]
    return subprocess.run(command, input=data, check=True, capture_output=True, timeout=30).stdout


@pytest.mark.attribute("format[].encryption")
async def test_aes_128_hides_subtitles(tmp_path: Path, track_file: Tracks) -> None:
    source = tmp_path / "en.vtt"
    source.write_text(SUBTITLES)
    packing = Packing(segment_duration=1, protection=Aes128(KEY, IV, "https://keys.test/1"))
    text = Track(source, "text", 1, language="en", duration=SECONDS)
    await package(tmp_path / "out", packing, _tracks(track_file)[0], text)
    data = (tmp_path / "out" / "text_1" / "segment_1.vtt").read_bytes()
    assert b"Hello" not in data
    assert b"Hello" in _openssl(data)


@pytest.mark.attribute(
    "format[].cenc_drm",
    "format[].cenc_drm.key",
    "format[].cenc_drm.key_id",
    "format[].cenc_drm.iv",
    "format[].cenc_drm.pssh",
)
async def test_cenc_in_dash(tmp_path: Path, track_file: Tracks) -> None:
    await package(tmp_path, replace(DASH, protection=CENC), *_tracks(track_file))
    opened = ("-cenc_decryption_key", KEY.hex())
    assert decoded_frames(tmp_path / "playlist.mpd", *opened) == FRAMES
    assert sound_seconds(tmp_path / "playlist.mpd", *opened) == pytest.approx(SECONDS, abs=0.05)
    with pytest.raises((AssertionError, subprocess.CalledProcessError)):
        decoded_frames(tmp_path / "playlist.mpd", "-cenc_decryption_key", IV.hex())

    root = read_mpd((tmp_path / "playlist.mpd").read_text())
    for each in root.iterfind(".//d:AdaptationSet", NAMESPACES):
        common, widevine = each.findall("d:ContentProtection", NAMESPACES)
        assert common.get("value") == "cenc"
        assert common.get(f"{{{NAMESPACES['cenc']}}}default_KID") == str(UUID(bytes=KEY_ID))
        assert widevine.get("schemeIdUri") == f"urn:uuid:{WIDEVINE}"
        box = base64.b64decode(widevine.findtext("cenc:pssh", None, NAMESPACES))
        assert box.endswith(WIDEVINE_DATA)
    for kind in ("video", "audio"):
        init = (tmp_path / f"{kind}_1" / "segment_init.mp4").read_bytes()
        assert box in init[init.index(b"moov") :]
        assert b"schm\0\0\0\0cenc" in init
        assert KEY_ID in init[init.index(b"tenc") :]


@pytest.mark.attribute("format[].cenc_drm.iv")
async def test_cenc_begins_with_the_iv_given(tmp_path: Path, track_file: Tracks) -> None:
    await package(tmp_path, replace(DASH, protection=CENC), _tracks(track_file)[0])
    data = (tmp_path / "video_1" / "segment_1.m4s").read_bytes()
    at = data.index(b"senc") + 4
    assert data[at + 8 : at + 16] == CENC.iv


@pytest.mark.attribute("format[].cenc_drm.la_url")
async def test_playready(tmp_path: Path, track_file: Tracks) -> None:
    """An address of a PlayReady service alone gives a whole PlayReady header."""
    protection = replace(CENC, la_url="https://playready.test/rights?a=1&b=2")
    await package(tmp_path, replace(DASH, protection=protection), _tracks(track_file)[0])
    text = (tmp_path / "playlist.mpd").read_text()
    root = read_mpd(text)
    system = root.find(f".//d:ContentProtection[@schemeIdUri='urn:uuid:{PLAYREADY}']", NAMESPACES)
    spaces = {"mspr": "urn:microsoft:playready", "dashif": "https://dashif.org/CPS"}
    assert system.findtext("dashif:Laurl", None, spaces) == protection.la_url
    pro = base64.b64decode(system.findtext("mspr:pro", None, spaces))
    length, records, kind, size = struct.unpack_from("<IHHH", pro)
    assert (length, records, kind, size) == (len(pro), 1, 1, len(pro) - 10)
    header = pro[10:].decode("utf-16-le")
    assert "<LA_URL>https://playready.test/rights?a=1&amp;b=2</LA_URL>" in header
    (kid,) = re.findall("<KID>(.*)</KID>", header)
    assert UUID(bytes_le=base64.b64decode(kid)) == UUID(bytes=KEY_ID)
    assert pro in (tmp_path / "video_1" / "segment_init.mp4").read_bytes()


def test_pssh_as_key_services_give_it() -> None:
    """Whole boxes, several of them, or the bare data of one."""
    both = replace(CENC, la_url="https://playready.test/")
    given = headers(both)
    assert [each.system for each in given] == [WIDEVINE, PLAYREADY]
    assert headers(replace(CENC, pssh=b"".join(each.box for each in given))) == given
    assert headers(replace(CENC, pssh=given[1].data)) == given[1:]
    assert headers(replace(both, pssh=given[1].data)) == given[1:]
    version_1 = bytearray(given[0].box)
    version_1[8] = 1
    version_1[28:28] = struct.pack(">I", 1) + KEY_ID
    version_1[:4] = struct.pack(">I", len(version_1))
    assert headers(replace(CENC, pssh=bytes(version_1)))[0].data == WIDEVINE_DATA
    for damage in (given[0].box[:-1], given[0].box + b"x", b"\0\0\0\x08pssh"):
        with pytest.raises(MediaError, match=r"cenc_drm\.pssh"):
            headers(replace(CENC, pssh=damage))


@pytest.mark.attribute("format[].cenc_drm")
@pytest.mark.slow
async def test_cenc_in_hls(tmp_path: Path, track_file: Tracks) -> None:
    """TS knows no Common Encryption, so its segments are fMP4; the key system is named."""
    protection = replace(CENC, la_url="https://playready.test/")
    await package(
        tmp_path, Packing(segment_duration=1, protection=protection), *_tracks(track_file)
    )
    text = (tmp_path / "video_1" / "chunklist.m3u8").read_text()
    widevine, playready = re.findall("#EXT-X-KEY:(.*)", text)
    assert widevine.startswith('METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,')
    assert f'KEYID=0x{KEY_ID.hex()},KEYFORMAT="urn:uuid:{WIDEVINE}"' in widevine
    assert 'KEYFORMAT="com.microsoft.playready"' in playready
    assert m3u8.loads(text).version == 6
    parts = [
        tmp_path / "video_1" / f"segment_{name}" for name in ("init.mp4", "1.m4s", "2.m4s", "3.m4s")
    ]
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert decoded_frames(whole, "-decryption_key", KEY.hex()) == FRAMES


@pytest.mark.attribute(
    "format[].fps_drm", "format[].fps_drm.key", "format[].fps_drm.iv", "format[].fps_drm.key_url"
)
@pytest.mark.parametrize("container", ["ts", "mp4"])
@pytest.mark.slow
async def test_fairplay(tmp_path: Path, track_file: Tracks, container: str) -> None:
    protection = FairPlay(KEY, IV, "skd://fps.test/;0f0e0d0c-0b0a-0908-0706-050403020100")
    packing = Packing(container=container, segment_duration=1, protection=protection)
    await package(tmp_path, packing, *_tracks(track_file))
    text = (tmp_path / "video_1" / "chunklist.m3u8").read_text()
    (key,) = m3u8.loads(text).keys
    assert (key.method, key.uri) == ("SAMPLE-AES", protection.key_url)
    assert key.keyformat == "com.apple.streamingkeydelivery"
    if container == "ts":
        await _check_sample_aes(tmp_path, text, _tracks(track_file)[0])
        return
    init = (tmp_path / "video_1" / "segment_init.mp4").read_bytes()
    assert b"schm\0\0\0\0cbcs" in init
    assert IV in init[init.index(b"tenc") :]
    parts = [
        tmp_path / "video_1" / f"segment_{name}" for name in ("init.mp4", "1.m4s", "2.m4s", "3.m4s")
    ]
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert decoded_frames(whole, "-decryption_key", KEY.hex()) == FRAMES


async def _check_sample_aes(folder: Path, text: str, video: Track) -> None:
    """With the key in a file, and the IV that FairPlay's own answer would bring, it is as clear.

    ffmpeg leaves the last packet before the list's end encrypted, so the last
    segment is listed twice.
    """
    (folder / "the.key").write_bytes(KEY)
    key = f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="file://{folder}/the.key",IV=0x{IV.hex()}'
    twice = re.sub("#EXT-X-KEY:.*", key, text) + "#EXTINF:1,\nsegment_3.ts\n#EXT-X-ENDLIST\n"
    opened = folder / "video_1" / "open.m3u8"
    opened.write_text(twice.replace("#EXT-X-ENDLIST\n", "", 1))
    await package(folder / "clear", Packing(segment_duration=1), video)
    clear = packets(folder / "clear" / "video_1" / "chunklist.m3u8")
    assert len(clear) == FRAMES
    assert packets(opened)[:FRAMES] == clear
    part = Path("video_1", "segment_2.ts")
    assert packets(folder / part) != packets(folder / "clear" / part)


SECRETS: list[Protection] = [
    Aes128(KEY, IV, "https://keys.test/1"),
    replace(CENC, iv=IV),
    FairPlay(KEY, IV, "skd://fps.test/1"),
]


def _shown(pid: int) -> list[str]:
    """What anybody may see of a process."""
    return [Path(f"/proc/{pid}/{name}").read_bytes().decode() for name in ("cmdline", "environ")]


@pytest.mark.parametrize("protection", SECRETS, ids=lambda it: type(it).__name__)
async def test_keys_stay_hidden(
    tmp_path: Path,
    track_file: Tracks,
    protection: Protection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not in any argument of any process, not in what is left, not in what is said of it."""
    seen: list[str] = []
    modes: list[int] = []
    real = packager.child

    @asynccontextmanager
    async def watched(command, **options):
        async with real(command, **options) as process:
            seen.extend(_shown(process.pid))
            flags = options["cwd"] / "flags"
            modes.extend([stat.S_IMODE(flags.stat().st_mode)] if flags.exists() else [])
            yield process

    monkeypatch.setattr(packager, "child", watched)
    monkeypatch.setattr(joined, "child", watched)
    packing = Packing(segment_duration=1, protection=protection)
    made = await package(tmp_path, packing, *_tracks(track_file))
    assert seen
    assert set(modes) == {0o600}
    secrets = (KEY.hex(), base64.b64encode(KEY).decode())
    told = "".join((*seen, caplog.text, repr(protection), repr(packing), repr(made)))
    assert not any(secret in told.lower() for secret in secrets)
    assert IV.hex() not in repr(packing)
    for name in files_in(tmp_path):
        path = tmp_path / name
        if path.is_file():
            data = path.read_bytes()
            assert KEY not in data
            assert KEY.hex().encode() not in data.lower()


@pytest.mark.parametrize("protection", SECRETS, ids=lambda it: type(it).__name__)
async def test_errors_tell_no_secret(
    tmp_path: Path, track_file: Tracks, protection: Protection
) -> None:
    """A packager that fails, whatever it says."""
    liar = tmp_path / "packager"
    liar.write_text('#!/bin/sh\ncat flags >&2; echo "at $PWD" >&2; exit 3\n')
    liar.chmod(0o700)
    packing = Packing(protection=protection)
    packaging = Packaging(replace(toolchain(), packager=liar), packing, tmp_path / "out")
    with pytest.raises(MediaError) as caught:
        await packaging.add(_tracks(track_file)[0])
    assert str(caught.value) == "packaging failed: the packager ended with status 3"
    assert not files_in(tmp_path / "out")


async def test_a_packager_that_can_not_be_started(tmp_path: Path, track_file: Tracks) -> None:
    """It may be tried again, under the same name."""
    tools = replace(toolchain(), packager=tmp_path / "missing")
    packaging = Packaging(tools, Packing(), tmp_path / "out")
    for _ in range(2):
        with pytest.raises(MediaError, match="could not be started: No such file"):
            await packaging.add(_tracks(track_file)[0])
    assert not files_in(tmp_path / "out")


async def test_cancelled(tmp_path: Path, track_file: Tracks) -> None:
    """No process is left, and no file with a key."""
    started = tmp_path / "started"
    os.mkfifo(started)
    slow = tmp_path / "packager"
    slow.write_text(f"#!/bin/sh\necho >{started}\nexec sleep 60\n")
    slow.chmod(0o700)
    packing = Packing(protection=CENC)
    packaging = Packaging(replace(toolchain(), packager=slow), packing, tmp_path / "out")
    video, _ = _tracks(track_file)
    before = children()
    adding = asyncio.create_task(packaging.add(video))
    async with asyncio.timeout(30):
        await asyncio.to_thread(started.read_bytes)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert children() == before
    assert not files_in(tmp_path / "out")


async def test_time_limit(tmp_path: Path, track_file: Tracks) -> None:
    slow = tmp_path / "packager"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    tools = replace(toolchain(), packager=slow)
    packaging = Packaging(tools, Packing(), tmp_path / "out", limit=0.2)
    with pytest.raises(MediaError, match=r"took longer than 0\.2 seconds"):
        await packaging.add(_tracks(track_file)[0])
    assert not files_in(tmp_path / "out")


@pytest.mark.parametrize("protection", [CENC, FairPlay(KEY, IV, "skd://x")], ids=["cenc", "fps"])
async def test_drm_needs_the_sound_apart(
    tmp_path: Path, track_file: Tracks, protection: Protection
) -> None:
    video, sound = _tracks(track_file)
    with pytest.raises(MediaError, match="separate_audio"):
        await package(tmp_path, Packing(protection=protection), replace(video, sound=sound.path))
