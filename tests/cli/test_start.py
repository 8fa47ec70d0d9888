"""The command as a process of its own: quick to start, polite in a pipe."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("aiohttp", "alembic", "pydantic", "rich", "sqlalchemy", "structlog", "uvloop")


def python(*args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, *args], env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_commands_load_nothing_heavy_until_one_is_called():
    code = "import json, sys, orchestrator.cli.app; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(python("-c", code).stdout))
    assert loaded & set(HEAVY) == set()


def test_ssh_is_loaded_where_it_is_used_alone():
    code = "import sys, orchestrator.transcoder.server; print('asyncssh' in sys.modules)"
    assert python("-c", code).stdout == "False\n"


def test_the_module_is_the_command():
    done = python("-m", "orchestrator", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("orchestrator ")


@pytest.mark.parametrize("args", [["run", "nowhere"], ["status", "nowhere", "--json"]])
def test_a_typing_error_is_answered_in_one_line(here, args):
    done = python("-m", "orchestrator", *args)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "there is no job 'nowhere'" in done.stderr


PIPE = """
import os, sys
from orchestrator.cli.guard import guarded

def long():
    for number in range(100_000):
        print("a line that nobody reads", number)
    return 7

import typer
read, write = os.pipe()
os.dup2(write, 1)
os.close(write)
os.close(read)
try:
    guarded(long)()
except typer.Exit as exit:
    sys.stderr.write(f"code {exit.exit_code}")
"""


def test_a_reader_that_has_seen_enough_is_no_error(here):
    done = python("-c", PIPE)
    assert (done.returncode, done.stderr) == (0, "code 0")


IDLE = """
import json, sys
from orchestrator.cli import main
sys.argv = ["orchestrator", "run", "job.toml", "--keep-going"]
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)
"""


def test_a_run_with_nothing_to_do_loads_no_client_and_no_service(here):
    (here / "list.txt").write_text("not-there.mp4\n")
    (here / "job.toml").write_text('manifest = "list.txt"\n[[query.format]]\noutput = "mp4"\n')
    done = python("-c", IDLE)
    code, loaded = json.loads(done.stderr.splitlines()[-1])
    assert code == 1, done.stdout
    assert {"aiohttp", "orchestrator.services", "orchestrator.transcoder"} & set(loaded) == set()
