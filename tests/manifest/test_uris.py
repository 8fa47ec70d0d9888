"""The normal form of sources."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.manifest.faults import Fault
from orchestrator.manifest.uris import normalise, normalise_url


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("a.mov", "/m/a.mov"),
        ("./x/../a.mov", "/m/a.mov"),
        ("../a.mov", "/a.mov"),
        ("../../../a.mov", "/a.mov"),
        ("/v//x/./a.mov", "/v/x/a.mov"),
        ("//v/a.mov", "/v/a.mov"),
        ("/v/http://x/a.mov", "/v/http:/x/a.mov"),
        ("cafe\u0301.mov", "/m/cafe\u0301.mov"),
        ("C:/a.mov", "/m/C:/a.mov"),
        ("file:///v/a%20b%23.mov", "/v/a b#.mov"),
        ("FILE://localhost/v/a.mov", "/v/a.mov"),
        ("file:/v/a.mov", "/v/a.mov"),
        ("file:///v/../~/caf%C3%A9.mov", "/~/café.mov"),
        ("HTTP://Host.Example/A/b.MOV", "http://host.example/A/b.MOV"),
        ("https://h:443/a", "https://h/a"),
        ("http://h:80/a", "http://h/a"),
        ("http://h:443/a", "http://h:443/a"),
        ("ftp://h:21/a", "ftp://h/a"),
        ("SFTP://h:22/a", "sftp://h/a"),
        ("https://h:/a", "https://h/a"),
        ("https://h", "https://h"),
        ("https://h?a=/b", "https://h?a=/b"),
        ("https://h/a#t=10", "https://h/a"),
        ("https://h#x", "https://h"),
        ("https://h/a//b/../c%2f?x=1&X-Amz-Signature=0f", "https://h/a//b/../c%2f?x=1&X-Amz-Signature=0f"),
        ("https://h/a b@c.mov", "https://h/a b@c.mov"),
        ("http://[2001:DB8::1]:8080/a", "http://[2001:db8::1]:8080/a"),
        ("s3://Bucket/Key", "s3://bucket/Key"),
        ("sftp://${env:User}:${env:PASS}@H:22/a", "sftp://${env:User}:${env:PASS}@h/a"),
        ("ftp://${env:USER}@h/a", "ftp://${env:USER}@h/a"),
        ("https://${env:Host}/a", "https://${env:Host}/a"),
    ],
)  # fmt: skip
def test_normal_forms(text: str, normal: str) -> None:
    assert normalise(text, "/m") == normal
    assert normalise(normal, "/elsewhere") == normal


def test_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert normalise("~/a.mov", "/m") == "/home/me/a.mov"
    assert normalise("~", "/m") == "/home/me"
    assert normalise("x/~/a.mov", "/m") == "/m/x/~/a.mov"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://bob:hunter2@h/a", "the URL holds a user name or password"),
        ("https://bob@h/a", "the URL holds a user name or password"),
        ("https://:hunter2@h/a", "the URL holds a user name or password"),
        ("https://@h/a", "the URL holds a user name or password"),
        ("https://bob:${env:PASS}@h/a", "the URL holds a user name or password"),
        ("https://${env:USER}hunter2@h/a", "the URL holds a user name or password"),
        ("https://bob:hunter2@x@h/a", "the URL holds a user name or password"),
        ("ftp://bob:hunter2?3@h/a", "there is an @ before the URL's path"),
        ("ftp://bob:1#hunter2@h/a", "there is an @ before the URL's path"),
        ("ftp://bob:hunter2/x@h/a", "the URL's host or port is wrong"),
        ("gs://bucket/a", "gs:// can't be read"),
        ("a://b", "a:// can't be read"),
        ("https:///a", "the URL's host or port is wrong"),
        ("https://", "the URL's host or port is wrong"),
        ("https://h:8o/a", "the URL's host or port is wrong"),
        ("https://h x/a", "the URL's host or port is wrong"),
        ("https://h\\x/a", "the URL's host or port is wrong"),
        ("https://h/a\r\nX: y", "the URL holds a control character"),
        ("file://server/a.mov", "the file URL names another machine"),
        ("file://a.mov", "the file URL names another machine"),
        ("file:///%ff.mov", "the file URL is not UTF-8"),
        ("file:///a%00.mov", "the path holds a NUL character"),
        ("a\0.mov", "the path holds a NUL character"),
        ("", "no source"),
    ],
)
def test_what_is_refused_and_that_no_secret_is_repeated(text: str, message: str) -> None:
    with pytest.raises(Fault) as caught:
        normalise(text, "/m", "stitch")
    assert caught.value.message == message
    assert caught.value.field == "stitch"
    assert caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("text", ["a.mov", "/v/a.mov", "file:///v/a.mov", "x/a://b", "", "://h/a"])
def test_where_only_a_url_will_do(text: str) -> None:
    with pytest.raises(Fault, match="not a URL"):
        normalise_url(text, "stitch")


PARTS = st.sampled_from(
    ["http", "FILE", "s3", ":", "/", "//", "@", "#", "?", "~", "..", ".", "[", "]"]
)


@given(st.lists(PARTS | st.text(max_size=3), max_size=10).map("".join))
@example("://")
@example("file:/")
def test_any_text_is_refused_or_has_one_normal_form(text: str) -> None:
    try:
        normal = normalise(text, "/m")
    except Fault:
        return
    assert normal[0] == "/" or "://" in normal
    assert normal[0] != "/" or ("://" not in normal and ".." not in Path(normal).parts)
    assert normalise(normal, "/elsewhere") == normal
