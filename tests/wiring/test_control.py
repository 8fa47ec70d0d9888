"""Wishes carried out: the ledger first, then the engine, and the answer."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from orchestrator.ledger import SqlLedger
from orchestrator.ledger.wishes import (
    Answer,
    Cancel,
    Limit,
    Pause,
    Prioritize,
    Resume,
    Retry,
    mailbox,
)
from orchestrator.model import turns
from orchestrator.model.states import State
from orchestrator.wiring import control
from orchestrator.wiring.beside import beside
from orchestrator.wiring.control import Carrier, Control
from tests.ledger.support import HandClock, bring_to, rows, take_in


@dataclass
class FakeEngine:
    """Notes what it was asked for."""

    asked: list = field(default_factory=list)

    def pause(self):
        self.asked.append("pause")

    def resume(self):
        self.asked.append("resume")

    def cancel(self, ids):
        self.asked.append(("cancel", list(ids)))

    def reordered(self, turns):
        self.asked.append(("reordered", dict(turns)))

    def look_again(self):
        self.asked.append("look again")

    def set_limits(self, **limits):
        self.asked.append(limits)


@asynccontextmanager
async def house(tmp_path, engine):
    url, clock = f"sqlite:///{tmp_path}/demo.db", HandClock()
    async with SqlLedger(url, "demo", clock=clock) as ledger:
        await take_in(ledger, rows(5))
        yield Carrier("demo", ledger, turns.AGEING, engine)


async def test_waiting_items_are_reordered_in_the_engine_too(tmp_path, monkeypatch):
    monkeypatch.setattr(control, "CHUNK", 2)
    engine = FakeEngine()
    async with house(tmp_path, engine) as carrier:
        said = await carrier.carry_out(Prioritize("*", 9))
        items = await carrier.ledger.pending(10, ())
    assert said == Answer(True, "5 waiting items now have priority 9", 5, {"pending": 5})
    assert engine.asked.pop() == "look again"
    assert [len(told) for _, told in engine.asked] == [2, 2, 1]
    told = {number: turn for _, some in engine.asked for number, turn in some.items()}
    assert told == {item.id: (9, item.rank) for item in items}


async def test_cancelling_says_what_may_still_be_billed(tmp_path):
    engine = FakeEngine()
    async with house(tmp_path, engine) as carrier:
        first, second, *_ = await carrier.ledger.pending(10, ())
        await bring_to(carrier.ledger, first, State.UPLOADING)
        said = await carrier.carry_out(Cancel("*[03]"))
        assert said.message == "2 cancelled: 1 waiting, 1 uploading"
        assert engine.asked == [("cancel", [1, 4]), "look again"]
        await bring_to(carrier.ledger, second, State.ENCODING)
        said = await carrier.carry_out(Cancel("*"))
        assert said.message.startswith("3 cancelled: 2 waiting, 1 encoding; encodes that")
        assert "billed" in said.message


@pytest.mark.parametrize("live", [True, False])
async def test_what_is_tried_again_is_looked_for_at_once(tmp_path, live):
    engine = FakeEngine()
    async with house(tmp_path, engine if live else None) as carrier:
        await carrier.ledger.alter(lambda change: change.cancel("*0"))
        said = await carrier.carry_out(Retry(match="*"))
    when = "the run takes them up now" if live else "the next run takes them up"
    assert said.message == f"1 item back to pending: {when}"
    assert engine.asked == ["look again"] * live


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Prioritize("x*", 9), "no waiting item has a key that matches 'x*' (keys look like 'item-"),
        (Cancel("x*"), "no unfinished item"),
        (Retry(match="x*"), "no failed or cancelled item"),
        (Retry(failed=True), "nothing to retry: no failed item"),
        (Retry(error_class="nonsense"), "the error class 'nonsense' (none has failed)"),
        (Retry(error_class="bad_input"), "once the manifest is corrected"),
    ],
)
async def test_nothing_that_matches_is_said_and_the_engine_left_alone(tmp_path, wish, words):
    engine = FakeEngine()
    async with house(tmp_path, engine) as carrier:
        said = await carrier.carry_out(wish)
    assert not said.done
    assert words in said.message
    assert engine.asked == []


@pytest.mark.parametrize("wish", [Pause(), Resume(), Limit(uploads=1)])
async def test_without_a_run_there_is_nothing_to_steer(tmp_path, wish):
    async with house(tmp_path, None) as carrier:
        assert await carrier.carry_out(wish) == Answer(False, "no run of demo is under way")


async def test_limits_reach_the_engine_and_the_uploads(tmp_path):
    engine, rates = FakeEngine(), []
    async with house(tmp_path, engine) as carrier:
        carrier = Carrier("demo", carrier.ledger, turns.AGEING, engine, rates.append)
        said = await carrier.carry_out(Limit(in_flight=7, bandwidth=1000))
    assert said.message == (
        "for the rest of this run: at most 7 encodes in flight, "
        "at most 1,000 bytes per second uploaded"
    )
    assert engine.asked == [{"in_flight": 7, "uploads": None, "starts_per_second": None}]
    assert rates == [1000]


async def test_wishes_are_heard_while_it_runs_and_faults_do_not_end_it(tmp_path):
    engine, notes = FakeEngine(), []
    url = f"sqlite:///{tmp_path}/demo.db"
    async with house(tmp_path, engine) as carrier:
        with mailbox(url, "demo") as box:
            async with beside(Control(carrier, notes.append).run()), asyncio.timeout(10):
                for wish, words in ((Pause(), "paused"), (Cancel("x"), "no"), (Resume(), "on")):
                    number = box.post(wish, 1.0)
                    while (said := box.answer(number)) is None:  # noqa: ASYNC110 - a file
                        await asyncio.sleep(0.01)
                    assert words in said.message
    assert engine.asked == ["pause", "resume"]
    assert [note.split(":")[0] for note in notes] == ["By request"] * 2


async def test_a_fault_beside_a_run_leaves_the_run_alone():
    async def breaks():
        raise RuntimeError("beside")

    async with beside(breaks()):
        await asyncio.sleep(0)


async def test_limits_of_one_service_of_several(tmp_path):
    both, one = FakeEngine(), FakeEngine()
    async with house(tmp_path, both) as carrier:
        carrier = replace(carrier, services={"edge": one, "local": FakeEngine()})
        said = await carrier.carry_out(Limit(in_flight=3, service="edge"))
        nowhere = await carrier.carry_out(Limit(in_flight=3, service="egde"))
    assert said.message == "for the rest of this run at edge: at most 3 encodes in flight"
    assert one.asked == [{"in_flight": 3, "uploads": None, "starts_per_second": None}]
    assert both.asked == []
    assert nowhere == Answer(False, "the run has no service 'egde'; it has: edge, local")
