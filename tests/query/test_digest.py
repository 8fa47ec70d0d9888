"""The digest: equal exactly when the resolved query without credentials is."""

import json
from hashlib import blake2b
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.query import compile_template
from orchestrator.query.digest import Digest, without_credentials

FIELDS = {"stem": "clip", "id": "7"}
VALUES = st.fixed_dictionaries(
    {
        "stem": st.sampled_from(["", "a", "ab", "{", '"', "é", "u:p@h"]),
        "id": st.sampled_from(["", "b", "a"]),
    }
)
STRINGS = st.sampled_from(
    ["", "a", "ab", "{stem}", "{id}", "{stem}{id}", "{id}{stem}", "a{id}"]
) | (
    st.sampled_from(["s3://{stem}/x", "s3://u:p@h/x", "s3://h/x", "ftp://{stem}@h/x"])
    | st.sampled_from(["${env:A}", "${env:B}", "x${env:A}"])
)
QUERIES = st.dictionaries(
    st.sampled_from(["key", "secret", "tag", "destination", "format"]),
    st.recursive(
        STRINGS | st.integers(0, 2) | st.booleans() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["key", "secret", "url", "destination"]), inner, max_size=3
            )
        ),
        max_leaves=4,
    ),
    max_size=3,
)
PAYLOADS = st.none() | st.sampled_from(["a", "{stem}", "{id}", "null"])


def resolved(doc: Any, fields: dict[str, str], in_destination: bool = False) -> Any:
    """The slow way: fill everything in, then leave the credentials out."""
    if isinstance(doc, str):
        return without_credentials(compile_template(doc).render(fields))
    if isinstance(doc, list):
        return [resolved(each, fields, in_destination) for each in doc]
    if isinstance(doc, dict):
        return {
            name: resolved(value, fields, name == "destination")
            for name, value in doc.items()
            if not (in_destination and name in ("key", "secret"))
        }
    return doc


def canonical(query: Any, payload: str | None, fields: dict[str, str]) -> str:
    sent = None if payload is None else resolved(payload, fields)
    return json.dumps([resolved(query, fields), sent], sort_keys=True)


@given(QUERIES, QUERIES, PAYLOADS, PAYLOADS, VALUES, VALUES)
def test_digests_are_equal_exactly_when_the_requests_are(
    one: Any, two: Any, payload: str | None, other: str | None, fields: Any, others: Any
) -> None:
    same = canonical(one, payload, fields) == canonical(two, other, others)
    assert (Digest(one, payload).of(fields, None) == Digest(two, other).of(others, None)) is same


@given(QUERIES, VALUES, VALUES)
def test_digests_of_one_job_differ_as_its_requests_do(one: Any, fields: Any, others: Any) -> None:
    digest = Digest(one, None)
    same = canonical(one, None, fields) == canonical(one, None, others)
    assert (digest.of(fields, None) == digest.of(others, None)) is same


def of(query: Any, payload: str | None = None, **fields: str) -> str:
    return Digest(query, payload).of(FIELDS | fields, None)


def test_it_is_of_the_canonical_json() -> None:
    query = {"upscale": 1, "format": [{"tag": "{stem}", "output": "mp4"}]}
    text = b'{"format":[{"output":"mp4","tag":"clip"}],"upscale":1}\n"7"'
    assert of(query, "{id}") == blake2b(text, digest_size=16).hexdigest()


def test_the_order_of_attributes_means_nothing() -> None:
    assert of({"a": 1, "b": 2}) == of({"b": 2, "a": 1})


def test_credentials_do_not_count() -> None:
    def stored(url: str, **more: str) -> str:
        return of({"format": [{"destination": {"url": url, **more}}]})

    plain = stored("s3://h/{stem}")
    assert stored("s3://h/{stem}", key="a", secret="b") == plain
    assert stored("s3://h/{stem}", key="${env:KEY}") == plain
    assert stored("s3://user:word@h/{stem}") == plain
    assert stored("s3://${env:U}:${env:P}@h/{stem}") == plain
    assert stored("s3://h/${env:X}{stem}") == plain
    assert stored("s3://h/{stem}", permissions="private") != plain


def test_keys_elsewhere_do_count() -> None:
    assert of({"encryption": {"key": "aa"}}) != of({"encryption": {"key": "bb"}})


def test_only_the_fields_that_are_used_count() -> None:
    query = {"tag": "{stem}"}
    assert of(query, id="1") == of(query, id="2")
    assert of(query, stem="1") != of(query, stem="2")
    assert of(query, "{id}", id="1") != of(query, "{id}", id="2")


def test_literal_text_equals_the_same_text_filled_in() -> None:
    assert of({"tag": "{stem}-x"}) == of({"tag": "clip-x"})
    assert of({"tag": "{{"}) == of({"tag": "{id}"}, id="{")


def test_the_rows_own_payload_takes_the_place_of_the_jobs() -> None:
    digest = Digest({}, "{id}")
    assert digest.of(FIELDS, "own") == Digest({}, "own").of(FIELDS, None)
    assert digest.of(FIELDS, "") != Digest({}, None).of(FIELDS, None)


def test_names_that_are_not_utf8_have_digests_too() -> None:
    assert of({"tag": "{stem}"}, stem="\udcff") != of({"tag": "{stem}"}, stem="\udcfe")


_ANY_TEXT = st.text(st.sampled_from('ab/ .$@"\\{}:éenv\n%'), max_size=8)


@given(_ANY_TEXT, _ANY_TEXT, st.sampled_from(["{a}", "x{a}{b}%", "s3://h/{a}/{b}.mp4", "$\\{{{a}"]))
def test_rows_of_plain_values_have_the_digest_that_a_closer_look_gives(a, b, template):
    query = {"format": [{"output": "mp4", "tag": template}]}
    fields = {"a": a, "b": b}
    quick, slow = Digest(query, "p{b}"), Digest(query, "p{b}")
    slow._whole = None
    assert quick.of(fields, None) == slow.of(fields, None)
