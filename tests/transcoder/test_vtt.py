import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.transcoder import vtt

CUE = re.compile(r"(\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d+):(\d\d):(\d\d)\.(\d{3})\n(\S+)\n")


def cues(text: str) -> list[tuple[float, float, str]]:
    """Start, end (milliseconds) and image of every cue, read as WebVTT says."""
    assert text.startswith("WEBVTT\n\n")
    found = []
    for cue in CUE.findall(text):
        times = [int(number) for number in cue[:8]]
        start, end = (((h * 60 + m) * 60 + s) * 1000 + ms for h, m, s, ms in (times[:4], times[4:]))
        found.append((start, end, cue[8]))
    return found


def test_cues_follow_each_other_to_the_end():
    text = vtt.render(["thumb_0001.jpg", "thumb_0002.jpg", "thumb_0003.jpg"], 2, 5.5)
    assert cues(text) == [
        (0, 2000, "thumb_0001.jpg"),
        (2000, 4000, "thumb_0002.jpg"),
        (4000, 5500, "thumb_0003.jpg"),
    ]


def test_hours_are_written_out():
    images = [f"{number}.png" for number in range(3)]
    assert "01:00:00.000 --> 02:00:00.000\n1.png" in vtt.render(images, 3600, 9000)


@given(count=st.integers(1, 60), interval=st.floats(0.05, 100), rest=st.floats(0.1, 1))
def test_cues_leave_no_gap_whatever_the_times(count, interval, rest):
    duration = (count - 1) * interval + rest * interval
    found = cues(vtt.render([f"thumb_{n:04}.png" for n in range(1, count + 1)], interval, duration))
    assert len(found) == count
    assert found[0][0] == 0
    assert found[-1][1] == round(duration * 1000)
    assert all(one[1] == after[0] for one, after in pairwise(found))
    assert all(start < end for start, end, _ in found)


def test_an_image_behind_the_end_is_refused():
    with pytest.raises(ValueError, match="3 images, 2 s apart, do not fit 4 s"):
        vtt.render(["a", "b", "c"], 2, 4)


def test_images_are_those_on_disk_in_the_order_of_their_numbers(tmp_path: Path):
    names = ["thumb_9999.jpg", "thumb_10000.jpg", "thumb_0001.jpg"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "thumbnails.vtt").touch()
    images = vtt.shown(tmp_path, "thumb_*.jpg", 1, 3)
    in_order = ["thumb_0001.jpg", "thumb_9999.jpg", "thumb_10000.jpg"]
    assert [image.name for image in images] == in_order


def test_an_image_without_a_millisecond_to_be_shown_in_is_removed(tmp_path: Path):
    for number in range(1, 6):
        (tmp_path / f"thumb_{number:04}.jpg").touch()
    images = vtt.shown(tmp_path, "thumb_*.jpg", 0.5, 2.0000004)
    assert [image.name for image in images] == [f"thumb_000{number}.jpg" for number in range(1, 5)]
    assert len(list(tmp_path.glob("*.jpg"))) == 4
