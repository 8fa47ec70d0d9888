"""The job that adds subtitles: as tracks of a file, and as renditions of a ladder."""

import m3u8
import pytest

from tests.jobs.test_ladders import ladder
from tests.media import ffmpeg, probed

_CUES = "1\n00:00:00,200 --> 00:00:00,900\n{}\n\n2\n00:00:01,000 --> 00:00:01,800\n{}\n"


@pytest.mark.slow
async def test_subtitles_are_tracks_of_the_mp4_and_renditions_of_the_hls(library, films, site):
    (site / "film.mp4").hardlink_to(films / "film.mp4")
    (site / "film.en.srt").write_text(_CUES.format("Good morning", "and good night"))
    (site / "film.es.srt").write_text(_CUES.format("Buenos días", "y buenas noches"))
    made = await library.made("subtitles") / "film"
    tracks = [
        each for each in probed(made / "film.mp4")["streams"] if each["codec_type"] == "subtitle"
    ]
    assert [each["tags"]["language"] for each in tracks] == ["eng", "spa"]
    texts = [
        ffmpeg("-i", made / "film.mp4", "-map", f"0:s:{number}", "-f", "srt", "-").decode()
        for number in range(2)
    ]
    assert "Good morning" in texts[0]
    assert "y buenas noches" in texts[1]
    master = ladder(made, "playlist.m3u8")
    listed = m3u8.load(str(master))
    found = {each.language: each.uri for each in listed.media if each.type == "SUBTITLES"}
    assert len(found) == 2
    for uri, word in zip(found.values(), ("Good morning", "Buenos días"), strict=True):
        playlist = m3u8.load(str(master.parent / uri))
        folder = (master.parent / uri).parent
        assert word in "".join((folder / each).read_text("utf-8") for each in playlist.files)
