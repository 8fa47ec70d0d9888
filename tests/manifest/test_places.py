"""Names and folders of sources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest.places import Places


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("/v/a.mov", ("a.mov", "a", ".")),
        ("/v/x/y/a.b.mov", ("a.b.mov", "a.b", "x/y")),
        ("/other/x/a.mov", ("a.mov", "a", "x")),
        ("/vv/a.mov", ("a.mov", "a", "vv")),
        ("/a.mov", ("a.mov", "a", ".")),
        ("/v/a", ("a", "a", ".")),
        ("/v/.a", (".a", ".a", ".")),
        ("/v/..a", ("..a", "..a", ".")),
        ("/v/.a.mov", (".a.mov", ".a", ".")),
        ("/v/a.", ("a.", "a", ".")),
        ("https://h/a.mov", ("a.mov", "a", ".")),
        ("https://h/x/y/a.mov?q=/z/b.mkv", ("a.mov", "a", "x/y")),
        ("https://h//x/../.././y//a.mov", ("a.mov", "a", "x/y")),
        ("https://h/x/a%20b.mov", ("a b.mov", "a b", "x")),
        ("https://h/caf%C3%A9/%E9.mov", ("%E9.mov", "%E9", "café")),
        ("https://h/x%2fy/..%2f..%2fa.mov", ("..%2f..%2fa.mov", "..%2f..%2fa", "x%2fy")),
        ("https://h/%2e%2e/%2E%2e/a%0a.mov", ("a%0a.mov", "a%0a", ".")),
        ("https://h/x/", ("x", "x", "x")),
        ("https://h/", ("h", "h", ".")),
        ("https://h", ("h", "h", ".")),
        ("https://h/..", ("h", "h", ".")),
        ("https://${env:USER}@h:8080/", ("h:8080", "h:8080", ".")),
        ("s3://bucket/x/.a", (".a", ".a", "x")),
    ],
)
def test_name_stem_and_parent(source: str, place: tuple[str, str, str]) -> None:
    assert Places("/v").of(source) == place


def test_everything_lies_under_the_root() -> None:
    places = Places("/")
    assert places.of("/a.mov") == ("a.mov", "a", ".")
    assert places.of("/x/y/a.mov") == ("a.mov", "a", "x/y")


def test_folders_are_told_apart_when_they_follow_each_other() -> None:
    places = Places("/v")
    sources = ["/v/x/a.mov", "/x/a.mov", "https://h/v/x/a.mov", "/v/a.mov", "/v/x/a.mov"]
    assert [places.of(source)[2] for source in sources] == ["x", "x", "v/x", ".", "x"]


@given(
    st.lists(st.sampled_from(["", ".", "..", "%2e", "%2E.", "%2f", "a", "b.mov", "%00", "?", "/"]))
)
def test_a_url_never_leads_out_of_its_folder(segments: list[str]) -> None:
    name, stem, parent = Places("/v").of("https://h/" + "/".join(segments))
    assert name not in ("", ".", "..")
    assert stem not in ("", ".", "..")
    assert "/" not in name + stem
    assert parent == "." or not {"", ".", ".."} & set(parent.split("/"))
