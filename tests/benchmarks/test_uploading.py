"""What the benchmarks of uploads decide: whether they can run, and what arrived."""

import os
from pathlib import Path

import pytest

from benchmarks import tus_node
from benchmarks.uploading import node, rounds
from benchmarks.uploading.clients import Contender


def test_without_node_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tus_node, "NEEDED", 1)
    monkeypatch.setattr(tus_node, "STORED", 1)
    result = tus_node.bench(tmp_path, tmp_path)
    assert result.met is None
    assert "install Node.js" in capsys.readouterr().out


def test_an_old_node_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho v18.20.8\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(node.NotRun, match=r"v18\.20\.8"):
        node.install(tmp_path / "installed")


def test_an_install_that_failed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    for name, does in (("node", "echo v20.19.0"), ("npm", "echo no way there >&2; exit 1")):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for _ in range(2):
        with pytest.raises(node.NotRun, match="no way there"):
            node.install(tmp_path / "installed")
    program.write_text("#!/bin/sh\nmkdir -p node_modules/@tus\n")
    node.install(tmp_path / "installed")
    program.write_text("#!/bin/sh\nexit 1\n")
    node.install(tmp_path / "installed")


@pytest.mark.parametrize(("arrived", "good"), [(b"same", True), (b"Same", False), (b"", False)])
def test_what_arrived_is_compared_byte_by_byte(tmp_path: Path, arrived: bytes, good: bool) -> None:
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(b"same")
    got.write_bytes(arrived)
    load = rounds.Load("x", "x", [sent], 1, "files/s", 1)
    who = Contender("somebody", lambda _: (1.0, 1.0))
    if good:
        rounds._check(who, load, [got], prove=True)
    else:
        with pytest.raises(SystemExit, match="somebody"):
            rounds._check(who, load, [got], prove=True)
