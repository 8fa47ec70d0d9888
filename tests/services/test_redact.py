"""No secret gets through, and nothing else is lost."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.services.redact import host_of, redact, scrub
from orchestrator.services.refusals import as_document, delay_named
from orchestrator.services.urls import absolute, relative

WORDS = st.text(string.ascii_letters + string.digits + "-_/+=", min_size=8, max_size=40)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@host:8080/a/b?token=x#y", "https://host:8080/a/b"),
        ("https://host/@someone/video.mp4", "https://host/@someone/video.mp4"),
        ("s3://AKIA:se/cr@et@bucket/key", "s3://bucket/key"),
        ("ftp://user:pa/ss@host/dir/f.mp4", "ftp://host/dir/f.mp4"),
        ("/v1/status?token=x", "/v1/status"),
        ("tus:abc", "tus:abc"),
    ],
)
def test_redact(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(secret=WORDS.map(lambda word: "K3y" + word))
def test_userinfo_never_shows(secret: str) -> None:
    assert secret not in redact(f"s3://key:{secret}@bucket/path")
    assert secret not in redact(f"https://host/path?key={secret}")
    assert secret not in scrub(f"can't write s3://key:{secret}@bucket/path, sorry")
    assert secret not in scrub(f"key {secret} is bad", [secret])


def test_scrub_is_one_bounded_line() -> None:
    text = scrub("a\nb\t c " * 1000)
    assert text.startswith("a b c a")
    assert len(text) == 300


def test_host_of() -> None:
    assert host_of("http://u:p@127.0.0.1:80/x") == "127.0.0.1:80"


@given(value=st.text(max_size=40))
def test_any_retry_after_is_read(value: str) -> None:
    delay = delay_named(
        {"Retry-After": value}, as_document(value.encode("utf-8", "replace")), value
    )
    assert delay is None or 0 <= delay <= 86400


@pytest.mark.parametrize(
    ("url", "base", "stored"),
    [
        ("http://h:1/v1/status", "http://h:1", "/v1/status"),
        ("http://h:1/v1/status", "http://h:1/", "/v1/status"),
        ("http://h/p/v1/x?a=b", "http://h:80/p", "/v1/x?a=b"),
        ("http://h/px/v1", "http://h/p", "http://h/px/v1"),
        ("https://h/v1", "http://h", "https://h/v1"),
        ("http://other/v1", "http://h", "http://other/v1"),
        ("http://h:1/a%20b", "http://h:1", "/a%20b"),
        ("http://h:1", "http://h:1", "/"),
        ("file:///x/y", "http://h:1", "file:///x/y"),
        ("s3://h/x", "http://h", "s3://h/x"),
    ],
)
def test_urls_survive_a_change_of_address(url: str, base: str, stored: str) -> None:
    assert relative(url, base) == stored
    moved = absolute(stored, "http://new:2/q/")
    assert moved == ("http://new:2/q" + stored if stored.startswith("/") else url)
