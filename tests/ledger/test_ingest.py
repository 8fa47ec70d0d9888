import asyncio
import itertools
import sqlite3
import threading
import tracemalloc
from contextlib import closing
from dataclasses import replace

import pytest

from orchestrator.ledger import LedgerReader
from orchestrator.model.decisions import Action
from orchestrator.model.items import Change, Problem, StitchPart
from orchestrator.model.states import IN_FLIGHT, State
from orchestrator.model.turns import Order
from tests.ledger.support import Recipe, always, begin, bring_to, never, row, rows, take_in


async def stand(ledger, key):
    """An item, wherever it stands among pending and in flight."""
    items = [*await ledger.pending(100, ()), *await ledger.in_flight(IN_FLIGHT, 0, 100)]
    return next(item for item in items if item.key == key)


async def test_a_row_comes_back_whole(opened):
    full = replace(
        row("a", line=7),
        source=None,
        stitch=(StitchPart("s3://b/1.mp4", 1.5, None), StitchPart("s3://b/2.mp4")),
        priority=9,
        payload='{"order": 7}',
        tags=("news", "größe"),
        fields={"title": "Ü", "id": "a"},
        fingerprint="f9",
        size=123,
    )
    async with opened() as ledger:
        taken = await take_in(ledger, [full], Recipe(digest="d9"))
        item = await stand(ledger, "a")
    assert (taken.total, taken.taken, dict(taken.counts)) == (1, True, {Action.NEW: 1})
    for name in (
        "key",
        "source",
        "stitch",
        "priority",
        "payload",
        "tags",
        "fields",
        "size",
        "line",
    ):
        assert getattr(item, name) == getattr(full, name), name
    assert (item.fingerprint, item.digest) == ("f9", "d9")
    assert (item.state, item.attempts, item.attempt, item.due_at) == (State.PENDING, 0, None, 0.0)


async def test_urgent_rows_come_first(opened):
    manifest = [row("low", priority=1), row("high", priority=9), row("also", priority=9)]
    async with opened() as ledger:
        await take_in(ledger, manifest)
        assert [item.key for item in await ledger.pending(9, ())] == ["high", "also", "low"]


CASES = [
    # brought to, error class, fingerprint now, digest now, retry: action, state after
    (State.PENDING, None, "f2", "d2", never, Action.KEEP, State.PENDING),
    (State.COMPLETED, None, "f1", "d1", never, Action.SKIP, State.COMPLETED),
    (State.COMPLETED, None, "", "d1", never, Action.SKIP, State.COMPLETED),
    (State.COMPLETED, None, "f2", "d1", never, Action.AGAIN, State.PENDING),
    (State.COMPLETED, None, "f1", "d2", never, Action.AGAIN, State.PENDING),
    (State.UPLOADING, None, "f1", "d1", never, Action.REATTACH, State.UPLOADING),
    (State.ENCODING, None, "f1", "d1", never, Action.REATTACH, State.ENCODING),
    (State.ENCODING, None, "f2", "d1", never, Action.AGAIN, State.PENDING),
    (State.FAILED, "encode_failed", "f1", "d1", never, Action.LEAVE_FAILED, State.FAILED),
    (State.FAILED, "encode_failed", "f1", "d1", always, Action.AGAIN, State.PENDING),
    (State.FAILED, "encode_failed", "f2", "d1", never, Action.AGAIN, State.PENDING),
    (State.CANCELLED, None, "f2", "d2", always, Action.LEAVE_CANCELLED, State.CANCELLED),
]


@pytest.mark.parametrize(
    ("was", "error_class", "fingerprint", "digest", "retry", "action", "after"), CASES
)
async def test_a_rerun_does_what_was_decided(
    opened, url, was, error_class, fingerprint, digest, retry, action, after
):
    async with opened() as ledger:
        await take_in(ledger, [row("a", line=2)])
        item = await stand(ledger, "a")
        if was in {State.FAILED, State.CANCELLED}:
            ending = begin(item).to(was, error_class=error_class, error="why")
            await ledger.post(Change(ending, item.state))
        else:
            await bring_to(ledger, item, was)
        again = row("a", line=5, fingerprint=fingerprint)
        taken = await take_in(ledger, [again], Recipe(digest=digest), retry=retry)
        assert dict(taken.counts) == {action: 1}
        assert await ledger.counts() == {after: 1}
        reader = LedgerReader(url, "demo")
        steps = len(reader.history("a"))
        if action is Action.AGAIN:
            item = await stand(ledger, "a")
            assert (item.attempt, item.error, item.error_class) == (None, None, None)
            assert (item.fingerprint or "f1", item.digest) == (fingerprint, digest)
            last = reader.history("a")[-1]
            assert (last.was, last.now, last.run) == (was, State.PENDING, 2)
            assert last.note
        else:
            assert all(event.run == 1 for event in reader.history("a")[:steps])


async def test_a_version_that_becomes_known_is_put_on_record(opened):
    async with opened() as ledger:
        await take_in(ledger, [row("a", fingerprint="")])
        await bring_to(ledger, await stand(ledger, "a"), State.COMPLETED)
        await take_in(ledger, [row("a", fingerprint="f7")])
        taken = await take_in(ledger, [row("a", fingerprint="f8")])
        assert dict(taken.counts) == {Action.AGAIN: 1}


async def test_an_unknown_version_does_not_wipe_the_one_on_record(opened):
    async with opened() as ledger:
        await take_in(ledger, [row("a", fingerprint="f1")])
        await bring_to(ledger, await stand(ledger, "a"), State.COMPLETED)
        await take_in(ledger, [row("a", fingerprint="")])
        taken = await take_in(ledger, [row("a", fingerprint="f2")])
        assert dict(taken.counts) == {Action.AGAIN: 1}


async def test_a_changed_source_ends_the_attempt_that_was_under_way(opened, url, clock, path):
    async with opened() as ledger:
        await take_in(ledger, [row("a")])
        await bring_to(ledger, await stand(ledger, "a"), State.ENCODING)
        clock.time += 100
        await take_in(ledger, [row("a", fingerprint="f2")])
        item = await stand(ledger, "a")
        assert item.attempts == 1
        await ledger.post(Change(begin(item), item.state))
    assert LedgerReader(url, "demo").history("a")[-2].note.startswith("source changed; the old")
    with sqlite3.connect(path) as database:
        ended = database.execute("SELECT number, ended_at, error FROM attempts").fetchall()
    database.close()
    why = "source changed; the old encode is left to the service"
    assert ended == [(1, clock.time, why), (2, None, None)]


async def test_rows_that_are_gone_from_the_manifest_keep_their_state_and_stay_out(opened, url):
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        await take_in(ledger, rows(2))
        assert [item.key for item in await ledger.pending(9, ())] == ["item-00000", "item-00001"]
        assert await ledger.counts() == {State.PENDING: 2}
        assert LedgerReader(url, "demo").earlier() == {State.PENDING: 1}
        taken = await take_in(ledger, rows(3))
        assert dict(taken.counts) == {Action.KEEP: 3}


async def test_jobs_of_one_ledger_do_not_mix(opened):
    async with opened("one") as ledger:
        await take_in(ledger, rows(3))
    async with opened("two") as ledger:
        taken = await take_in(ledger, rows(2))
        assert dict(taken.counts) == {Action.NEW: 2}
        assert await ledger.counts() == {State.PENDING: 2}


BAD = Problem("m.csv", "is no number", field="priority", line=4, key="b")


async def test_problems_keep_the_whole_manifest_out(opened, url):
    async with opened() as ledger:
        await take_in(ledger, [row("old")])
        taken = await take_in(ledger, [row("a"), BAD, Problem("m.csv", "is empty", line=5)])
        assert not taken.taken
        assert (taken.total, taken.problem_count) == (3, 2)
        assert taken.problems[0] == BAD
        assert [item.key for item in await ledger.pending(9, ())] == ["old"]
    assert LedgerReader(url, "demo").counts() == {State.PENDING: 1}


async def test_keep_going_sets_bad_rows_aside(opened, url):
    manifest = [row("a"), BAD, Problem("m.csv", "is empty", line=5), row("c", line=6)]
    async with opened() as ledger:
        taken = await take_in(ledger, manifest, Recipe(bad={"c"}), keep_going=True)
        assert taken.taken
        assert dict(taken.counts) == {Action.NEW: 1, Action.SET_ASIDE: 3}
        assert await ledger.counts() == {State.PENDING: 1, State.FAILED: 3}
    failures = {failure.key: failure for failure in LedgerReader(url, "demo").failures(10)}
    assert failures.keys() == {"b", "m.csv:5", "c"}
    assert {failure.error_class for failure in failures.values()} == {"bad_input"}
    assert failures["b"].error == "m.csv:4: priority: is no number"


@pytest.mark.slow
async def test_a_row_that_can_be_read_again_is_taken_up(opened):
    async with opened() as ledger:
        await take_in(ledger, [BAD], keep_going=True)
        taken = await take_in(ledger, [row("b")])
        assert dict(taken.counts) == {Action.AGAIN: 1}
        assert (await stand(ledger, "b")).source == "/media/b.mp4"


@pytest.mark.parametrize(
    ("was", "after"),
    [
        (State.PENDING, State.FAILED),
        (State.ENCODING, State.ENCODING),
        (State.COMPLETED, State.COMPLETED),
    ],
)
async def test_a_typing_error_throws_away_no_work(opened, url, was, after):
    async with opened() as ledger:
        await take_in(ledger, [row("b")])
        await bring_to(ledger, await stand(ledger, "b"), was)
        taken = await take_in(ledger, [BAD], keep_going=True)
        assert dict(taken.counts) == {Action.SET_ASIDE: 1}
        assert await ledger.counts() == {after: 1}
    if after is State.FAILED:
        last = LedgerReader(url, "demo").history("b")[-1]
        assert (last.was, last.now) == (State.PENDING, State.FAILED)


@pytest.mark.parametrize("between", [0, 2000])
async def test_a_repeated_key_is_told_with_both_lines(opened, between):
    manifest = [row("a", line=2), *rows(between), row("a", line=9000)]
    async with opened() as ledger:
        taken = await take_in(ledger, manifest)
        assert not taken.taken
        assert "; ".join(map(str, taken.problems)) == (
            "m.csv:9000: a is in the manifest already, on line 2 "
            "(remove one of the two, or give each an id of its own)"
        )
        assert await ledger.counts() == {}


@pytest.mark.parametrize("between", [0, 2000])
async def test_keep_going_takes_the_first_row_of_a_key(opened, url, between):
    manifest = [
        *(row("a", line=2), *rows(between), row("a", line=9000, priority=1)),
        Problem("m.csv", "bad", line=9001, key="a"),
    ]
    async with opened() as ledger:
        taken = await take_in(ledger, manifest, keep_going=True)
        assert dict(taken.counts) == {Action.NEW: 1 + between, Action.SET_ASIDE: 2}
        assert (await stand(ledger, "a")).line == 2
    failed = [failure.key for failure in LedgerReader(url, "demo").failures(9)]
    assert failed == ["m.csv:9000", "m.csv:9001"]


async def test_a_rerun_sees_the_same_key_in_two_runs_as_no_repetition(opened):
    async with opened() as ledger:
        await take_in(ledger, [row("a", line=2)])
        taken = await take_in(ledger, [row("a", line=2)])
        assert taken.problem_count == 0


FOLDERS = Recipe(folder="/out/{stem}")


async def test_rows_that_would_write_to_one_folder_are_a_problem(opened):
    manifest = [row("a", line=2), row("b", line=3, fields={"stem": "a"}), row("c", line=4)]
    async with opened() as ledger:
        taken = await take_in(ledger, manifest, FOLDERS)
        assert not taken.taken
        assert "; ".join(map(str, taken.problems)) == (
            "m.csv:3: would write to the same folder as line 2: /out/a "
            "(add {parent} or {id} to [collect] into)"
        )


async def test_keep_going_leaves_a_folder_to_the_first_row(opened, url):
    manifest = [row("a", line=2), row("b", line=3, fields={"stem": "a"}), row("c", line=4)]
    async with opened() as ledger:
        taken = await take_in(ledger, manifest, FOLDERS, keep_going=True)
        assert dict(taken.counts) == {Action.NEW: 2, Action.SET_ASIDE: 1}
        assert [item.key for item in await ledger.pending(9, ())] == ["a", "c"]
        taken = await take_in(ledger, manifest, FOLDERS, keep_going=True)
        assert dict(taken.counts) == {Action.KEEP: 2, Action.SET_ASIDE: 1}
        taken = await take_in(ledger, [manifest[1]], FOLDERS)
        assert dict(taken.counts) == {Action.AGAIN: 1}
    assert [event.now for event in LedgerReader(url, "demo").history("b")][-1] is State.PENDING


async def test_a_folder_that_has_outputs_already_is_not_given_to_another_row(opened):
    async with opened() as ledger:
        await take_in(ledger, [row("b", fields={"stem": "a"})], FOLDERS)
        await bring_to(ledger, await stand(ledger, "b"), State.COMPLETED)
        manifest = [row("a", line=2), row("b", line=3, fields={"stem": "a"})]
        taken = await take_in(ledger, manifest, FOLDERS, keep_going=True)
        assert dict(taken.counts) == {Action.SKIP: 1, Action.SET_ASIDE: 1}
        assert await ledger.counts() == {State.COMPLETED: 1, State.FAILED: 1}


async def test_rows_of_earlier_manifests_do_not_clash(opened):
    async with opened() as ledger:
        await take_in(ledger, [row("a")], FOLDERS)
        taken = await take_in(ledger, [row("b", fields={"stem": "a"})], FOLDERS)
        assert taken.taken


async def test_many_clashes_are_counted_and_the_first_are_kept(opened):
    manifest = [row(f"r{number}", line=number, fields={"stem": "x"}) for number in range(1, 2502)]
    async with opened() as ledger:
        taken = await take_in(ledger, manifest, FOLDERS)
        assert (taken.problem_count, len(taken.problems)) == (2500, 1000)
        taken = await take_in(ledger, manifest, FOLDERS, keep_going=True)
        assert dict(taken.counts) == {Action.NEW: 1, Action.SET_ASIDE: 2500}


async def test_a_name_that_is_not_utf8_is_a_problem_of_its_row(opened):
    name = b"/media/\xff.mp4".decode(errors="surrogateescape")
    manifest = [row("a"), row("b", source=name, line=3), row(name, line=4)]
    manifest.append(row("c", fields={"title": name}, line=5))
    async with opened() as ledger:
        taken = await take_in(ledger, manifest)
        assert [problem.line for problem in taken.problems] == [3, 4, 5]
        assert "is not valid UTF-8" in taken.problems[0].message
        taken = await take_in(ledger, manifest, keep_going=True)
        assert dict(taken.counts) == {Action.NEW: 1, Action.SET_ASIDE: 3}


async def test_what_the_rows_raise_comes_out_and_leaves_nothing(opened):
    def broken():
        yield from rows(3000)
        raise OSError("the disk is gone")

    async with opened() as ledger:
        with pytest.raises(OSError, match="the disk is gone"):
            await take_in(ledger, broken())
        assert await ledger.counts() == {}
        assert (await take_in(ledger, rows(2))).taken


async def test_cancelling_an_ingest_ends_it_and_leaves_nothing(opened):
    reading = threading.Event()
    go_on = threading.Event()

    def slow():
        yield from rows(2000)
        reading.set()
        go_on.wait()
        yield from (row(f"more-{number}") for number in itertools.count())

    async with opened() as ledger:
        task = asyncio.create_task(take_in(ledger, slow()))
        await asyncio.to_thread(reading.wait)
        task.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await ledger.counts() == {}
        assert (await take_in(ledger, rows(2))).taken


async def test_steps_posted_during_an_ingest_follow_it(opened):
    go_on = threading.Event()

    def slow():
        go_on.wait()
        yield from rows(2)

    async with opened() as ledger:
        await take_in(ledger, rows(1))
        item = await stand(ledger, "item-00000")
        taking = asyncio.create_task(take_in(ledger, slow()))
        await asyncio.sleep(0)
        posted = asyncio.ensure_future(ledger.post(Change(begin(item), item.state)))
        go_on.set()
        await asyncio.gather(taking, posted)
        assert await ledger.counts() == {State.UPLOADING: 1, State.PENDING: 1}


async def test_ingest_needs_a_run(opened):
    async with opened() as ledger:
        with pytest.raises(RuntimeError, match="begin_run"):
            await ledger.ingest([], Recipe(), keep_going=False, retry=never)


async def test_an_empty_manifest_is_taken(opened):
    async with opened() as ledger:
        taken = await take_in(ledger, [])
        assert (taken.total, taken.taken, dict(taken.counts)) == (0, True, {})


@pytest.mark.slow
async def test_memory_does_not_grow_with_the_manifest(opened):
    def many(count):
        return (row(f"item-{number:05d}", line=number) for number in range(count))

    async with opened(inline=True) as ledger:
        await take_in(ledger, many(2000))
        peaks = []
        for count in (3000, 20_000):
            tracemalloc.start()
            await take_in(ledger, many(count))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < peaks[0] * 1.5
        assert peaks[1] < 8_000_000


async def follow(ledger, manifest, **options):
    """The manifest of the run that goes on, read again."""
    return await ledger.ingest(
        manifest, Recipe(), keep_going=False, retry=never, following=True, **options
    )


async def test_following_adds_new_rows_and_leaves_the_others(opened):
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        item = await stand(ledger, "item-00001")
        await bring_to(ledger, item, State.ENCODING)
        changed = [replace(each, fingerprint="f2") for each in rows(5)]
        taken = await follow(ledger, changed[1:])
        assert (taken.taken, taken.problem_count) == (True, 0)
        assert dict(taken.counts) == {Action.NEW: 2}
        assert await ledger.counts() == {State.PENDING: 4, State.ENCODING: 1}
        assert (await stand(ledger, "item-00000")).fingerprint == "f1"
        assert (await stand(ledger, "item-00002")).fingerprint == "f1"


async def test_following_takes_a_changed_priority_over_while_an_item_is_pending(opened):
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        await bring_to(ledger, await stand(ledger, "item-00001"), State.ENCODING)
        await follow(ledger, [replace(each, priority=9) for each in rows(3)[1:]])
        assert [item.key for item in await ledger.pending(9, ())] == ["item-00002", "item-00000"]
        assert (await stand(ledger, "item-00002")).priority == 9
        assert (await stand(ledger, "item-00001")).priority == 5


async def test_following_reports_bad_rows_and_takes_the_others(opened):
    async with opened() as ledger:
        await take_in(ledger, rows(1))
        taken = await follow(ledger, [*rows(1), BAD, row("c", line=6)])
        assert (taken.taken, taken.problems) == (True, (BAD,))
        assert await ledger.counts() == {State.PENDING: 2}


async def test_the_longest_first_within_a_priority(opened):
    manifest = [
        *(row("short", duration=5.0), row("long", duration=7200.0)),
        *(row("large", size=60_000_000), row("urgent", priority=9)),
    ]
    async with opened() as ledger:
        await ledger.begin_run("qencode", "m.csv", {})
        await ledger.ingest(
            manifest, Recipe(), keep_going=False, retry=never, order=Order.LONGEST, ageing=60.0
        )
        items = await ledger.pending(9, ())
    assert [item.key for item in items] == ["urgent", "long", "large", "short"]
    assert items[1].duration == 7200.0
    assert items[1].rank - items[0].rank == 4 * 60.0


async def test_following_leaves_a_folder_to_the_row_that_was_there_before(opened):
    async with opened() as ledger:
        await take_in(ledger, [row("b", line=3, fields={"stem": "a"})], FOLDERS)
        again = [row("a", line=2), row("b", line=3, fields={"stem": "a"})]
        for expected in (1, 0):  # told once: the second look finds it set aside
            taken = await ledger.ingest(
                again, FOLDERS, keep_going=False, retry=never, following=True
            )
            assert taken.problem_count == expected
        assert await ledger.counts() == {State.PENDING: 1, State.FAILED: 1}
        assert [item.key for item in await ledger.pending(9, ())] == ["b"]


async def test_a_rerun_writes_nothing_of_what_is_completed_and_unchanged(opened, path):
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        for item in await ledger.pending(9, ()):
            await bring_to(ledger, item, State.COMPLETED)
    before = items_of(path)
    async with opened() as ledger:
        taken = await take_in(ledger, [*rows(3), row("new", line=9)])
        assert dict(taken.counts) == {Action.SKIP: 3, Action.NEW: 1}
        assert await ledger.counts() == {State.COMPLETED: 3, State.PENDING: 1}
    assert items_of(path)[:3] == before


async def test_a_row_that_was_left_out_and_comes_back_is_as_it_was(opened, url):
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        await bring_to(ledger, await stand(ledger, "item-00001"), State.COMPLETED)
        await take_in(ledger, [])
        assert await ledger.counts() == {}
    assert LedgerReader(url, "demo").counts() == {}
    async with opened() as ledger:
        taken = await take_in(ledger, rows(3)[1:])
        assert dict(taken.counts) == {Action.SKIP: 1, Action.KEEP: 1}
        assert await ledger.counts() == {State.COMPLETED: 1, State.PENDING: 1}


def items_of(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT * FROM items ORDER BY id").fetchall()


async def test_rows_name_their_parents_and_steps_are_checked_again(opened):
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        await take_in(ledger, [row("item-00000"), row("item-00001", fingerprint="f2")])
        driver = ledger._writer.connection
        assert driver.execute("PRAGMA foreign_key_check").fetchall() == []
        assert driver.execute("PRAGMA foreign_keys").fetchall() == [(1,)]
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            driver.execute("UPDATE items SET job_id = 99")
