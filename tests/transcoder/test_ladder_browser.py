"""Ladders that the media half made play to their last second in a real browser."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.media import coded_clip
from tests.transcoder.encodes import only
from tests.transcoder.packaging.player import browser, install, page, play, put_player, serving
from tests.transcoder.test_ladder_protection import AES, CENC, KEY, KEY_ID

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SECONDS, RATE = 2.8, 25

HLS = {
    "output": "advanced_hls",
    "segment_duration": 1,
    "stream": [{"height": 120}, {"height": 60, "audio_bitrate": 32}],
}
DASH = {**HLS, "output": "advanced_dash"}
CMAF = {**DASH, "create_m3u8_playlist": 1}
WEBM = {**HLS, "output": "webm_dash"}
VP8 = [{"height": 60, "video_codec": "libvpx", "audio_codec": "libvorbis"}]
AV1 = [{"height": 60, "video_codec": "libsvtav1"}]

CASES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "ts": (HLS, ("hls", "shaka")),
    "fmp4": ({**HLS, "fmp4": 1}, ("hls", "shaka")),
    "joined": ({**HLS, "separate_audio": 0}, ("hls",)),
    "flat": ({**HLS, "single_folder": 1, "i_frames_only": 1}, ("hls",)),
    "part": ({**HLS, "start_time": 0.5, "duration": 1.8}, ("hls",)),
    "sound": ({"output": "hls_audio", "segment_duration": 1}, ("hls",)),
    "cmaf": (CMAF, ("hls", "shaka")),
    "dash": (DASH, ("shaka",)),
    "av1": ({**DASH, "stream": AV1}, ("shaka",)),
    "webm": (WEBM, ("shaka",)),
    "vp8": ({**WEBM, "stream": VP8}, ("shaka",)),
    "aes": ({**HLS, "encryption": AES}, ("hls", "shaka")),
    "aes-joined": ({**HLS, "separate_audio": 0, "encryption": AES}, ("hls",)),
    "cenc": ({**DASH, "cenc_drm": CENC}, ("shaka",)),
    "cenc-cmaf": ({**CMAF, "cenc_drm": CENC}, ("shaka",)),
}
PLAYS = [(name, player) for name, (_, players) in CASES.items() for player in players]
#: hls.js counts a transport stream from its first decoding time, so that the two
#: frames by which pictures are reordered are a hole at its start, which it skips.
HOLE = {"bufferAppendNoProgress", "bufferSeekOverHole"}


async def _encode_all(clip: Path, root: Path, base: str) -> dict[str, str]:
    """The manifest of each case, relative to ``root``."""
    manifests: dict[str, str] = {}
    for name, (asked, _) in CASES.items():
        here = {**AES, "key_url": f"{base}/the.key"}
        query = {**asked, **({"encryption": here} if "encryption" in asked else {})}
        (root / name).mkdir()
        made = await only(clip, root / name, query)
        manifests[name] = f"{name}/{made.path.name}/{made.entry}"
    return manifests


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> dict[tuple[str, str], dict[str, Any]]:
    """What each page said, all in one run of the browser."""
    browser()
    assert pytestconfig.cache is not None
    modules = pytestconfig.cache.mkdir("players")
    install(modules)
    root = tmp_path_factory.mktemp("root")
    clip = coded_clip(root / "clip.mp4", size="160x120", sound=2, seconds=SECONDS, rate=str(RATE))
    (root / "the.key").write_bytes(KEY)
    put_player(modules, root)
    with serving(root) as base:
        with asyncio.Runner() as runner:
            manifests = runner.run(_encode_all(clip, root, base))
        pages = [_page(base, name, player, manifests[name]) for name, player in PLAYS]
        told = play(modules, tmp_path_factory.mktemp("profile"), pages)
    return dict(zip(PLAYS, told, strict=True))


def _page(base: str, name: str, player: str, manifest: str) -> str:
    if name == "cmaf" and player == "hls":
        manifest = manifest.replace("playlist.mpd", "playlist.m3u8")
    url = f"{base}/{manifest}"
    if "cenc_drm" in CASES[name][0]:
        return page(base, player, url, kid=KEY_ID.hex(), key=KEY.hex())
    return page(base, player, url)


@pytest.mark.attribute("format[].output", "format[].encryption", "format[].cenc_drm")
@pytest.mark.parametrize("each", PLAYS, ids=" ".join)
def test_plays_to_the_end(
    played: dict[tuple[str, str], dict[str, Any]], each: tuple[str, str]
) -> None:
    told = played[each]
    seconds = 1.8 if each[0] == "part" else SECONDS
    assert told.get("ended"), told
    assert not set(told["errors"]) - HOLE
    assert told["duration"] == pytest.approx(seconds, abs=0.15)
    assert told["at"] == pytest.approx(told["duration"], abs=0.1)
    assert (told["width"] > 0) == (each[0] != "sound")
    # A busy machine's browser leaves some out.
    assert told["frames"] >= (0 if each[0] == "sound" else 0.85 * seconds * RATE)
