"""Folders that sources are published in."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.model.errors import BadInput
from orchestrator.query.publish import Origins, Publish, as_publish

ENV = {"U": "studio", "P": "p%40ss%2Fword"}


def published(given: Any) -> Publish:
    return Publish.model_validate(as_publish(given))


def test_a_url_alone_is_where_it_is_put_and_read() -> None:
    publish = published("ftp://${env:U}:${env:P}@host:2121/in/")
    wanted = publish.destination(ENV)
    assert wanted.url == "ftp://host:2121/in"
    assert wanted.key is not None
    assert wanted.secret is not None
    assert (wanted.key.get_secret_value(), wanted.secret.get_secret_value()) == (
        "studio",
        "p@ss/word",
    )
    assert publish.remote("a b.mp4") == "ftp://${env:U}:${env:P}@host:2121/in/a%20b.mp4"
    assert not publish.remove


def test_where_it_is_read_may_be_elsewhere() -> None:
    publish = published({"to": "sftp://u:${env:P}@host/srv", "url": "https://cdn/in", "remove": 1})
    assert publish.remote("x.mp4") == "https://cdn/in/x.mp4"
    assert publish.remove


@pytest.mark.parametrize(
    "wrong",
    [
        "http://host/in",
        "ftp://u:secret@host/in",
        "ftp://u:${env:P}x@host/in",
        "ftp:///in",
        "ftp://host/in?x",
        "ftp://${env:HOST}/in",
        "host/in",
        {"to": "ftp://host/in", "url": "cdn/in"},
        {"to": "ftp://host/in", "removed": True},
    ],
)
def test_what_can_not_be_published_in(wrong: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        published(wrong)
    assert "secret@" not in str(caught.value.errors(include_input=False))


def test_values_that_would_break_the_url_are_refused() -> None:
    publish = published("ftp://${env:U}:${env:P}@host/in")
    with pytest.raises(BadInput, match="variable P becomes part of a URL") as caught:
        publish.destination({"U": "u", "P": "sl/ash"})
    assert "sl/ash" not in str(caught.value)
    with pytest.raises(BadInput, match="P is not set"):
        publish.destination({"U": "u"})


def test_the_deepest_folder_counts() -> None:
    from pathlib import Path

    origins = Origins.of({"films": "ftp://a", "films/new/": "ftp://b/", "/": "ftp://c"}, Path("/x"))
    assert origins.url("/x/films/1.mov") == "ftp://a/1.mov"
    assert origins.url("/x/films/new/1.mov") == "ftp://b/1.mov"
    assert origins.url("/y/100%.mov") == "ftp://c/y/100%25.mov"
