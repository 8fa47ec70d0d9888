"""Templates: what they fill in, what they leave alone, what they refuse."""

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.errors import BadInput
from orchestrator.query import DocumentTemplate, TemplateError, compile_template

FIELDS = {"stem": "clip", "parent": "a/b", "id": "7", "the title": "100% {sure}"}
NAMES = st.text(alphabet="abcdefgh_ 0-9é", min_size=1, max_size=6).filter(str.strip)
PLAIN = st.text(max_size=12)


def escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{stem}.mp4", "clip.mp4"),
        ("{ stem }", "clip"),
        ("{parent}/{stem}/{stem}", "a/b/clip/clip"),
        ("{the title}", "100% {sure}"),
        ("{{stem}}", "{stem}"),
        ("{{{stem}}}", "{clip}"),
        ("5% of {stem}: %s %d", "5% of clip: %s %d"),
        ("${env:KEY}/{stem}", "${env:KEY}/clip"),
        ("cost: $${{x}}", "cost: $${x}"),
        ('{{"id": "{id}"}}', '{"id": "7"}'),
        ("", ""),
    ],
)
def test_rendering(text: str, rendered: str) -> None:
    assert compile_template(text).render(FIELDS) == rendered


def test_names_are_known_before_rendering() -> None:
    template = compile_template("{parent}/${env:KEY}/{stem}-{parent}")
    assert template.names == ("parent", "stem")
    assert template.head == ""
    assert compile_template("a{stem}b").tail == "b"


@given(st.lists(st.tuples(PLAIN, NAMES), max_size=5), PLAIN, st.data())
def test_text_stays_and_fields_are_filled_in(
    pieces: list[tuple[str, str]], end: str, data: st.DataObject
) -> None:
    fields = {name.strip(): data.draw(PLAIN) for _, name in pieces}
    text = "".join(f"{escaped(plain)}{{{name}}}" for plain, name in pieces) + escaped(end)
    rendered = "".join(plain + fields[name.strip()] for plain, name in pieces) + end
    template = compile_template(text)
    assert template.render(fields) == rendered
    assert set(template.names) == set(fields)


@given(st.text(alphabet="{}$env:aA1 %", max_size=20))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    try:
        template = compile_template(text, "query.tag")
    except TemplateError as refused:
        error = refused
    else:
        assert template.render(dict.fromkeys(template.names, "{")).count("{") >= len(template.names)
        return
    assert str(error).startswith("query.tag: ")
    assert error.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a{", "tag: the { at character 2 is no placeholder"),
        ("}", "tag: the } at character 1 is no placeholder"),
        ("{}", "tag: the {} at character 1 is no placeholder"),
        ('{"id": 5}}', "tag: the } at character 10 is no placeholder"),
        ("${env:A-B}", "tag: ${env:A-B} names no environment variable"),
        ("${env:}", "tag: ${env:} names no environment variable"),
    ],
)
def test_what_is_no_template(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)):
        compile_template(text, "tag")


def test_a_missing_field_is_named_with_the_nearest() -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template("{stem}-{titel}", "query.format[0].tag").render({"stem": "", "title": ""})
    words = 'query.format[0].tag: nothing is known as {titel} (did you mean "title"?)'
    assert str(caught.value) == words
    assert (caught.value.name, caught.value.field) == ("titel", "query.format[0].tag")


def test_a_missing_field_without_a_neighbour_lists_what_is_known() -> None:
    with pytest.raises(TemplateError, match=re.escape("(known here: id, stem)")):
        compile_template("{colour}").render({"stem": "", "id": ""})


# --- documents -----------------------------------------------------------------------

DOCS = st.recursive(
    st.none()
    | st.integers()
    | st.booleans()
    | PLAIN.map(escaped)
    | st.sampled_from(["{stem}", "x{id}y", "{parent}/{stem}", "${env:A}{id}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
    max_leaves=12,
)


def by_hand(doc: Any, fields: dict[str, str]) -> Any:
    if isinstance(doc, str):
        return compile_template(doc).render(fields)
    if isinstance(doc, dict):
        return {key: by_hand(value, fields) for key, value in doc.items()}
    return [by_hand(value, fields) for value in doc] if isinstance(doc, list) else doc


@given(DOCS)
def test_documents_render_like_each_of_their_strings(doc: Any) -> None:
    before = copy.deepcopy(doc)
    template = DocumentTemplate(doc)
    other = FIELDS | {"stem": "other"}
    assert template.render(FIELDS) == by_hand(doc, FIELDS)
    assert template.render(other) == by_hand(doc, other)
    assert template.render(FIELDS) == by_hand(doc, FIELDS)
    assert doc == before


def test_documents_know_where_their_templates_are() -> None:
    doc = {"format": [{"tag": "{stem}", "destination": [{"url": "s3://h/{id}", "key": "k"}]}]}
    template = DocumentTemplate(doc, "query")
    assert template.names == ("stem", "id")
    wheres = [each.where for _, each in template.templates]
    assert wheres == ["query.format[0].tag", "query.format[0].destination[0].url"]
    with pytest.raises(TemplateError, match=re.escape("query.format[0].destination[0].url: ")):
        template.render({"stem": ""})


def test_parts_without_placeholders_are_not_copied() -> None:
    doc = {"a": {"plain": ["x"]}, "b": "{stem}"}
    template = DocumentTemplate(doc)
    assert template.render(FIELDS)["a"] is template.render(FIELDS)["a"]
