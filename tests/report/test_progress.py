"""What a person sees while a run is going on."""

import io
import re
import threading
import time

import pytest
from rich.console import Console

from orchestrator.model.items import Attempt, Item
from orchestrator.model.ports import Phase
from orchestrator.model.states import State
from orchestrator.report import QuietObserver
from orchestrator.report.progress import LiveProgress, PlainProgress, progress
from orchestrator.report.screen import line, picture
from orchestrator.report.tally import Tally


def console(width: int = 100, *, terminal: bool = True, file=None) -> Console:
    file = file or io.StringIO()
    return Console(file=file, force_terminal=terminal, width=width, height=30, _environ={})


def busy(item) -> Tally:
    """A run with everything in it at 100 s: 20 of 200 items done, 4 uploads, 30 encodes."""
    tally = Tally()
    tally.began({State.PENDING: 200}, 0)
    for n in range(20):
        tally.moved(item(n, State.FAILED if n < 2 else State.COMPLETED), State.PENDING, n)
    for n in range(20, 24):
        moved = item(
            n, State.UPLOADING, f"/media/series/a-long-name-of-a-folder/{'x' * 60}/{n}.mov"
        )
        tally.moved(moved, State.PENDING, 50)
        tally.sent(moved, 1_000_000 * n, 100_000_000, 90)
    for n in range(24, 54):
        tally.moved(item(n, State.ENCODING), State.STARTING, 60)
        tally.percent(item(n, State.ENCODING), Phase.RUNNING, n, 90)
    tally.counts[State.STARTING] = 0
    tally.counts[State.PENDING] -= 30
    tally.look(100)
    return tally


def lines(tally: Tally, width: int) -> list[str]:
    out = console(width, terminal=False)
    out.print(picture("night", tally, 100.0, width))
    return out.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 140, 220])
def test_the_picture_fits_and_keeps_its_height(item, width):
    full, empty = lines(busy(item), width), lines(Tally(), width)
    assert len(full) == len(empty) == 13
    assert all(len(line) <= width for line in full + empty)
    assert full[0].endswith("left")


def test_the_picture_says_how_things_stand(item):
    shown = "\n".join(lines(busy(item), 100))
    assert "20 of 200" in shown
    assert "18 completed · 2 failed" in shown
    assert "30 running, 38% on average · 0 queued" in shown
    assert "86.0 MB sent" in shown
    assert re.search(r"upload +…\S+/20\.mov +20%  of 100 MB", shown)
    assert "and 28 more items under way" in shown


def shared(item) -> Tally:
    """Three services: 2 items under way at one, 1 of them from before the run; 2 done, 1 failed."""
    tally = Tally()
    tally.began({State.PENDING: 5, State.ENCODING: 1}, 0, ("edge", "a-service-of-a-long-name", "x"))

    def at(service: str, number: int, state: State) -> Item:
        made = item(number, state)
        made.attempt = Attempt(1, service, "", "")
        return made

    tally.percent(at("edge", 1, State.ENCODING), Phase.RUNNING, 5, 1)
    tally.moved(at("edge", 2, State.UPLOADING), State.PENDING, 1)
    for number, ended in ((3, State.COMPLETED), (4, State.FAILED), (5, State.FAILED)):
        tally.moved(at("edge", number, State.ENCODING), State.PENDING, 2)
        tally.moved(at("edge", number, ended), State.ENCODING, 3)
    tally.moved(at("edge", 5, State.PENDING), State.FAILED, 4)
    tally.moved(at("a-service-of-a-long-name", 5, State.UPLOADING), State.PENDING, 4)
    tally.moved(at("a-service-of-a-long-name", 5, State.COMPLETED), State.COLLECTING, 5)
    tally.moved(item(6, State.CANCELLED), State.PENDING, 6)
    return tally


@pytest.mark.parametrize("width", [80, 140])
def test_several_services_have_a_line_each(item, width):
    shown = lines(shared(item), width)
    assert len(shown) == 16
    assert all(len(line) <= width for line in shown)
    assert shown[5:8] == [
        "  edge            2 in flight · 1 completed · 1 failed",
        "  …f-a-long-name  0 in flight · 1 completed · 0 failed",
        "  x               0 in flight · 0 completed · 0 failed",
    ]


def test_a_line_of_text_names_several_services(item):
    said = line("night", shared(item), 10)
    assert "; at edge 2 in flight, 1 completed, 1 failed; at a-service-of-a-long-name 0" in said
    assert " at " not in line("night", Tally(), 10)


def test_what_is_at_work_is_shown_before_what_waits(item):
    tally = Tally()
    for n in range(9):
        tally.moved(item(n, State.ENCODING), State.STARTING, 0)
        tally.percent(item(n, State.ENCODING), Phase.QUEUED if n < 8 else Phase.RUNNING, 40, 1)
    shown = lines(tally, 80)
    assert "1 running, 40% on average · 8 queued" in shown[2]
    assert "/media/8.mov" in shown[6]
    assert "/media/0.mov" in shown[7]


def test_nothing_is_made_up_before_anything_is_known():
    shown = "\n".join(lines(Tally(), 80))
    assert "– left" in shown
    assert "0 of –" in shown


def test_no_colour_where_none_is_wanted(item, monkeypatch):
    file = io.StringIO()
    plain = Console(file=file, force_terminal=True, width=90, _environ={"NO_COLOR": "1"})
    plain.print(picture("night", busy(item), 100.0, 90))
    colours = re.findall(r"\x1b\[([\d;]*)m", file.getvalue())
    assert not [c for c in colours if re.search(r"(^|;)(3[1-7]|9[0-7])($|;)", c)]


def test_the_observer_suits_the_console(clock):
    assert isinstance(progress("j", console(), clock), LiveProgress)
    assert isinstance(progress("j", console(terminal=False), clock), PlainProgress)


def test_plain_lines_come_every_half_minute_and_notes_at_once(item, clock):
    out = console(terminal=False)
    observer = PlainProgress("night", out, clock)
    observer.began({State.PENDING: 3, State.COMPLETED: 1})
    observer.show(clock.monotonic())
    assert out.file.getvalue() == ""
    observer.note("qencode is busy")
    clock.time += 10
    observer.moved(item(1, State.UPLOADING), State.PENDING)
    observer.show(clock.monotonic())
    assert re.fullmatch(r"\d\d:\d\d:\d\d qencode is busy\n", out.file.getvalue())
    clock.time += 20
    observer.show(clock.monotonic())
    said = out.file.getvalue().splitlines()
    assert len(said) == 2
    assert "night: 1 of 4 done (25.0%), –, time left unknown; uploading 1 at" in said[1]
    clock.time += 29
    observer.show(clock.monotonic())
    assert len(out.file.getvalue().splitlines()) == 2


def test_a_live_run_draws_and_leaves_the_terminal_clean(item, clock):
    out = console()
    with LiveProgress("night", out, clock) as observer:
        observer.began({State.PENDING: 1})
        observer.moved(item(1, State.UPLOADING), State.PENDING)
        observer.sent(item(1, State.UPLOADING), 5, 10)
        observer.percent(item(1, State.UPLOADING), Phase.RUNNING, 1)
        observer.got(item(1, State.UPLOADING), 6, None)
        observer.note("a [note] about\x1b[31m it")
    shown = out.file.getvalue()
    assert "\x1b[?25l" in shown
    assert shown.rstrip().endswith("\x1b[2K")  # the picture is wiped
    assert "a [note] about" in shown
    assert "\x1b[31m it" not in shown
    assert not observer._thread.is_alive()


class StandingStill(io.StringIO):
    """A terminal that takes nothing: writing to it ends only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.go.wait(30)
        return super().write(text)


def test_a_terminal_that_stands_still_does_not_hold_up_the_run(item, clock, monkeypatch):
    monkeypatch.setattr("orchestrator.report.progress._PATIENCE", 0.05)
    file = StandingStill()
    before = time.monotonic()
    with LiveProgress("night", console(file=file), clock) as observer:
        assert file.reached.wait(5)
        for n in range(1000):
            observer.moved(item(n, State.UPLOADING), State.PENDING)
            observer.note("still here")
    assert time.monotonic() - before < 5
    file.go.set()
    observer._thread.join(5)


class Gone(io.StringIO):
    """A terminal that has gone away."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_goes_away_does_not_end_the_run(clock):
    with LiveProgress("night", console(file=Gone()), clock) as observer:
        observer.note("anybody?")
        observer._thread.join(5)
        assert not observer._thread.is_alive()


def test_the_quiet_observer_hears_and_says_nothing(item, capsys):
    with QuietObserver() as observer:
        observer.began({})
        observer.moved(item(1), State.PENDING)
        observer.sent(item(1), 1, 2)
        observer.percent(item(1), Phase.DONE, 100)
        observer.got(item(1), 1, None)
        observer.note("x")
    assert capsys.readouterr() == ("", "")
