"""Orders of Transparent Edge: what is read, and what is refused in words."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import BadInput
from orchestrator.model.items import Attempt, Item, Row, StitchPart
from orchestrator.model.states import State
from orchestrator.query import Job, OrderRecipe, load_job
from orchestrator.query.order import order_priority, parse_order
from orchestrator.query.problems import QueryError

#: The document's example, completed.
EXAMPLE: dict[str, Any] = {
    "priority": 5,
    "origin": "ftp://user:password@ftp.example.com/film.mp4",
    "notifications": [{"email": "ops@example.com"}, {"call": "https://example.com/done"}],
    "destinations": ["ftp://user:password@ftp.example.com", "s3://bucket"],
    "jobs": [{"label": "iphone", "filename": "watermark.mp4", "profile_id": 666}],
    "thumbnails": [
        {"filename": "nombre.jpg", "label": "label", "width": "720", "height": "480", "time": 0.3}
    ],
    "post_process": [{"drm": {"key": "0" * 32, "key_id": "1" * 32}}],
}


def test_the_documents_example_is_read_and_given_back() -> None:
    order = parse_order(EXAMPLE)
    assert order.thumbnails[0].width == 720
    assert parse_order(order.document()) == order
    assert "password" not in repr(order)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"priority": 4}, "order.priority", "at least 5"),
        ({"priority": 11}, "order.priority", "at most 10"),
        ({"origin": "azblob://host/film.mp4"}, "order.origin", "no place"),
        ({"destinations": []}, "order.destinations", "at least one"),
        ({"destinations": ["https://host/"]}, "order.destinations[0]", "no place"),
        ({"jobs": []}, "order.jobs", "at least one"),
        (
            {"jobs": [{"label": "a", "filename": "a.mp4"}]},
            "order.jobs[0].profile",
            "neither is here",
        ),
        (
            {"jobs": [{"label": "a", "filename": "../a.mp4", "profile_id": 1}]},
            "order.jobs[0].filename",
            "not a file's name",
        ),
        (
            {"jobs": [{"label": "a", "filename": "a.mp4", "profile_id": 1, "lable": "b"}]},
            "order.jobs[0].lable",
            'did you mean "label"',
        ),
        ({"notifications": [{}]}, "order.notifications[0].email", "tells nobody"),
        ({"post_process": [{"drm": {"key": "xy", "key_id": "1" * 32}}]}, "drm.key", "32 hex"),
        (
            {"thumbnails": [{"filename": "watermark.mp4", "width": 1, "height": 1}]},
            "order.jobs",
            "two files of one name",
        ),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_order({**EXAMPLE, **change})
    problem = caught.value.problems[0]
    assert problem.field.endswith(field)
    assert said in f"{problem.message} {problem.hint}"


def test_priorities_of_items_are_spread_over_the_services() -> None:
    assert [order_priority(each) for each in range(11)] == [5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10]


JOB = """
manifest = "films"
{more}
[order]
destinations = ["ftp://user:${{env:FTP_PASSWORD}}@ftp.example.com/out/{{stem}}"]
[[order.jobs]]
label = "iphone"
filename = "{{stem}}.mp4"
profile = "480p"
"""


def job_of(tmp_path: Path, more: str = "", text: str = JOB) -> Job:
    file = tmp_path / "edge.toml"
    file.write_text(text.format(more=more), encoding="utf-8")
    return load_job(file)


def test_a_job_with_an_order_is_filled_in_for_each_item(tmp_path: Path) -> None:
    recipe = OrderRecipe(job_of(tmp_path))
    fields = {"stem": "film", "name": "film.mov"}
    attempt = Attempt(1, "edge", "", "", remote_source="ftp://host/film.mov")
    item = Item(
        1, "k", State.UPLOADED, "/films/film.mov", fields=fields, priority=10, attempt=attempt
    )
    order = recipe.request(item)["order"]
    assert order["origin"] == "ftp://host/film.mov"
    assert order["priority"] == 10
    assert order["jobs"][0]["filename"] == "film.mp4"
    assert "${env:FTP_PASSWORD}" in order["destinations"][0]
    item.attempt = None
    with pytest.raises(BadInput, match="not published yet"):
        recipe.request(item)


def test_an_orders_problems_name_the_line(tmp_path: Path) -> None:
    broken = JOB.replace('filename = "{{stem}}.mp4"', 'filename = "a/b.mp4"')
    with pytest.raises(QueryError, match=r"edge.toml:8: order.jobs\[0\].filename"):
        job_of(tmp_path, text=broken)
    with pytest.raises(QueryError, match=r"order.origin: the origin of each item"):
        job_of(tmp_path, text=JOB.replace("[order]", '[order]\norigin = "ftp://h/x"'))
    with pytest.raises(QueryError, match=r"query: is required"):
        job_of(tmp_path, text='manifest = "films"\n')


def test_rows_are_judged_as_they_fill_it_in(tmp_path: Path) -> None:
    recipe = OrderRecipe(job_of(tmp_path, more='publish = "ftp://ftp.example.com/in"'))
    good = Row("k", "/films/film.mov", fields={"stem": "film"})
    assert recipe.check(good) is None
    bad = recipe.check(Row("k", "/films/film.mov", fields={"stem": "a/b"}, line=7))
    assert bad is not None
    assert (bad.line, bad.field) == (7, "order.jobs[0].filename")
    stitched = recipe.check(Row("k", None, stitch=(StitchPart("ftp://h/a"),), fields={"stem": "a"}))
    assert stitched is not None
    assert stitched.field == "stitch"
    again = OrderRecipe(job_of(tmp_path))
    assert recipe.digest(good) == again.digest(good)


def test_rows_that_the_service_can_not_download_are_named(tmp_path: Path) -> None:
    film = Row("k", "/films/a b/Käse.mov", fields={"stem": "film"}, line=3)
    problem = OrderRecipe(job_of(tmp_path)).check(film)
    assert problem is not None
    assert problem.line == 3
    assert "set publish or origin_map" in problem.hint
    job = job_of(tmp_path, more='[origin_map]\n"/films" = "https://cdn.example.com/in/"')
    recipe = OrderRecipe(job)
    assert recipe.check(film) is None
    assert job.origins is not None
    assert job.origins.url("/films/a b/Käse.mov") == (
        "https://cdn.example.com/in/a%20b/K%C3%A4se.mov"
    )
    outside = recipe.check(Row("k", "/filmsmore/x.mov", fields={"stem": "x"}))
    assert outside is not None
    assert "under no folder of origin_map" in outside.message
    assert recipe.check(Row("k", "https://h/x.mov", fields={"stem": "x"})) is None
    assert recipe.check(Row("k", "azblob://h/x.mov", fields={"stem": "x"})) is not None
    assert recipe.plain() is None


def test_the_callback_joins_the_jobs_own_notifications(tmp_path: Path) -> None:
    own = 'notifications = [{{email = "ops@example.com"}}]\ndestinations'
    recipe = OrderRecipe(job_of(tmp_path, text=JOB.replace("destinations", own)))
    recipe.callback_url = "https://me.example.com/secret"
    attempt = Attempt(1, "edge", "", "", task="f00")
    item = Item(1, "k", State.UPLOADED, "ftp://h/x.mov", fields={"stem": "x"}, attempt=attempt)
    assert recipe.request(item)["order"]["notifications"] == [
        {"email": "ops@example.com"},
        {"call": "https://me.example.com/secret?task_token=f00"},
    ]
