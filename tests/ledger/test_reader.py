import csv
import json
import os
import re
import sqlite3

import pytest

from orchestrator.ledger import LedgerReader, export, plan
from orchestrator.model.decisions import Action
from orchestrator.model.errors import BadInput, LedgerProblem
from orchestrator.model.items import Change, Output, Problem, StitchPart
from orchestrator.model.outcome import Failure
from orchestrator.model.states import State
from tests.ledger.support import Recipe, always, begin, bring_to, never, row, rows, take_in

OUTPUTS = (
    Output("video-0-0", "video", "https://u:pw@h/0.mp4", path="/out/0.mp4", size=7, duration=2.5),
    Output("image-0-0", "image", "s3://b/0.jpg", size=3),
)


@pytest.fixture
async def stood(opened, clock):
    """A ledger of which nobody holds the lock: one item of each kind."""
    manifest = [
        *(row("done", line=2, tags=("a", "b")), row("flying", line=3), row("bad", line=4)),
        row("waiting", line=5, fields={"id": "w1", "stem": "x", "title": "=1+1", "state": "BY"}),
        row("worse", line=6, source="ftp://me:secret@host/worse.mp4"),
    ]
    async with opened() as ledger:
        await take_in(ledger, [*manifest, row("gone")])
        await take_in(ledger, manifest)
        done, flying, bad, _, worse = await ledger.pending(9, ())
        done = await bring_to(ledger, done, State.COLLECTING, outputs=OUTPUTS)
        await ledger.post(Change(done.to(State.COMPLETED), done.state))
        now = begin(flying)
        await ledger.post(Change(now, flying.state))
        clock.time += 60
        noted = now.noting(State.UPLOADING, upload_url="/1")
        await ledger.post(Change(noted, now.state, note="on its way"))
        for item, kind in ((bad, "encode_failed"), (worse, "stalled")):
            clock.time += 1
            failed = begin(item).to(State.FAILED, error_class=kind, error=f"{kind}!")
            await ledger.post(Change(failed, item.state))


@pytest.fixture
def reader(stood, url):
    return LedgerReader(url, "demo")


def test_how_the_manifest_stands(reader):
    assert reader.counts() == {
        State.COMPLETED: 1,
        State.UPLOADING: 1,
        State.FAILED: 2,
        State.PENDING: 1,
    }
    assert reader.earlier() == {State.PENDING: 1}


def test_failures_come_the_latest_first(reader):
    assert reader.failures(1) == [Failure("worse", "stalled", "stalled!")]
    assert [failure.key for failure in reader.failures(9)] == ["worse", "bad"]
    assert reader.by_error_class() == {"encode_failed": 1, "stalled": 1}


def test_what_is_under_way_and_since_when(reader, clock):
    (flying,) = reader.in_flight(9)
    assert (flying.key, flying.state) == ("flying", State.UPLOADING)
    assert flying.since == clock.time - 62  # the note on the way is no new state
    assert flying.attempt.upload_url == "/1"


def test_the_volume_of_what_is_completed(reader):
    volume = reader.volume()
    assert (volume.source_bytes, volume.outputs, volume.output_bytes) == (10, 2, 10)
    assert volume.output_seconds == 2.5


def test_an_items_history_reads_like_a_story(reader):
    history = reader.history("flying")
    assert [(event.was, event.now, event.attempt) for event in history] == [
        (State.PENDING, State.UPLOADING, 1),
        (State.UPLOADING, State.UPLOADING, 1),
    ]
    assert re.fullmatch(
        r"2023-11-14 22:14:20 UTC, run 2, attempt 1: uploading to uploading: on its way",
        str(history[-1]),
    )
    assert reader.history("nobody") == []


def test_without_a_ledger_it_says_so(url, path):
    with pytest.raises(LedgerProblem, match=f"there is no ledger at {path} yet: the job demo"):
        LedgerReader(url, "demo")
    assert not path.parent.exists()


def test_a_job_that_never_ran_is_told(reader, url):
    with pytest.raises(LedgerProblem, match="has nothing of the job other yet"):
        LedgerReader(url, "other")


@pytest.mark.parametrize("content", [b"", b"no database at all, " * 300])
def test_a_file_that_is_no_ledger_is_told(url, path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(LedgerProblem, match="not a ledger"):
        LedgerReader(url, "demo")


async def test_reading_works_while_a_run_holds_the_ledger_and_keeps_nobody_waiting(opened, url):
    async with opened() as ledger:
        await take_in(ledger, rows(2))
        reader = LedgerReader(url, "demo")
        with reader.snapshot() as (connection, _, _):
            before = reader.counts()
            item = (await ledger.pending(1, ()))[0]
            await ledger.post(Change(begin(item), item.state))
            query = "SELECT count(*) FROM items WHERE state = 'pending'"
            connection.exec_driver_sql(query).scalar()
        assert before == {State.PENDING: 2}
        assert reader.counts() == {State.PENDING: 1, State.UPLOADING: 1}


def test_a_reader_can_not_write(reader):
    with reader.snapshot() as (connection, _, _), pytest.raises(Exception, match="readonly"):
        connection.exec_driver_sql("DELETE FROM events")


# --- export -------------------------------------------------------------------


def exported(path):
    with path.open(newline="", encoding="utf-8") as file:
        return {line["key"]: line for line in csv.DictReader(file)}


def test_a_csv_has_a_row_per_item(reader, tmp_path):
    to = tmp_path / "out.csv"
    assert export(reader, to) == 6
    table = exported(to)
    done = table["done"]
    assert done["state"] == "completed"
    assert (done["tags"], done["attempts"], done["service"]) == ("a | b", "1", "qencode")
    assert (done["outputs"], done["output_bytes"]) == ("2", "10")
    assert done["output_paths"] == "/out/0.mp4"
    assert done["output_urls"] == "https://u:***@h/0.mp4 | s3://b/0.jpg"
    assert done["started"] == "2023-11-14T22:13:20+00:00"
    assert (table["bad"]["error_class"], table["bad"]["error"]) == ("encode_failed",) * 1 + (
        "encode_failed!",
    )
    waiting = table["waiting"]
    assert (waiting["id"], waiting["title"], waiting["manifest_state"]) == ("w1", "=1+1", "BY")
    assert waiting["state"] == "pending"
    assert "stem" not in waiting
    assert table["gone"]["state"] == "pending"


def test_no_password_leaves_the_ledger(reader, tmp_path):
    for name in ("out.csv", "out.jsonl"):
        export(reader, tmp_path / name)
        text = (tmp_path / name).read_text()
        assert "secret" not in text
        assert "ftp://me:***@host/worse.mp4" in text


def test_json_lines_have_types(reader, tmp_path):
    to = tmp_path / "out.jsonl"
    assert export(reader, to) == 6
    lines = {line["key"]: line for line in map(json.loads, to.read_text().splitlines())}
    assert lines["done"]["tags"] == ["a", "b"]
    assert lines["done"]["output_bytes"] == 10
    assert lines["waiting"]["fields"] == {"title": "=1+1", "state": "BY"}
    assert lines["waiting"]["started"] is None


async def test_a_stitch_is_exported_by_its_parts(opened, url, tmp_path):
    parts = (StitchPart("s3://b/1"), StitchPart("s3://b/2"))
    async with opened() as ledger:
        await take_in(ledger, [row("a", source=None, stitch=parts)])
    export(LedgerReader(url, "demo"), tmp_path / "out.csv")
    assert exported(tmp_path / "out.csv")["a"]["source"] == "s3://b/1 s3://b/2"


async def test_many_items_are_exported(opened, url, tmp_path):
    async with opened() as ledger:
        await take_in(ledger, rows(2000))
    assert export(LedgerReader(url, "demo"), tmp_path / "out.CSV") == 2000
    assert len(exported(tmp_path / "out.CSV")) == 2000


def test_another_suffix_is_refused(reader, tmp_path):
    with pytest.raises(BadInput, match=r"ends in \.csv or \.jsonl"):
        export(reader, tmp_path / "out.xlsx")


def test_an_export_that_breaks_off_leaves_what_was_there(reader, tmp_path, monkeypatch):
    to = tmp_path / "out.csv"
    to.write_text("as it was")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match="No space left on device"):
        export(reader, to)
    assert to.read_text() == "as it was"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["out.csv"]


def test_an_export_into_no_folder_is_told(reader, tmp_path):
    with pytest.raises(BadInput, match=r"can't write .*No such file"):
        export(reader, tmp_path / "none" / "out.csv")


# --- plan ---------------------------------------------------------------------


def planned(url, manifest, recipe=None, retry=never):
    return list(plan(url, "demo", manifest, recipe or Recipe(), retry=retry, manifest="m.csv"))


def test_without_a_ledger_every_row_is_new_and_none_is_made(url, path):
    assert [each.action for each in planned(url, rows(3))] == [Action.NEW] * 3
    assert not path.parent.exists()


async def test_a_plan_is_what_the_run_then_does(stood, opened, url):
    manifest = [
        *(row("done", fingerprint="f2"), row("flying"), row("bad"), row("waiting", priority=8)),
        *(row("worse"), row("fresh")),
    ]
    foreseen = planned(url, manifest, retry=always)
    assert [(each.key, each.action.value, each.reason) for each in foreseen] == [
        ("done", "again", "source changed"),
        ("flying", "reattach", "under way: uploading"),
        ("bad", "again", "failed before: encode_failed"),
        ("waiting", "keep", "still to do"),
        ("worse", "again", "failed before: stalled"),
        ("fresh", "new", "not seen before"),
    ]
    assert foreseen[3].priority == 8
    async with opened() as ledger:
        taken = await take_in(ledger, manifest, retry=always)
    actions = [each.action for each in foreseen]
    assert dict(taken.counts) == {action: actions.count(action) for action in set(actions)}


async def test_a_plan_tells_the_problems_that_a_run_tells(opened, url):
    manifest = [
        *(row("a", line=2), row("a", line=3), row("b", line=4, fields={"stem": "a"})),
        *(Problem("m.csv", "is empty", line=5), row("c", line=6)),
    ]
    recipe = Recipe(folder="/out/{stem}", bad={"c"})
    foreseen = planned(url, manifest, recipe)
    aside = [each for each in foreseen if each.action is Action.SET_ASIDE]
    async with opened() as ledger:
        taken = await take_in(ledger, manifest, recipe)
    assert sorted(each.reason for each in aside) == sorted(map(str, taken.problems))
    assert [each.key for each in foreseen] == ["a", "m.csv:3", "b", "m.csv:5", "c"]


async def test_a_plan_works_during_a_run_and_writes_nothing(opened, url, path):
    async with opened() as ledger:
        await take_in(ledger, rows(2))
        assert [each.action for each in planned(url, rows(3))] == [Action.KEEP] * 2 + [Action.NEW]
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM items").fetchone() == (2,)
    database.close()


def test_a_plan_is_made_row_by_row(url):
    def endless():
        number = 0
        while True:
            number += 1
            yield row(f"item-{number}")

    steps = plan(url, "demo", endless(), Recipe(), retry=never)
    assert next(steps).action is Action.NEW
    steps.close()
