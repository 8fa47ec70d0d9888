"""Cues: what stands on the screen, and when."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.transcoder.speech.cues import LINE, cues
from orchestrator.transcoder.speech.heard import Segment, Word
from orchestrator.transcoder.speech.widths import width
from tests.transcoder.speech.wanted import segment, segments


def spoken(sentence: str) -> Segment:
    return segment(0, *sentence.split())


def test_a_short_sentence_is_one_line_from_its_first_word_to_its_last():
    (cue,) = cues([segment(1.0, "The", "night", "shift", "has", "finished.")])
    assert (cue.start, cue.end, cue.lines) == (1000, 3000, ("The night shift has finished.",))


def test_a_long_sentence_is_two_lines_alike_in_width():
    (cue,) = cues([spoken("one two three four five six seven eight nine ten")])
    assert cue.lines == ("one two three four five", "six seven eight nine ten")


def test_a_line_rather_ends_behind_a_comma():
    (cue,) = cues([spoken("When all of it has been done, everybody goes home at last")])
    assert cue.lines == ("When all of it has been done,", "everybody goes home at last")


def test_what_does_not_fit_two_lines_goes_on_in_the_next_cue():
    made = cues([segment(0, *(["sixteen-letters!"] * 12), each=0.1)])
    assert len(made) > 1
    assert all(len(cue.lines) <= 2 and max(map(width, cue.lines)) <= LINE for cue in made)


def test_no_cue_stands_longer_than_seven_seconds():
    made = cues([segment(0, *("word" for _ in range(10)), each=2.0)])
    assert [cue.end - cue.start for cue in made] == [6000, 6000, 6000, 2000]


def test_a_pause_and_a_full_stop_begin_a_new_cue():
    words = segment(0, "Good", "morning.").words
    later = segment(4, "The", "shift", "has", "finished", "early.", "All", "sleep.").words
    made = cues([Segment(0, 8, "", (*words, *later))])
    texts = [" ".join(cue.lines) for cue in made]
    assert texts == ["Good morning.", "The shift has finished early.", "All sleep."]
    assert (made[0].start, made[0].end) == (0, 1000)


def test_parts_of_one_word_stay_together():
    words = (*segment(0, "It", "cost").words, Word(0.8, 9.0, " 200", 0.9), Word(9, 17, ",000", 0.9))
    made = cues([Segment(0, 17, "", words)])
    assert [cue.lines for cue in made] == [("It cost",), ("200,000",)]


def test_scripts_without_spaces_are_broken_between_words_and_count_double():
    words = tuple(Word(n * 0.2, n * 0.2 + 0.2, "夜間", 0.9) for n in range(15))
    (cue,) = cues([Segment(0, 3, "夜間" * 15, words)])
    assert cue.lines == ("夜間" * 7, "夜間" * 8)
    assert width(cue.lines[1]) == 32


def test_words_without_times_share_the_time_of_their_segment():
    made = cues([Segment(10, 30, " " + " ".join(["word"] * 40))])
    assert made[0].start == 10_000
    assert made[-1].end == 30_000
    assert sum(len(" ".join(cue.lines).split()) for cue in made) == 40


def test_a_brief_word_stands_for_a_second_unless_the_next_comes_sooner():
    apart = cues([segment(0, "No.", each=0.1), segment(5, "Yes.", each=0.1)])
    close = cues([segment(0, "No.", each=0.1), segment(0.5, "Yes.", each=0.1)])
    assert [cue.end - cue.start for cue in apart] == [1000, 1000]
    assert [cue.end - cue.start for cue in close] == [500, 1000]


@settings(max_examples=60, deadline=None)
@given(st.lists(segments(), max_size=4))
@pytest.mark.slow
def test_cues_never_overlap_and_never_are_empty(said):
    made = cues(said)
    assert all(0 <= cue.start < cue.end for cue in made)
    assert all(one.end <= two.start for one, two in pairwise(made))
    for cue in made:
        assert 1 <= len(cue.lines) <= 2
        assert all(line.strip() == line and line and "\n" not in line for line in cue.lines)


@settings(max_examples=60, deadline=None)
@given(st.lists(segments(), max_size=4))
def test_every_word_is_in_a_cue(said):
    shown = "".join("".join(line.split()) for cue in cues(said) for line in cue.lines)
    spoken = "".join(
        "".join("".join(word.text for word in each.words if word.text.strip()).split())
        or "".join(each.text.split())
        for each in said
    )
    assert sorted(shown) == sorted(spoken)


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("日本", 4), ("é", 1), ("\u200d", 0)])
def test_width(text, columns):
    assert width(text) == columns
