"""Texts cut into segments: every cue is in each segment that it touches, and in no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.transcoder.packaging.subtitles import read_text
from orchestrator.transcoder.ports import MediaError
from tests.transcoder.packaging.media import SUBTITLES


def _stamp(thousandths: int) -> str:
    seconds, rest = divmod(thousandths, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"


CUES = st.lists(
    st.tuples(st.integers(0, 4_000_000), st.integers(1, 30_000)).map(lambda it: (it[0], sum(it))),
    max_size=8,
)


@given(CUES, st.integers(1, 20), st.sampled_from(["\n", "\r\n", "\r"]))
def test_cues_are_where_they_are_seen(
    cues: list[tuple[int, int]], length: int, newline: str
) -> None:
    blocks = [
        f"{_stamp(start)} --> {_stamp(end)}\ncue <{at}>" for at, (start, end) in enumerate(cues)
    ]
    content = "\n\n".join(("WEBVTT - a title", *blocks)).replace("\n", newline)
    text = read_text(content)
    total = 4_050 / 8
    for number, (seconds, piece) in enumerate(text.pieces(length, total, 90)):
        start, end = number * length * 1000, (number * length + seconds) * 1000
        assert seconds <= length
        for at, cue in enumerate(cues):
            assert (f"cue <{at}>" in piece) == (cue[0] < end and cue[1] > start)


def test_styles_are_shared_and_notes_are_not() -> None:
    text = read_text("\ufeff" + SUBTITLES)
    assert text.seconds == 2.8
    pieces = [piece for _, piece in text.pieces(1, 3, 0)]
    assert all("::cue { color: lime }" in piece for piece in pieces)
    assert not any("NOTE" in piece for piece in pieces)
    assert "two\n00:00:02.200 --> 00:00:02.800\nGeneral" in pieces[2]


@pytest.mark.parametrize("content", ["", "WEBVTTx\n", "1\n00:00:01,000 --> 00:00:02,000\nsrt"])
def test_what_is_no_webvtt(content: str) -> None:
    with pytest.raises(MediaError, match="WebVTT"):
        read_text(content)
