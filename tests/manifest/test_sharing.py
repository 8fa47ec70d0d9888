"""Blocks made by two come out in order, whoever made them, and whatever became of the process."""

from collections import deque
from io import BytesIO
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest import sharing
from orchestrator.manifest.blocks import Block
from orchestrator.manifest.reader import ReaderGone
from orchestrator.manifest.sharing import LEAD, Sharing


class Process:
    """A reader that is up, has answers and is gone when ``moments`` say so."""

    def __init__(self, moments, *, up=True):
        self._moments = iter(moments)
        self._asked = deque()
        self._up = up
        self._gone = False
        self.most_asked = 0
        self.ended = False

    @property
    def asked(self):
        return len(self._asked)

    def is_up(self):
        self._up = self._up or self._next()
        self._check()
        return self._up

    def ask(self, block):
        self._asked.append(block)
        self.most_asked = max(self.most_asked, len(self._asked))
        self._check()

    def has_answer(self):
        return self._next()

    def answer(self):
        self._check()
        return ("process", self._asked.popleft().line)

    def end(self):
        self.ended = True

    def _next(self):
        moment = next(self._moments, True)
        self._gone = self._gone or moment == "gone"
        return self._gone or moment

    def _check(self):
        if self._gone:
            raise ReaderGone


class Own:
    """Makes rows in place of ``PlainRows``."""

    def __init__(self, about):
        pass

    def made(self, text, line):
        return ("here", line)


@pytest.fixture
def begin(monkeypatch):
    """Begins to share with a process."""
    return lambda process: begun(monkeypatch, process)


def begun(patch, process):
    patch.setattr(sharing, "PlainRows", Own)
    patch.setattr(sharing, "Reader", lambda file, about: process)
    patch.setattr(sharing, "WORTH_A_PROCESS", 0)
    patch.setattr(sharing.os, "fstat", lambda number: SimpleNamespace(st_size=1))
    file = BytesIO()
    file.fileno = lambda: 0
    return Sharing(file, None)


def blocks(count):
    return [Block(b"a.mp4\n", number, number) for number in range(count)]


def given_to(shared, count):
    """Who made each block, and its line, as they came out."""
    for block in blocks(count):
        yield from (answer for _, answer in shared.give(block))
    yield from (answer for _, answer in shared.rest())


@given(
    moments=st.lists(st.sampled_from([True, True, False, False, False, "gone"]), max_size=60),
    up=st.booleans(),
    count=st.integers(0, 25),
)
def test_all_come_out_in_their_order(moments, up, count):
    process = Process(moments, up=up)
    with pytest.MonkeyPatch.context() as patch:
        shared = begun(patch, process)
        lines = [line for _, line in given_to(shared, count)]
    assert lines == list(range(count))
    assert process.most_asked <= LEAD


def test_the_start_of_the_process_is_not_waited_for(begin):
    shared = begin(Process([False] * 10, up=False))
    assert [who for who, _ in given_to(shared, 8)] == ["here"] * 5 + ["process"] * 3


def test_while_the_process_is_at_work_others_are_made_here(begin):
    shared = begin(Process([False] * 100))
    out = [answer for block in blocks(6) for _, answer in shared.give(block)]
    assert out == []
    assert [who for who, _ in (answer for _, answer in shared.rest())] == ["process"] * 3 + [
        "here"
    ] * 3


def test_the_process_is_told_of_the_next_before_one_comes_out(begin):
    process = Process([True] * 100)
    shared = begin(process)
    left = [process.asked for block in blocks(20) for _ in shared.give(block)]
    assert left == [LEAD - 1] * (20 - LEAD + 1)


def test_only_so_many_wait_to_come_out(begin):
    shared = begin(Process([False] * 100))
    waiting = 0
    for block in blocks(50):
        waiting += 1 - sum(1 for _ in shared.give(block))
        assert waiting <= 2 * LEAD


def test_what_a_lost_process_had_is_made_here(begin):
    process = Process([False, False, False, "gone"])
    shared = begin(process)
    assert list(given_to(shared, 6)) == [("here", line) for line in range(6)]
    assert process.ended
