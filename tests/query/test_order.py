"""Orders of Transparent Edge: what is read, and what is refused in words."""

from typing import Any

import pytest

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
        ({"origin": "sftp://host/film.mp4"}, "order.origin", "no place"),
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
