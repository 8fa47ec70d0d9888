"""SubRip and WebVTT, read by libraries that others wrote."""

import html
import io
from datetime import timedelta

import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.transcoder.speech import subtitles
from orchestrator.transcoder.speech.cues import Cue, cues
from tests.transcoder.speech.wanted import segment, segments


def test_subrip_as_it_stands():
    made = [Cue(0, 1500, ("One", "two")), Cue(3_600_000, 3_601_001, ("a --> b",))]
    assert subtitles.srt(made) == (
        "1\n00:00:00,000 --> 00:00:01,500\nOne\ntwo\n\n2\n01:00:00,000 --> 01:00:01,001\na -> b\n"
    )


def test_webvtt_as_it_stands():
    assert subtitles.vtt([Cue(0, 1500, ("R&D <b> --> c",))]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nR&amp;D &lt;b&gt; --&gt; c\n"
    )


def test_nothing_said_is_a_file_without_cues():
    assert subtitles.srt([]) == ""
    assert webvtt.from_string(subtitles.vtt([])).captions == []


def test_ten_hours_and_more():
    assert "100:00:00,000 --> 100:00:01,000" in subtitles.srt(
        [Cue(360_000_000, 360_001_000, ("x",))]
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(segments(), max_size=4))
def test_subrip_is_read_back(said):
    made = cues(said)
    read = list(srt.parse(subtitles.srt(made), ignore_errors=False))
    assert [cue.index for cue in read] == list(range(1, len(made) + 1))
    for cue, back in zip(made, read, strict=True):
        assert back.start == timedelta(milliseconds=cue.start)
        assert back.end == timedelta(milliseconds=cue.end)
        assert back.content == "\n".join(cue.lines).replace("-->", "->")


@settings(max_examples=60, deadline=None)
@given(st.lists(segments(), max_size=4))
def test_webvtt_is_read_back(said):
    made = cues(said)
    read = webvtt.from_buffer(io.StringIO(subtitles.vtt(made))).captions
    assert len(read) == len(made)
    for cue, back in zip(made, read, strict=True):
        assert round(back.start_in_seconds * 1000) // 1000 == cue.start // 1000
        assert back.start.endswith(f"{cue.start % 1000:03}")
        assert html.unescape(back.raw_text) == "\n".join(cue.lines)


def test_every_line_is_short_in_real_speech():
    said = [segment(place * 20, *(["transcoding"] * 30)) for place in range(3)]
    assert max(len(line) for line in subtitles.srt(cues(said)).splitlines()) <= 42
