"""Outputs play to their last second in a real browser, with players that others wrote."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.transcoder.packaging import Aes128, Cenc, Packing, Track
from tests.transcoder.packaging.media import FRAMES, SECONDS, SUBTITLES, Tracks, package
from tests.transcoder.packaging.player import browser, install, page, play, put_player, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

KEY, KEY_ID, IV = bytes(range(160, 176)), bytes(range(64, 80)), bytes(range(16, 32))

TS = Packing(segment_duration=1, i_frames_only=True)
FMP4 = replace(TS, container="mp4")
CMAF = replace(FMP4, dash="playlist.mpd")
DASH = Packing(hls=None, dash="playlist.mpd", container="mp4", segment_duration=1)
CENC = Cenc(KEY, KEY_ID, b"\x08\x01\x12\x10" + KEY_ID)
#: The address is that of the test's server.
AES = Aes128(KEY, IV, "http://localhost/the.key")


@dataclass(frozen=True)
class Case:
    """What is packaged, and which player plays which manifest of it."""

    packing: Packing
    tracks: tuple[str, ...]
    plays: tuple[tuple[str, str], ...]
    together: bool = False
    subtitles: bool = False


H264 = ("small.mp4", "large.mp4", "aac.mp4")
HLS, HLS_BOTH = (("hls", "playlist.m3u8"),), (("hls", "playlist.m3u8"), ("shaka", "playlist.m3u8"))
MPD = (("shaka", "playlist.mpd"),)

CASES = {
    "ts": Case(TS, H264, HLS_BOTH, subtitles=True),
    "fmp4": Case(FMP4, H264, HLS_BOTH, subtitles=True),
    "ts-together": Case(TS, ("large.mp4", "aac.mp4"), HLS, together=True),
    "fmp4-together": Case(FMP4, ("large.mp4", "aac.mp4"), HLS, together=True),
    "sound": Case(TS, ("aac.mp4",), HLS),
    "cmaf": Case(CMAF, H264, (*HLS, *MPD), subtitles=True),
    "dash": Case(DASH, H264, MPD),
    "av1": Case(DASH, ("av1.mp4", "opus.mp4"), MPD),
    "webm": Case(replace(DASH, container="webm"), ("vp9.webm", "opus.webm"), MPD),
    "ts-aes": Case(replace(TS, protection=AES), H264, HLS_BOTH, subtitles=True),
    "fmp4-aes": Case(replace(FMP4, protection=AES), H264, HLS_BOTH, subtitles=True),
    "together-aes": Case(replace(TS, protection=AES), ("large.mp4", "aac.mp4"), HLS, together=True),
    "dash-cenc": Case(replace(DASH, protection=CENC), H264, MPD),
    "webm-cenc": Case(
        replace(DASH, container="webm", protection=CENC), ("vp9.webm", "opus.webm"), MPD
    ),
    "hls-cenc": Case(replace(FMP4, protection=CENC), H264, (("shaka", "playlist.m3u8"),)),
}
#: hls.js counts a transport stream from its first decoding time, so that the two
#: frames by which pictures are reordered are a hole at its start, which it skips.
HOLE = {"bufferAppendNoProgress", "bufferSeekOverHole"}
PLAYS = [(name, *how) for name, case in CASES.items() for how in case.plays]


def _tracks(case: Case, track_file: Tracks, folder: Path) -> list[Track]:
    sounds = [name for name in case.tracks if name.startswith(("aac", "opus"))]
    videos = [name for name in case.tracks if name not in sounds]
    sound = track_file(sounds[0]) if case.together else None
    made = [
        Track(track_file(name), "video", number, sound=sound)
        for number, name in enumerate(videos, 1)
    ]
    if not case.together:
        made.append(Track(track_file(sounds[0]), "audio", 1, language="en"))
    if case.subtitles:
        text = folder / "en.vtt"
        text.write_text(SUBTITLES)
        made.append(Track(text, "text", 1, language="en", title="English", duration=SECONDS))
    return made


async def _package_all(root: Path, track_file: Tracks, base: str) -> None:
    for name, case in CASES.items():
        packing = case.packing
        if isinstance(packing.protection, Aes128):
            here = replace(packing.protection, key_url=f"{base}/the.key")
            packing = replace(packing, protection=here)
        await package(root / name, packing, *_tracks(case, track_file, root))


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory, track_file: Tracks, pytestconfig: pytest.Config
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What each page said, all in one run of the browser."""
    browser()
    assert pytestconfig.cache is not None
    modules = pytestconfig.cache.mkdir("players")
    install(modules)
    root = tmp_path_factory.mktemp("root")
    (root / "the.key").write_bytes(KEY)
    put_player(modules, root)
    with serving(root) as base:
        with asyncio.Runner() as runner:
            runner.run(_package_all(root, track_file, base))
        pages = [_page(base, *each) for each in PLAYS]
        told = play(modules, tmp_path_factory.mktemp("profile"), pages)
    return dict(zip(PLAYS, told, strict=True))


def _page(base: str, name: str, player: str, manifest: str) -> str:
    url = f"{base}/{name}/{manifest}"
    if isinstance(CASES[name].packing.protection, Cenc):
        return page(base, player, url, kid=KEY_ID.hex(), key=KEY.hex())
    return page(base, player, url)


@pytest.mark.parametrize("each", PLAYS, ids=" ".join)
def test_plays_to_the_end(
    played: dict[tuple[str, str, str], dict[str, Any]], each: tuple[str, str, str]
) -> None:
    told = played[each]
    assert told.get("ended"), told
    assert not set(told["errors"]) - (HOLE if CASES[each[0]].packing.segments == "ts" else set())
    assert told["duration"] == pytest.approx(SECONDS, abs=0.15)
    assert told["at"] == pytest.approx(told["duration"], abs=0.1)
    assert (told["width"] > 0) == (each[0] != "sound")
    # A busy machine's browser leaves some out; decoding counts them one by one elsewhere.
    assert told["frames"] >= (0 if each[0] == "sound" else 0.85 * FRAMES)
