"""Fingerprints of local sources."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest

from orchestrator.manifest.sources import (
    Looks,
    content_fingerprint,
    fingerprint,
    fingerprinter,
)
from orchestrator.model.errors import SourceMissing
from tests.manifest.support import all_of, media, written

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: be someone else for a moment."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everyone can reach, which ``tmp_path`` is not."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        yield folder


def test_from_one_stat(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    assert fingerprint(str(path)) == ("5-1700000000123456789", 5)


def test_of_the_content(tmp_path: Path) -> None:
    first, second, third = media(tmp_path, "a.mov", "b.mov", "c.mov")
    os.utime(second, ns=(1, 1))
    third.write_bytes(b"Media")
    print_, size = content_fingerprint(str(first))
    assert (len(print_), print_[:3], size) == (35, "b2-", 5)
    assert content_fingerprint(str(second)) == (print_, 5)
    assert content_fingerprint(str(third))[0] != print_


@pytest.mark.parametrize("kind", ["stat", "none"])
def test_many_looks_say_what_each_would(tmp_path: Path, kind: Literal["stat", "none"]) -> None:
    first, second = media(tmp_path, "a.mov", "b.mov")
    (tmp_path / "empty.mov").touch()
    second.chmod(0o600)
    paths = [first, tmp_path / "no.mov", tmp_path, tmp_path / "empty.mov", second]
    sources = [*map(str, paths), "https://h.example/a.mov", "/bad\0name"]
    looks = Looks(kind, sources)
    for at, source in enumerate(sources[:-2]):
        try:
            single = fingerprinter(kind)(source)
        except SourceMissing:
            assert at in looks.refused
        else:
            assert (looks.fingerprints[at], looks.sizes[at]) == single
    assert (looks.fingerprints[5], looks.sizes[5]) == ("", None)
    assert looks.refused == ([] if kind == "none" else [1, 2, 3, 6])


def test_of_a_link_is_of_its_target(tmp_path: Path) -> None:
    (path,) = media(tmp_path, "a.mov")
    link = tmp_path / "b.mov"
    link.symlink_to(path)
    assert fingerprint(str(link)) == fingerprint(str(path))


def make_missing(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("take", [fingerprint, content_fingerprint])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_missing, "does not exist"),
        (Path.mkdir, "is a folder"),
        (Path.touch, "is empty"),
        (os.mkfifo, "is not a regular file"),
        (lambda path: path.symlink_to("nowhere"), "is a link to a file that does not exist"),
        (make_loop, "can't be read: Too many levels of symbolic links"),
    ],
)
def test_what_is_no_source(
    tmp_path: Path,
    take: Callable[[str], tuple[str, int]],
    make: Callable[[Path], None],
    reason: str,
) -> None:
    path = tmp_path / "a.mov"
    make(path)
    with pytest.raises(SourceMissing) as caught:
        take(str(path))
    assert str(caught.value) == f"{path} {reason}"


@pytest.mark.parametrize("take", [fingerprint, content_fingerprint])
def test_a_file_that_may_not_be_read(
    open_folder: Path, take: Callable[[str], tuple[str, int]]
) -> None:
    (path,) = media(open_folder, "a.mov")
    path.chmod(0)
    with as_nobody(), pytest.raises(SourceMissing, match="can't be read: permission denied"):
        take(str(path))
    path.chmod(stat.S_IRGRP | stat.S_IROTH)
    if os.geteuid() == 0:
        with as_nobody():
            assert take(str(path))[1] == 5


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="can't be read: File name too long"):
        fingerprint(f"{tmp_path}/{'x' * 300}")


def test_rows_carry_fingerprint_and_size(tmp_path: Path) -> None:
    (path,) = media(tmp_path, "a.mov")
    manifest = written(tmp_path, "m.txt", "a.mov\nhttps://h/b.mov\n")
    (local, remote), _ = all_of(manifest)
    assert (local.fingerprint, local.size) == fingerprint(str(path))
    assert (remote.fingerprint, remote.size) == ("", None)
    (local, _), _ = all_of(manifest, fingerprint="content")
    assert (local.fingerprint, local.size) == content_fingerprint(str(path))
    (local, _), _ = all_of(manifest, fingerprint="none")
    assert (local.fingerprint, local.size) == ("", None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", "source,id\nfilms/no.mov,\nfilms/no.mov,k\na.mov,\n"),
        (
            "m.jsonl",
            (
                '\n{"source": "films/no.mov"}\n'
                '{"source": "films/no.mov", "id": "k"}\n{"source": "a.mov"}'
            ),
        ),
        ("m.txt", "\nfilms/no.mov\nfilms/../films/no.mov\na.mov"),
    ],
)
def test_a_missing_source_is_named_in_full(tmp_path: Path, name: str, text: str) -> None:
    media(tmp_path, "a.mov")
    rows, (first, second) = all_of(written(tmp_path, name, text))
    full = f"{tmp_path}/films/no.mov"
    assert (first.line, first.field, first.key) == (2, "source", full)
    assert (second.line, second.key) == (3, "k" if "k" in text else full)
    assert first.message == f"{full} does not exist"
    assert [row.line for row in rows] == [4]


def test_an_unreadable_folder_is_named_and_the_scan_goes_on(open_folder: Path) -> None:
    media(open_folder, "a/1.mov", "b/2.mov", "c/3.mov")
    (open_folder / "b").chmod(0)
    with as_nobody():
        rows, (problem,) = all_of(open_folder)
    (open_folder / "b").chmod(0o755)
    assert [row.fields["name"] for row in rows] == ["1.mov", "3.mov"]
    assert str(problem) == (
        f"{open_folder}: the folder {open_folder}/b can't be read: Permission denied "
        "(give this user the right to read it, or move it away)"
    )
