"""The recipe: a job's request for each item, and what is said of rows it does not fit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import BadInput
from orchestrator.model.items import Attempt, Item, Problem, Row, StitchPart
from orchestrator.model.ports import Recipe
from orchestrator.model.states import State
from orchestrator.query import Job, QencodeRecipe, QueryError, load_job, parse_query

JOB = """\
manifest = "list.csv"
payload = "{id}|{stem}"
[query]
upscale = 1
[[query.format]]
output = "mp4"
height = "{lines}"
tag = "{stem}"
[query.format.destination]
url = "s3://127.0.0.1/bucket/{parent}/{stem}.mp4"
key = "${env:KEY}"
secret = "${env:SECRET}"
[collect]
into = "out/{parent}/{stem}"
"""

FIELDS = {"stem": "clip", "name": "clip.mov", "parent": "a", "id": "7", "lines": "480"}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return written(tmp_path, JOB)


@pytest.fixture
def recipe(job: Job) -> QencodeRecipe:
    return QencodeRecipe(job)


def written(folder: Path, text: str) -> Job:
    path = folder / "job.toml"
    path.write_text(text, encoding="utf-8")
    return load_job(path)


def row(payload: str | None = None, **fields: str) -> Row:
    return Row("7", "/in/clip.mov", payload=payload, fields=FIELDS | fields, line=3)


def item(remote: str | None = "tus:0a1b", **changes: Any) -> Item:
    attempt = Attempt(1, "local", "", "", remote_source=remote)
    whole = Item(1, "7", State.UPLOADED, "/in/clip.mov", fields=FIELDS, attempt=attempt, line=3)
    return replace(whole, **changes)


# --- requests ---------------------------------------------------------------------


def test_the_request_is_wrapped_and_filled_in(recipe: QencodeRecipe) -> None:
    as_port: Recipe = recipe
    assert as_port.request(item()) == {
        "query": {
            "source": "tus:0a1b",
            "upscale": 1,
            "format": [
                {
                    "output": "mp4",
                    "height": "480",
                    "tag": "clip",
                    "destination": {
                        "url": "s3://127.0.0.1/bucket/a/clip.mp4",
                        "key": "${env:KEY}",
                        "secret": "${env:SECRET}",
                    },
                }
            ],
        }
    }


def test_a_request_is_a_query_that_is_understood(recipe: QencodeRecipe) -> None:
    mp4 = parse_query(recipe.request(item())["query"]).format[0]
    assert mp4.output == "mp4"
    assert mp4.height == 480


def test_remote_sources_and_stitch_lists(recipe: QencodeRecipe) -> None:
    url = "http://127.0.0.1/in.mp4"
    assert recipe.request(item(source=url, attempt=None))["query"]["source"] == url
    parts = (StitchPart("http://127.0.0.1/a"), StitchPart("http://127.0.0.1/b", 1.5, 60.0))
    query = recipe.request(item(source=None, stitch=parts))["query"]
    assert "source" not in query
    assert query["stitch"] == [
        {"url": "http://127.0.0.1/a"},
        {"url": "http://127.0.0.1/b", "start_time": 1.5, "duration": 60.0},
    ]
    assert parse_query(query).stitch


def test_a_local_source_must_have_been_uploaded(recipe: QencodeRecipe) -> None:
    with pytest.raises(BadInput, match="7: the source is not uploaded yet"):
        recipe.request(item(remote=None))


def test_a_request_that_the_item_can_not_fill_names_the_field(recipe: QencodeRecipe) -> None:
    with pytest.raises(QueryError) as caught:
        recipe.request(item(fields=FIELDS | {"lines": "tall"}))
    (problem,) = caught.value.problems
    assert (problem.field, problem.line, problem.key) == ("query.format[0].height", 3, "7")
    assert problem.message == '"tall" is not a whole number'


def test_payloads(recipe: QencodeRecipe) -> None:
    assert recipe.payload(item()) == "7|clip"
    assert recipe.payload(item(payload="{own}")) == "{own}"


def test_a_job_without_a_payload(tmp_path: Path) -> None:
    recipe = QencodeRecipe(written(tmp_path, JOB.replace('payload = "{id}|{stem}"', "")))
    assert recipe.payload(item()) is None
    assert recipe.check(row()) is None


def test_the_service_calls_back_where_the_run_listens(recipe: QencodeRecipe) -> None:
    assert "callback_url" not in recipe.request(item())["query"]
    recipe.callback_url = "https://encode.example/hooks/unguessable"
    query = recipe.request(item())["query"]
    assert query["callback_url"] == "https://encode.example/hooks/unguessable"


def test_a_place_for_callbacks_that_the_job_names_is_kept(tmp_path: Path) -> None:
    own = 'callback_url = "https://mine.example/{id}"\nupscale = 1\n'
    recipe = QencodeRecipe(written(tmp_path, JOB.replace("upscale = 1\n", own)))
    recipe.callback_url = "https://encode.example/hooks/unguessable"
    assert recipe.request(item())["query"]["callback_url"] == "https://mine.example/7"


def test_where_a_run_listens_makes_no_other_version(recipe: QencodeRecipe) -> None:
    before = recipe.digest(row())
    recipe.callback_url = "https://encode.example/hooks/unguessable"
    assert recipe.digest(row()) == before


# --- what a rerun compares ------------------------------------------------------------


def test_the_digest_follows_the_request_and_the_payload(recipe: QencodeRecipe) -> None:
    digest = recipe.digest(row())
    assert len(digest) == 32
    assert recipe.digest(row(unused="x", name="y")) == digest
    for other in (row(lines="720"), row(stem="b"), row(id="8"), row(payload="own")):
        assert recipe.digest(other) != digest


def test_the_digest_is_the_jobs_own_not_its_files(job: Job, recipe: QencodeRecipe) -> None:
    moved = replace(job, name="other", path=Path("/x.toml"), manifest="/y", collect=None)
    assert QencodeRecipe(moved).digest(row()) == recipe.digest(row())


# --- folders and checks ------------------------------------------------------------------


def test_folders(job: Job, recipe: QencodeRecipe) -> None:
    assert recipe.folder(row()) == str(job.path.parent / "out/a/clip")
    assert QencodeRecipe(replace(job, collect=None)).folder(row()) == ""
    with pytest.raises(BadInput, match="could lead out of the folder"):
        recipe.folder(row(parent=".."))


def test_a_row_that_fits(recipe: QencodeRecipe) -> None:
    assert recipe.check(row()) is None


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"lines": "tall"}, "query.format[0].height", '"tall" is not a whole number'),
        ({"lines": "0"}, "query.format[0].height", "must be at least 1"),
        ({"parent": "a/../.."}, "collect.into", '"a/../../clip" could lead out'),
        ({"parent": ""}, "collect.into", '"/clip" holds a folder without a name'),
        ({"stem": "a\nb"}, "query.format[0].destination.url", "holds a control character"),
        ({"stem": "\udcff"}, "query.format[0].tag", "a value of the row is not valid text"),
        ({"id": "x" * 996}, "payload", "1,001 characters; 1,000 are allowed"),
        ({"id": "\udcff"}, "payload", "a value of the row is not valid text"),
        ({"stem": "${env:HOME}"}, "query.format[0].tag", "a value of the row names a secret"),
    ],
)
def test_rows_that_do_not_fit(
    job: Job, recipe: QencodeRecipe, fields: dict[str, str], field: str, words: str
) -> None:
    problem = recipe.check(row(**fields))
    assert isinstance(problem, Problem)
    assert (problem.file, problem.line, problem.key) == (job.manifest, 3, "7")
    assert problem.field == field
    assert problem.message.startswith(words)


def test_a_missing_column_is_named_with_its_use(job: Job, recipe: QencodeRecipe) -> None:
    fields = {name: text for name, text in FIELDS.items() if name != "lines"} | {"line": "480"}
    problem = recipe.check(replace(row(), fields=fields))
    words = "nothing is known as {lines}, but query.format[0].height uses it"
    assert str(problem) == f'{job.manifest}:3: lines: {words} (did you mean "line"?)'


def test_a_long_payload_of_the_rows_own(recipe: QencodeRecipe) -> None:
    assert recipe.check(row(payload="x" * 1000)) is None
    problem = recipe.check(row(payload="x" * 1001))
    assert problem is not None
    assert problem.field == "payload"


def test_a_secret_can_not_be_put_together(tmp_path: Path) -> None:
    text = JOB.replace('tag = "{stem}"', 'tag = "${stem}"')
    problem = QencodeRecipe(written(tmp_path, text)).check(row(stem="{env:HOME}"))
    assert problem is not None
    assert problem.message.startswith("a value of the row names a secret")


def test_a_secret_of_the_jobs_own_beside_a_placeholder(tmp_path: Path) -> None:
    text = JOB.replace('tag = "{stem}"', 'tag = "${env:TAG}-{stem}"')
    recipe = QencodeRecipe(written(tmp_path, text))
    assert recipe.check(row()) is None
    assert recipe.request(item())["query"]["format"][0]["tag"] == "${env:TAG}-clip"


def test_many_rows_of_a_kind_are_still_judged_one_by_one(recipe: QencodeRecipe) -> None:
    for number in range(1, 1500):
        assert recipe.check(row(lines=str(number))) is None
    for number in (16385, 1, 16385):
        problem = recipe.check(row(lines=str(number)))
        assert (problem is None) == (number == 1)
