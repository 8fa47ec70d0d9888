"""Outputs for HTTP streaming through the whole media half."""

from pathlib import Path

import pytest

from tests.media import coded_clip, frame_numbers
from tests.transcoder.encodes import Listener, encode, only
from tests.transcoder.packaging.media import decoded_frames, sound_seconds

LADDER = {
    "output": "advanced_hls",
    "segment_duration": 1,
    "stream": [{"height": 120, "tag": "low"}, {"height": 60}],
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds whose frames tell their number, with stereo sound."""
    return coded_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", sound=2)


@pytest.mark.parametrize(
    "asked",
    [
        LADDER,
        {**LADDER, "fmp4": 1},
        {**LADDER, "separate_audio": 0},
        {**LADDER, "output": "advanced_dash"},
        {**LADDER, "output": "advanced_dash", "create_m3u8_playlist": 1},
        {**LADDER, "output": "webm_dash"},
    ],
    ids=["ts", "fmp4", "joined", "dash", "cmaf", "webm"],
)
async def test_a_ladder_is_whole(clip, tmp_path, asked):
    made = await only(clip, tmp_path, asked)
    assert [each.tag for each in made.members] == ["video-0-0-0", "video-0-0-1"]
    assert made.members[0].user_tag == "low"
    assert made.members[0].meta["height"] == 120
    assert made.path.is_dir()
    assert decoded_frames(made.path / made.entry) == 50
    assert sound_seconds(made.path / made.entry) == pytest.approx(2.0, abs=0.1)


async def test_sound_alone_is_a_ladder_too(clip, tmp_path):
    made = await only(clip, tmp_path, {"output": "hls_audio", "segment_duration": 1})
    assert [each.tag for each in made.members] == ["audio-0-0-0"]
    assert made.members[0].meta["codec"] == "aac"


async def test_a_refreshed_playlist_names_the_lowest_first(clip, tmp_path):
    listener = Listener()
    await encode(clip, tmp_path, LADDER, listener=listener, refresh_playlist=1)
    assert [[each.tag for each in made.members] for made in listener.landings] == [
        ["video-0-0-1"],
        ["video-0-0-0", "video-0-0-1"],
    ]


@pytest.mark.parametrize("output", ["webm", "mp3", "flac"])
async def test_files_of_their_own(clip, tmp_path, output):
    made = await only(clip, tmp_path, {"output": output})
    assert made.path.suffix == f".{output}"
    assert made.duration == pytest.approx(2.0, abs=0.1)
    if output == "webm":
        assert frame_numbers(made.path)[:3] == [0, 1, 2]
