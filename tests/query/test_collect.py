"""Folders and file names of outputs: always below the folder that the author wrote."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.plain import is_plain_path
from orchestrator.query import Collect, TemplateError
from orchestrator.query.collect import _fault

JOBS = Path("/srv/jobs")


def collect(into: str, name: str = "{tag}.{ext}") -> Collect:
    return Collect.of(into, name, JOBS)


@pytest.mark.parametrize(
    ("into", "folder"),
    [
        ("../out/{parent}/{stem}", "/srv/out/a/b/clip"),
        ("/data/{stem}", "/data/clip"),
        ("{stem}", "/srv/jobs/clip"),
        ("./x/../y-{stem}", "/srv/jobs/y-clip"),
        ("out/{top}/{stem}", "/srv/jobs/out/clip"),
        ("{top}", "/srv/jobs"),
        ("a{{b/{stem}", "/srv/jobs/a{b/clip"),
    ],
)
def test_folders(into: str, folder: str) -> None:
    fields = {"stem": "clip", "parent": "a/b", "top": "."}
    assert collect(into).folder(fields) == folder


def test_the_base_is_absolute_and_without_dots() -> None:
    assert collect("../out/x-{stem}").base == "/srv/out"


def test_a_fixed_folder_needs_names_that_differ() -> None:
    assert collect("../out", "{stem}-{tag}.{ext}").folder({"stem": "x"}) == "/srv/out"


@pytest.mark.parametrize(
    ("stem", "words"),
    [
        ("..", '".." could lead out of the folder of outputs'),
        ("a/../..", '"a/../.." could lead out of the folder of outputs'),
        ("a\\b", "could lead out"),
        ("a\0b", "the folder's name would hold a control character"),
        ("a\nb", "the folder's name would hold a control character"),
        ("/etc", '"/etc" holds a folder without a name'),
        ("a//b", '"a//b" holds a folder without a name'),
        ("a/", '"a/" holds a folder without a name'),
        ("é" * 128, "a folder's name would be longer than 255 bytes"),
    ],
)
def test_fields_that_make_no_folder(stem: str, words: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(words)) as caught:
        collect("out/{stem}").folder({"stem": stem})
    assert caught.value.field == "collect.into"


def test_an_empty_field_makes_no_folder() -> None:
    with pytest.raises(TemplateError, match="holds a folder without a name"):
        collect("out/{show}/{stem}").folder({"show": "", "stem": "x"})


@given(
    st.sampled_from(["{a}", "out/{a}", "out/{a}{b}/{c}", "x-{a}/y/{b}.{c}"]),
    *[st.text(alphabet="./a\\\0 ", max_size=5) | st.text(max_size=4)] * 3,
)
def test_no_field_climbs_out(into: str, a: str, b: str, c: str) -> None:
    where = collect(into)
    try:
        folder = where.folder({"a": a, "b": b, "c": c})
    except TemplateError:
        return
    assert Path(folder).is_relative_to(where.base)
    assert ".." not in folder.split("/")
    assert "\0" not in folder


@given(*[st.text(alphabet="./a\\\0", max_size=5) | st.text(max_size=6)] * 3)
def test_file_names_stay_in_their_folder(tag: str, ext: str, stem: str) -> None:
    for template in ("{tag}.{ext}", "{tag}", "{stem}{ext}"):
        name = collect("out/{stem}", template).file_name(tag, ext, {"stem": stem})
        assert Path("/x", name).name == name
        assert "\\" not in name


def test_a_tag_with_a_slash_is_one_name() -> None:
    assert collect("{stem}").file_name("320x240/5", "png", {"stem": "s"}) == "320x240_5.png"


@pytest.mark.parametrize(
    ("into", "name", "words"),
    [
        ("out", "{tag}.{ext}", "collect.into: all items would go to one place"),
        ("out/{tag}", "{stem}", "collect.into: {tag} differs by output"),
        ("${env:HOME}/{stem}", "{tag}", "collect.into: secrets can't be part of a path"),
        ("out/{stem", "{tag}", "collect.into: the { at character 5 is no placeholder"),
        ("out/{stem}", "{tag}}", "collect.name: the } at character 6 is no placeholder"),
    ],
)
def test_templates_that_can_not_be(into: str, name: str, words: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(words)):
        collect(into, name)


@given(st.text(st.sampled_from("ab/. \\\x00é"), max_size=12))
def test_a_plain_folder_is_the_one_that_a_closer_look_gives(below):
    if is_plain_path(below):
        steps = [step for step in below.split("/") if step != "."]
        assert _fault(below, steps) == ""
        assert "/".join(steps) == below
