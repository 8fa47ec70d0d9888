"""Random steps, reruns and restarts against a model that is a few lines of Python."""

import asyncio
import itertools
import shutil
import tempfile
from dataclasses import replace

from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from orchestrator.ledger import LedgerReader, SqlLedger
from orchestrator.model.errors import Superseded
from orchestrator.model.items import Change, Item, Output
from orchestrator.model.states import IN_FLIGHT, MOVES, State
from tests.ledger.support import HandClock, Recipe, begin, empty_ledger, row

KEYS = [f"k{number}" for number in range(3)]


class LedgerMachine(RuleBasedStateMachine):
    """The model: each item's last snapshot, its outputs, and how many steps it took."""

    snapshots = Bundle("snapshots")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp()
        shutil.copy(empty_ledger(), f"{self.folder}/demo.db")
        self.url = f"sqlite:///{self.folder}/demo.db"
        self.clock = HandClock()
        self.runner = asyncio.Runner()
        self.items: dict[str, Item] = {}
        self.outputs: dict[tuple[str, int], tuple[Output, ...]] = {}
        self.steps: dict[str, int] = {}
        self.seen: set[str] = set()
        self.ledger: SqlLedger | None = None

    @initialize()
    def start(self):
        self._open()
        self._take_in(dict.fromkeys(KEYS, "f1"))

    def teardown(self):
        if self.ledger is not None:
            self._close()
            self.every_step_is_an_event()
        self.runner.close()
        shutil.rmtree(self.folder)

    # --- rules ----------------------------------------------------------------

    @rule(
        target=snapshots,
        key=st.sampled_from(KEYS),
        data=st.data(),
        outputs=st.none() | st.lists(st.sampled_from("abc"), max_size=3),
        wait=st.sampled_from([0.0, 50.0]),
        told=st.booleans(),
    )
    def move(self, key, data, outputs, wait, told):
        item = self.items[key]
        now_state = data.draw(st.sampled_from(sorted(MOVES[item.state])))
        now = self._stepped(item, now_state, wait)
        reported = self._reported(now, outputs)
        self._post(Change(now, item.state, reported, since=item if told else None))
        self._record(item, now, reported)
        return item, now

    @rule(stale=snapshots)
    def write_again_what_was_written(self, stale):
        """A process that was frozen wakes up and posts its step once more."""
        was, now = stale
        present = self.items[now.key]
        assume((present.state, present.attempts) != (was.state, was.attempts))
        try:
            self._post(Change(now, was.state))
        except Superseded:
            return
        raise AssertionError(f"a stale step from {was.state} to {now.state} was taken")

    @rule(key=st.sampled_from(KEYS), data=st.data(), told=st.booleans())
    def batch(self, key, data, told):
        """Steps of one item posted at once, the last one awaited."""
        changes, item = [], self.items[key]
        for _ in range(data.draw(st.integers(2, 4))):
            now = self._stepped(item, data.draw(st.sampled_from(sorted(MOVES[item.state]))), 0.0)
            changes.append((item, now))
            item = now

        async def post():
            waiting = [
                self.ledger.post(Change(now, was.state, since=was if told else None))
                for was, now in changes
            ]
            await waiting[-1]

        self._run(post())
        for was, now in changes:
            self._record(was, now, None)

    @rule(rows=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["", "f1", "f2"])))
    def rerun(self, rows):
        self._take_in(rows)

    @rule()
    def restart(self):
        self._close()
        self._open()

    @rule(seconds=st.sampled_from([10.0, 100.0]))
    def time_passes(self, seconds):
        self.clock.time += seconds

    # --- what must hold -------------------------------------------------------

    @invariant()
    def the_ledger_has_every_item_as_the_model_has_it(self):
        if self.ledger is None:
            return
        ours = [item for key, item in self.items.items() if key in self.seen]
        by_id = sorted(ours, key=lambda item: item.id)
        now = self.clock.now()
        due = [item for item in by_id if item.state is State.PENDING and item.due_at <= now]
        assert self._run(self.ledger.pending(99, ())) == due
        flying = [item for item in by_id if item.state in IN_FLIGHT]
        assert self._run(self.ledger.in_flight(IN_FLIGHT, 0, 99)) == flying
        later = [item.due_at for item in by_id if item.state is State.PENDING and item not in due]
        assert self._run(self.ledger.next_due(now)) == min(later, default=None)
        counts = self._run(self.ledger.counts())
        assert counts == {
            state: count for state in State if (count := sum(item.state is state for item in ours))
        }
        for item in flying:
            expected = self.outputs.get((item.key, item.attempts), ())
            assert self._run(self.ledger.outputs(item)) == expected

    def every_step_is_an_event(self):
        reader = LedgerReader(self.url, "demo")
        for key, steps in self.steps.items():
            history = reader.history(key)
            assert len(history) == steps
            assert not history or history[-1].now is self.items[key].state
            for before, after in itertools.pairwise(history):
                assert before.now is after.was

    # --- helpers --------------------------------------------------------------

    def _run(self, awaitable):
        async def wait():
            return await awaitable

        return self.runner.run(wait())

    def _post(self, change):
        async def post():
            await self.ledger.post(change)

        self.runner.run(post())

    def _open(self):
        async def enter():
            ledger = SqlLedger(self.url, "demo", clock=self.clock)
            return await ledger.__aenter__()

        self.ledger = self.runner.run(enter())

    def _close(self):
        self._run(self.ledger.__aexit__(None, None, None))
        self.ledger = None

    def _take_in(self, fingerprints):
        manifest = [row(key, fingerprint=print_) for key, print_ in fingerprints.items()]

        async def take_in():
            await self.ledger.begin_run("s", "m", {})
            return await self.ledger.ingest(
                manifest, Recipe(), keep_going=False, retry=lambda word: word == "transient"
            )

        assert self.runner.run(take_in()).taken
        self.seen = set(fingerprints)
        for each in manifest:
            self._see(each)

    def _see(self, each):
        item = self.items.get(each.key)
        if item is None:
            found = {item.key: item for item in self._run(self.ledger.pending(99, ()))}
            self.items[each.key] = found[each.key]
            self.steps[each.key] = 0
            return
        known = each.fingerprint and item.fingerprint and each.fingerprint != item.fingerprint
        again = known and item.state not in {State.PENDING, State.CANCELLED}
        again = again or (item.state is State.FAILED and item.error_class == "transient")
        now = replace(item, fingerprint=each.fingerprint or item.fingerprint)
        if again:
            now = replace(
                now, state=State.PENDING, attempt=None, due_at=0.0, error=None, error_class=None
            )
            self.steps[each.key] += 1
        self.items[each.key] = now

    def _stepped(self, item, state, wait):
        if item.state is State.PENDING and state in {State.UPLOADING, State.UPLOADED}:
            return begin(item, state)
        if state is State.PENDING:
            return item.to(state, attempt=None, due_at=self.clock.now() + wait)
        if state is State.FAILED:
            return item.to(state, error_class="transient", error="why")
        if item.attempt is not None and item.state is State.ENCODING:
            return item.noting(state, status_url=f"/status/{self.steps[item.key]}")
        return item.to(state)

    def _reported(self, now, tags):
        if tags is None or now.attempt is None:
            return None
        return tuple(Output(tag, "video", f"s3://b/{tag}") for tag in tags)

    def _record(self, was, now, outputs):
        self.items[now.key] = now
        self.steps[now.key] += 1
        if outputs is not None:
            self.outputs[now.key, now.attempts] = outputs


LedgerMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
TestLedger = LedgerMachine.TestCase
