"""Log lines go to a file, keep off the terminal, and hold no secret."""

import json
import logging

import pytest
import structlog

from orchestrator.model.errors import BadInput
from orchestrator.report.logs import configure_logging, current_file


@pytest.fixture(autouse=True)
def _as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []  # pytest's own; configure_logging closes what it finds
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(tmp_path, shape="text", **options):
    file = tmp_path / "logs/job.log"
    configure_logging(file, format=shape, **options)
    return file


def fail(error: Exception):
    raise error


def test_text_lines(tmp_path, capsys):
    file = logged(tmp_path)
    structlog.get_logger("orchestrator.x").info("upload begun", key="/m/a.mov", size=5)
    logging.getLogger("aiohttp").warning("odd %s", "header")
    first, second = file.read_text().splitlines()
    assert "upload begun" in first
    assert "key=/m/a.mov" in first
    assert "odd header" in second
    assert "\x1b" not in first + second
    assert capsys.readouterr() == ("", "")


def test_json_lines(tmp_path):
    file = logged(tmp_path, "json")
    structlog.get_logger("orchestrator.x").info("begun", key="k", path=tmp_path)
    logging.getLogger("other").error("bad")
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert (first["event"], first["key"], first["level"]) == ("begun", "k", "info")
    assert (second["event"], second["logger"]) == ("bad", "other")


def test_the_level_counts(tmp_path):
    file = logged(tmp_path, level="warning")
    structlog.get_logger("a").info("quiet")
    structlog.get_logger("a").warning("loud")
    assert "quiet" not in file.read_text()
    assert "loud" in file.read_text()


def test_verbose_goes_to_stderr_as_well(tmp_path, capsys):
    file = logged(tmp_path, verbose=True)
    structlog.get_logger("a").info("seen")
    assert "seen" in capsys.readouterr().err
    assert "seen" in file.read_text()


@pytest.mark.parametrize("shape", ["text", "json"])
def test_tracebacks_are_kept(tmp_path, shape):
    file = logged(tmp_path, shape)
    try:
        fail(KeyError("what-was-missing"))
    except KeyError:
        structlog.get_logger("a").exception("broke")
    assert "Traceback" in file.read_text()
    assert "what-was-missing" in file.read_text()


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": "hunter2"},
        {"apikey": "hunter2"},
        {"token": "hunter2"},
        {"access_token": "hunter2"},
        {"destination": {"url": "s3://b", "secret": "hunter2"}},
        {"headers": [{"Authorization": "hunter2"}]},
        {"url": "s3://me:hunter2@bucket/x"},
        {"url": "https://h/a?X-Amz-Signature=hunter2&x=1"},
        {"body": "api_key=hunter2&x=1"},
        {"said": "Authorization: Bearer hunter2hunter2"},
        {"error": ValueError("https://me:hunter2@h/")},
    ],
)
@pytest.mark.parametrize("shape", ["text", "json"])
def test_a_secret_is_hidden(tmp_path, fields, shape):
    file = logged(tmp_path, shape)
    structlog.get_logger("a").info("x", **fields)
    assert "hunter2" not in file.read_text()
    assert "***" in file.read_text()


def test_a_secret_in_a_traceback_is_hidden(tmp_path):
    file = logged(tmp_path)
    try:
        fail(ValueError("no answer from https://me:hunter2@h/"))
    except ValueError:
        logging.getLogger("lib").exception("broke")
    assert "***@h/" in file.read_text()
    assert "hunter2" not in file.read_text()


def test_task_tokens_are_handles_not_secrets(tmp_path):
    file = logged(tmp_path)
    structlog.get_logger("a").info("x", task_token="0a1b", url="/v1/status?task_token=0a1b&x=1")
    assert file.read_text().count("0a1b") == 2


def test_configuring_again_moves_to_the_new_file(tmp_path):
    first = logged(tmp_path)
    configure_logging(tmp_path / "other.log")
    structlog.get_logger("a").info("now here")
    assert first.read_text() == ""
    assert current_file() == tmp_path / "other.log"
    assert "now here" in (tmp_path / "other.log").read_text()


def test_no_file_is_the_current_one_where_none_was_asked_for():
    configure_logging(None, verbose=True)
    assert current_file() is None


def test_a_full_disk_ends_no_run(tmp_path, capsys):
    logged(tmp_path)
    logging.getLogger().handlers[0].stream.close()
    structlog.get_logger("a").warning("lost")
    assert capsys.readouterr() == ("", "")


def test_a_log_that_cannot_be_written_is_said_at_once(tmp_path):
    (tmp_path / "logs").write_text("a file, not a folder")
    with pytest.raises(BadInput, match=r"job\.log"):
        configure_logging(tmp_path / "logs/job.log")
