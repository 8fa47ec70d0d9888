"""One manifest at several services: alone, together, and what rows say of it."""

import csv
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orchestrator.config import Config, load_config
from orchestrator.model.errors import BadInput
from orchestrator.model.items import Item, Row, StitchPart
from orchestrator.model.outcome import Ending, RunOutcome
from orchestrator.model.states import State
from orchestrator.query import load_job
from orchestrator.report import QuietObserver
from orchestrator.report.tally import Tally
from orchestrator.wiring import RunOptions, run_job, validate_job
from orchestrator.wiring.checks import diagnose
from orchestrator.wiring.several import versions
from tests.media import coded_clip

CONFIG = """
state = "state"
[services.one]
kind = "transcoder"
data = "one"
workers = 1
max_in_flight = 2
poll_min = 0.1
[services.two]
kind = "transcoder"
data = "two"
workers = 1
max_in_flight = 2
poll_min = 0.1
[services.same]
kind = "transcoder"
data = "two"
[services.edge]
kind = "transparent_edge"
url = "http://127.0.0.1:9"
company = "1"
client_id = "a"
client_secret = "b"
"""

JOB = """
manifest = "manifest.csv"
services = ["one", "two"]
[collect]
into = "outputs/{stem}"
[[query.format]]
output = "mp4"
size = "32x32"
"""


class Watching(QuietObserver):
    """Counts as a terminal would show it."""

    def __init__(self) -> None:
        self.tally = Tally()

    def began(self, counts: Mapping[State, int], services: Sequence[str] = ()) -> None:
        self.tally.began(counts, 0.0, services)

    def moved(self, item: Item, was: State) -> None:
        self.tally.moved(item, was, 0.0)


class Place:
    """A folder with a config, a job, and as many clips as are wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.watching = Watching()
        (folder / "config.toml").write_text(CONFIG)
        self.job_file = folder / "job.toml"
        self.job_file.write_text(JOB)

    def clips(self, rows: list[dict[str, str]]) -> None:
        clip = coded_clip(self.folder / "0.mp4", seconds=0.2, size="32x32")
        names = ["source", *dict.fromkeys(name for row in rows for name in row)]
        with (self.folder / "manifest.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            for number, row in enumerate(rows):
                path = self.folder / f"{number}.mp4"
                if number:
                    path.write_bytes(clip.read_bytes())
                table.writerow({"source": path.name, **row})

    @property
    def config(self) -> Config:
        return load_config(self.folder / "config.toml")

    async def run(self, **options: object) -> RunOutcome:
        job = load_job(self.job_file)
        return await run_job(self.config, job, RunOptions(**options), self.watching)  # type: ignore[arg-type]

    def ask(self, query: str) -> list[tuple[str, ...]]:
        with sqlite3.connect(self.folder / "state" / "job.db") as connection:
            return connection.execute(query).fetchall()

    def where(self) -> Counter[str]:
        return Counter(name for (name,) in self.ask("SELECT service FROM attempts"))

    def collected(self) -> int:
        return len(list(self.folder.glob("outputs/*/*.mp4")))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.slow
async def test_twenty_clips_on_both_and_on_each_alone(place: Place) -> None:
    place.clips([{} for _ in range(20)])
    outcome = await place.run()
    assert (outcome.ending, outcome.counts) == (Ending.FINISHED, {State.COMPLETED: 20})
    where = place.where()
    assert where.total() == 20  # nothing was encoded twice
    assert min(where["one"], where["two"]) >= 5
    assert place.collected() == 20
    assert outcome.message == f"{where['one']} at one, {where['two']} at two"
    assert len(place.ask("SELECT 1 FROM events WHERE note LIKE '%: %'")) == 20
    for alone in ("one", "two"):  # what is done is done, whoever did it
        again = await place.run(service=alone)
        assert again.counts == {State.COMPLETED: 20}
        assert again.skipped == 20
    for alone in ("one", "two"):
        for left in place.folder.glob("state/*"):
            left.unlink()
        outcome = await place.run(service=alone)
        assert outcome.counts == {State.COMPLETED: 20}
        assert place.where() == {alone: 20}


@pytest.mark.slow
async def test_a_row_names_its_service(place: Place) -> None:
    place.clips([{"service": "two" if number < 5 else ""} for number in range(6)])
    outcome = await place.run()
    assert outcome.counts == {State.COMPLETED: 6}
    named = place.ask(
        "SELECT a.service FROM attempts a JOIN items i ON i.id = a.item_id WHERE i.line <= 6"
    )
    assert named == [("two",)] * 5
    notes = {note for (note,) in place.ask("SELECT note FROM events WHERE note != ''")}
    assert "two: named by its row" in notes
    shares = {name: share.completed for name, share in place.watching.tally.shares.items()}
    assert shares == dict(place.where())
    assert not place.watching.tally.flights()


@pytest.mark.slow
async def test_a_row_that_names_another_service_is_refused(place: Place) -> None:
    place.clips([{"service": "three"}, {}])
    outcome = await place.run()
    assert outcome.ending is Ending.REFUSED
    assert "the run has no service 'three'" in str(outcome.problems[0])
    alone = await place.run(service="one")  # there the column is one like any other
    assert not place.watching.tally.shares
    assert alone.counts == {State.COMPLETED: 2}


def test_validation_says_the_same(place: Place) -> None:
    place.clips([{"service": "three"}])
    problems, count, _ = validate_job(place.config, load_job(place.job_file), RunOptions())
    assert count == 1
    assert "the run has no service 'three' (it has: one, two)" in str(problems[0])


async def test_two_services_in_one_folder_are_refused(place: Place) -> None:
    place.clips([{}])
    with pytest.raises(BadInput, match="same data folder"):
        await place.run(services=("two", "same"))


async def test_the_doctor_looks_at_each_service(place: Place) -> None:
    findings = await diagnose(place.config, ["one", "edge", "two"])
    found = {each.name: each for each in findings}
    assert len(found) == len(findings)  # both encode with the same ffmpeg: it is told of once
    assert found["Service one"].ok, found["Service one"].detail
    assert found["Service two"].ok, found["Service two"].detail
    assert not found["Service edge"].ok
    with pytest.raises(BadInput, match="same data folder"):
        await diagnose(place.config, ["two", "same"])
    with pytest.raises(BadInput, match="three"):
        await diagnose(place.config, ["one", "three"])


async def test_a_service_that_can_do_nothing_of_the_job_is_refused(place: Place) -> None:
    place.clips([{}])
    with pytest.raises(BadInput, match=r"takes an \[order\]"):
        await place.run(services=("one", "edge"))


def test_a_job_names_one_service_or_several(place: Place) -> None:
    place.job_file.write_text('service = "one"\n' + JOB)
    with pytest.raises(BadInput, match="beside `services`"):
        load_job(place.job_file)


BOTH = """
manifest = "manifest.csv"
[query]
[[query.format]]
output = "mp4"
height = {height}
[order]
destinations = ["ftp://host/{{stem}}"]
[[order.jobs]]
label = "{label}"
filename = "a.mp4"
profile = "small"
"""


def test_a_version_covers_both_requests_whoever_takes_the_item(place: Place) -> None:
    def digest(row: Row, height: int = 32, label: str = "phone", **services: object) -> str:
        place.job_file.write_text(BOTH.format(height=height, label=label))
        job = load_job(place.job_file).with_(**services)  # type: ignore[arg-type]
        return versions(place.config, job).digest(row)

    row = Row("k", "http://host/k.mp4", fields={"stem": "k", "service": ""})
    named = Row("k", "http://host/k.mp4", fields={"stem": "k", "service": "edge"})
    both = digest(row, services=("one", "edge"))
    assert digest(named, services=("one", "edge")) == both
    assert digest(row, service="one") == digest(row, service="edge") == both
    assert digest(row, height=64, services=("one", "edge")) != both
    assert digest(row, label="tablet", services=("one", "edge")) != both


def test_a_stitch_list_is_for_the_service_that_takes_it(place: Place) -> None:
    place.job_file.write_text(BOTH.format(height=32, label="phone"))
    job = load_job(place.job_file)
    row = Row("k", None, (StitchPart("http://host/k.mp4"),), fields={"stem": "k"})
    assert versions(place.config, job.with_(services=("one", "edge"))).check(row) is None


def test_only_a_manifest_with_services_is_looked_at_row_by_row(place: Place) -> None:
    job = load_job(place.job_file)
    shared = versions(place.config, job).plain()
    alone = versions(place.config, job.with_(service="one")).plain()
    assert shared is not None
    assert alone is not None
    assert (shared.looked_at, alone.looked_at) == (("service",), ())
