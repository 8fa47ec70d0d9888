"""The jobs that make pictures and sounds: one run of each on a short film."""

from pathlib import Path

import m3u8
import pytest
import webvtt

from tests.jobs.conftest import files_in
from tests.media import loudness, probed
from tests.transcoder.packaging.media import decoded_frames, sound_seconds


def image(path: Path) -> tuple[str, int, int]:
    """An image's codec, width and height."""
    (only,) = probed(path)["streams"]
    return only["codec_name"], only["width"], only["height"]


@pytest.mark.slow
async def test_thumbnails_are_there_one_by_one_and_in_one_picture(library, films):
    made = await library.made("thumbnails", films) / "film"
    numbered = [f"thumb_{number:04}.jpg" for number in range(1, 5)]
    assert files_in(made / "interval") == [*numbered, "thumbnails.vtt"]
    assert len(files_in(made / "sprite")) == 2
    assert image(made / "poster.jpg") == ("mjpeg", 640, 360)
    assert decoded_frames(made / "preview.gif") == 10
    cues = list(webvtt.read(str(made / "interval/thumbnails.vtt")))
    assert [cue.text for cue in cues] == numbered
    (vtt,) = (made / "sprite").glob("*.vtt")
    places = [cue.text.partition("#") for cue in webvtt.read(str(vtt))]
    assert [place for _, _, place in places] == [
        *("xywh=0,0,160,90", "xywh=160,0,160,90", "xywh=0,90,160,90", "xywh=160,90,160,90")
    ]
    assert {image(made / "sprite" / name) for name, _, _ in places} == {("mjpeg", 320, 180)}


@pytest.mark.slow
async def test_sound_is_there_to_listen_to_to_keep_and_to_stream(library, films):
    made = await library.made("audio", films) / "film"
    for name, codec, rate in (("listen.mp3", "mp3", "44100"), ("keep.flac", "flac", "48000")):
        (sound,) = probed(made / name)["streams"]
        assert (sound["codec_name"], sound["sample_rate"]) == (codec, rate)
        assert sound_seconds(made / name) == pytest.approx(2.0, abs=0.1)
        assert loudness(made / name) > 5000
    assert sound_seconds(made / "hls_audio/playlist.m3u8") == pytest.approx(2.0, abs=0.1)
    listed = m3u8.load(str(made / "hls_audio/playlist.m3u8"))
    assert len(listed.playlists) == 2
