"""Where the worker cuts hours of sound."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.transcoder.speech.worker import RATE, cuts


def test_it_cuts_where_it_is_quiet():
    samples = np.full(100 * RATE, 1000, np.int16)
    samples[36 * RATE : 37 * RATE] = 0
    samples[71 * RATE : 72 * RATE] = 5
    found = list(cuts(samples, stretch=40 * RATE, search=10 * RATE))
    first, second, third = (start / RATE for start, _ in found)
    assert first == 0
    assert 36 < second < 37
    assert 71 < third < 72


def test_the_loudest_sample_is_not_taken_for_silence():
    samples = np.full(20 * RATE, -32768, np.int16)
    samples[8 * RATE : 9 * RATE] = 100
    (_, first), _ = cuts(samples, stretch=10 * RATE, search=4 * RATE)
    assert first == int(8.1 * RATE)


def test_no_sound_at_all_is_no_stretch():
    assert list(cuts(np.zeros(0, np.int16))) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60 * RATE))
def test_stretches_cover_everything_once(length):
    samples = np.zeros(length, np.int16)
    found = list(cuts(samples, stretch=10 * RATE, search=4 * RATE))
    assert found[0][0] == 0
    assert found[-1][1] == length
    assert all(one[1] == two[0] for one, two in pairwise(found))
    assert all(0 < end - start <= 14 * RATE for start, end in found)
