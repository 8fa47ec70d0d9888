"""A job's query is judged before any item of it is sent, and each row by what it fills in."""

from typing import Any

import pytest

from orchestrator.query.check import QueryCheck

HEX = "00112233445566778899aabbccddeeff"


def check(**attributes: Any) -> QueryCheck:
    wanted = {"output": "advanced_hls", **attributes}
    return QueryCheck({"format": [wanted]}, "job.toml")


def encrypted(**changes: str) -> QueryCheck:
    encryption = {"key": HEX, "iv": HEX, "key_url": "https://keys.example.com/{stem}"}
    return check(encryption=encryption | changes)


def test_a_streams_key_from_the_environment_is_not_judged() -> None:
    found = encrypted(key="${env:AES_KEY}", iv="${env:AES_IV}")
    assert found.with_samples() == ()
    assert found.problem({"stem": "film"}) is None


@pytest.mark.parametrize(("key", "fault"), [(HEX, None), ("73313373", "must be 32 hexadecimal")])
def test_a_streams_key_from_a_row_must_have_its_form(key: str, fault: str | None) -> None:
    found = encrypted(key="{key}")
    assert found.with_samples() == ()
    assert found.depends_on_rows
    problem = found.problem({"stem": "film", "key": key})
    assert (problem and (problem.field, problem.message[:22])) == (
        fault and ("query.format[0].encryption.key", fault)
    )
    assert key not in str(problem)


def test_a_destinations_key_may_be_anything() -> None:
    destination = {"url": "s3://127.0.0.1/bucket/a", "key": "{key}", "secret": "{secret}"}
    found = check(destination=destination)
    assert not found.depends_on_rows
    assert found.problem({"key": "k", "secret": "s"}, plain=True) is None


def test_streams_may_have_placeholders() -> None:
    found = check(stream=[{"height": "{lines}", "tag": "{stem}"}, {"height": 240, "rotate": 45}])
    (problem,) = found.with_samples()
    assert problem.field == "query.format[0].stream[1].rotate"
    bad = check(stream=[{"height": "{lines}"}]).problem({"lines": "tall"})
    assert bad is not None
    assert bad.field == "query.format[0].stream[0].height"
