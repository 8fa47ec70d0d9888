"""``orchestrator profiles`` and ``orchestrator schema``, as people run them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from orchestrator.cli.exits import BAD_INPUT, OK


@pytest.fixture
def command(tmp_path):
    (tmp_path / "config.toml").write_text('[serve]\nprofiles = "mine"\ntransfers = "stores"\n')
    (tmp_path / "mine").mkdir()
    (tmp_path / "stores").mkdir()

    def run(*arguments):
        line = [sys.executable, "-m", "orchestrator", *arguments]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            line, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.slow
def test_profiles_are_listed_checked_and_shown_without_secrets(command, tmp_path):
    small = {"output": "mp4", "tag": "{customer}", "height": 240}
    (tmp_path / "mine" / "small.json").write_text(json.dumps(small))
    store = {"url": "s3://host.net/films", "key": "${env:STORE_KEY}", "secret": "planted"}
    (tmp_path / "stores" / "nas.json").write_text(json.dumps(store))
    code, out, _ = command("profiles")
    assert code == OK
    assert out.splitlines() == [
        "small: profile of mp4; needs customer",
        "nas: transfer method",
        "2 files read, all good",
    ]
    code, out, err = command("profiles", "nas")
    assert code == OK
    assert "${env:STORE_KEY}" in out
    assert "planted" not in out + err


@pytest.mark.slow
def test_a_profile_that_can_not_be_used_is_told(command, tmp_path):
    (tmp_path / "mine" / "bad.json").write_text('[{"output": "mp4", "widht": 3}]')
    (tmp_path / "mine" / "cut.toml").write_text('output = "mp')
    code, out, _ = command("profiles")
    assert code == BAD_INPUT
    assert 'did you mean "width"?' in out
    assert "cut.toml is no TOML" in out
    code, _, err = command("profiles", "none")
    assert code == BAD_INPUT
    assert "there is no profile none" in err


@pytest.mark.slow
def test_the_schema_judges_queries(command):
    code, out, _ = command("schema")
    assert code == OK
    judge = jsonschema.Draft202012Validator(json.loads(out))
    good = {"source": "https://example.com/a.mp4", "format": [{"output": "mp4", "height": 240}]}
    assert judge.is_valid(good)
    assert not judge.is_valid({**good, "format": [{"output": "mp5"}]})
