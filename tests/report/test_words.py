"""Numbers and names as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.report import words


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_499, "99.5 kB"),
        (99_500, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (4_200_000_000, "4.2 GB"),
        (3.2e18, "3200 PB"),
    ],
)
def test_size(number, shown):
    assert words.size(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.84, "0.8 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7260, "2 h 01 min"),
        (86_399, "1 d 0 h"),
        (273_600, "3 d 4 h"),
    ],
)
def test_duration(seconds, shown):
    assert words.duration(seconds) == shown


@pytest.mark.parametrize(
    ("per_second", "shown"),
    [
        (None, "–"),
        (0, "–"),
        (1234, "1,234/s"),
        (0.64, "38/min"),
        (0.1, "6.0/min"),
        (0.002, "7.2/h"),
    ],
)
def test_pace(per_second, shown):
    assert words.pace(per_second) == shown


def test_counted():
    assert words.counted(1, "file") == "1 file"
    assert words.counted(2000, "file") == "2,000 files"
    assert words.counted(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("https://me:hunter2@cdn.example/a.mov", "https://cdn.example/a.mov"),
        ("s3://b/a.mov?X-Amz-Signature=abc&x=1", "s3://b/a.mov"),
        ("https://h/a?t=1 https://h/b?t=2", "https://h/a"),
        ("/media/why?.mov", "/media/why?.mov"),
        ("a\x1b[2Jb\nc", "a\ufffd[2Jb\ufffdc"),
    ],
)
def test_names_hold_no_credentials_and_no_control_characters(key, shown):
    assert words.name(key) == shown


@given(st.text(), st.integers(2, 40))
def test_a_name_fits_and_keeps_its_end(key, width):
    shown = words.name(key, width)
    assert len(shown) <= width
    assert shown.isprintable()
    assert words.name(key).endswith(shown.removeprefix("…"))
