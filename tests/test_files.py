"""Files are whole or not there, and on disk before anybody hears of them."""

import os
from pathlib import Path

import pytest

from orchestrator.files import make_folders, put_in_place, replacing


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is fsynced, in order, and renames among them."""
    done: list[str] = []
    fsync, rename = os.fsync, os.replace

    def noted(handle: int) -> None:
        done.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    def renamed(source: Path, target: Path) -> None:
        done.append(f"{source.name} -> {target.name}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(Path, "replace", renamed)
    return done


def test_bytes_then_name_then_folder(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "a.part").write_bytes(b"new")
    (tmp_path / "a").write_bytes(b"old")
    put_in_place(tmp_path / "a.part", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert synced == ["a.part", "a.part -> a", tmp_path.name]


def test_new_folders_last_too(tmp_path: Path, synced: list[str]) -> None:
    make_folders(tmp_path / "a" / "b")
    make_folders(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert synced == [tmp_path.name, "a"]


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(FileExistsError):
        make_folders(tmp_path / "a")
    with pytest.raises(NotADirectoryError):
        make_folders(tmp_path / "a" / "b")


def test_replacing_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path):
        raise RuntimeError
    assert path.read_text() == "old"
    with replacing(path) as file:
        file.write("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
