"""Masters as renditions land, outputs that go on from earlier ones, and bit rates."""

from dataclasses import replace
from pathlib import Path

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.transcoder.packaging import (
    Packaging,
    Packing,
    Rendition,
    Track,
    manifests,
    recall,
    record,
    write_manifests,
)
from orchestrator.transcoder.packaging.rendition import average, peak
from orchestrator.transcoder.ports import MediaError
from tests.media import toolchain
from tests.transcoder.packaging.media import FRAMES, Tracks, decoded_frames, files_in
from tests.transcoder.packaging.schema import NAMESPACES, read_mpd

CMAF = Packing(dash="playlist.mpd", container="mp4", segment_duration=1)


@pytest.mark.attribute("refresh_playlist")
@pytest.mark.slow
async def test_the_master_grows_with_each_rendition(tmp_path: Path, track_file: Tracks) -> None:
    """At each moment, what the manifests name is there and plays to the end."""
    packaging = Packaging(toolchain(), CMAF, tmp_path)
    landed: list[Rendition] = []
    for number, name in enumerate(("small.mp4", "large.mp4"), 1):
        landed.append(await packaging.add(Track(track_file(name), "video", number)))
        await write_manifests(tmp_path, landed, CMAF)
        master = m3u8.load(str(tmp_path / "playlist.m3u8"))
        assert len(master.playlists) == number
        root = read_mpd((tmp_path / "playlist.mpd").read_text())
        assert len(root.findall(".//d:Representation", NAMESPACES)) == number
        assert decoded_frames(tmp_path / "playlist.m3u8") == FRAMES
        assert decoded_frames(tmp_path / "playlist.mpd") == FRAMES
    landed.append(await packaging.add(Track(track_file("aac.mp4"), "audio", 1)))
    assert 'AUDIO="audio"' in manifests(landed, CMAF)["playlist.m3u8"]


@pytest.mark.slow
async def test_a_later_job_goes_on(tmp_path: Path, track_file: Tracks) -> None:
    """A new rung is appended and an old one unlinked, though its files stay."""
    first = Packaging(toolchain(), CMAF, tmp_path)
    made = [
        await first.add(Track(track_file("small.mp4"), "video", 1, rung="90p")),
        await first.add(Track(track_file("aac.mp4"), "audio", 1, rung="64k")),
    ]
    await write_manifests(tmp_path, made, CMAF)
    earlier = recall(record(made))
    assert earlier == tuple(made)

    second = Packaging(toolchain(), CMAF, tmp_path)
    number = earlier[0].number + 1
    new = await second.add(Track(track_file("large.mp4"), "video", number, rung="180p"))
    await write_manifests(tmp_path, (earlier[1], new), CMAF)
    master = m3u8.load(str(tmp_path / "playlist.m3u8"))
    assert [each.uri for each in master.playlists] == ["video_2/chunklist.m3u8"]
    assert [each.uri for each in master.media] == ["audio_1/chunklist.m3u8"]
    assert "video_1" not in (tmp_path / "playlist.mpd").read_text()
    assert "video_1/segment_1.m4s" in files_in(tmp_path)
    assert decoded_frames(tmp_path / "playlist.mpd") == FRAMES


@pytest.mark.parametrize("text", ["", "[]x", '[{"kind": "smell"}]', "{}"])
def test_a_record_that_is_none(text: str) -> None:
    with pytest.raises(MediaError, match="record"):
        recall(text)


def test_nothing_to_play(made: tuple[Rendition, ...]) -> None:
    text = replace(made[2], kind="text")
    for renditions in ((), (text,)):
        with pytest.raises(MediaError, match="nothing to play"):
            manifests(renditions, CMAF)


PARTS = st.lists(
    st.tuples(st.floats(0.01, 20), st.integers(0, 10_000_000)), min_size=1, max_size=12
)


@given(PARTS)
def test_peak_and_average(parts: list[tuple[float, int]]) -> None:
    """The peak is that of RFC 8216, 4.1, found the slow way."""
    target = max(seconds for seconds, _ in parts)
    spans = [parts[a:b] for a in range(len(parts)) for b in range(a + 1, len(parts) + 1)]
    rates = [
        8 * sum(size for _, size in span) / sum(seconds for seconds, _ in span)
        for span in spans
        if 0.5 * target <= sum(seconds for seconds, _ in span) <= 1.5 * target
    ]
    assert peak(parts) == pytest.approx(max(rates), abs=1, rel=1e-6)
    assert average(parts) >= 0


def test_a_short_end_is_no_peak() -> None:
    """Sound often leaves some milliseconds for a segment of their own."""
    assert peak([(9.0, 9000), (9.0, 9000), (0.005, 400)]) < 8500
