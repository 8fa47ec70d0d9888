"""The settings: where they come from, how they are checked, what is said when they are wrong."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from orchestrator.config import BUILT_IN, Config, ConfigError, load_config
from orchestrator.model.errors import BadInput
from orchestrator.settings import Bytes, EdgeService, QencodeService, Section, TranscoderService

SHIPPED = Path(__file__).parents[1] / "config.toml"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return file


def problem(tmp_path: Path, text: str):
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text))
    assert len(caught.value.problems) == 1, str(caught.value)
    return caught.value.problems[0]


# --- the shipped file ----------------------------------------------------------


def test_the_shipped_file_holds_the_defaults():
    assert Config(**tomllib.loads(SHIPPED.read_text())) == Config()


def sections(model: type[BaseModel], path: tuple[str, ...] = ()):
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from sections(field.annotation, (*path, name))
        elif name == "services":
            yield from sections(TranscoderService, ("services", "local"))
            yield from sections(QencodeService, ("services", "qencode"))
            yield from sections(EdgeService, ("services", "edge"))
        else:
            yield path, name, field


def spelled_out(text: str) -> set[tuple[str, ...]]:
    found, table = set(), ()
    for line in text.splitlines():
        if header := re.match(r"\[(.+)\]", line):
            table = tuple(header[1].split("."))
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            found.add((*table, key[1]))
    return found


def test_the_shipped_file_names_every_setting_and_no_other():
    assert spelled_out(SHIPPED.read_text()) == {(*path, name) for path, name, _ in sections(Config)}


def test_every_setting_is_described():
    fields = [(*path, name) for path, name, f in sections(Config) if not f.description]
    assert [name for name in fields if name[-1] != "kind"] == []


# --- where they come from -------------------------------------------------------------


def test_an_explicit_file(tmp_path):
    config = load_config(written(tmp_path, "[limits]\nuploads = 7\n"))
    assert config.limits.uploads == 7
    assert config.origin == str(tmp_path / "config.toml")


def test_the_nearest_file_above_the_current_folder(tmp_path, monkeypatch):
    written(tmp_path, "[limits]\nuploads = 7\n")
    (tmp_path / "jobs/deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "jobs/deep")
    config = load_config(None)
    assert config.limits.uploads == 7
    assert config.origin == str(tmp_path / "config.toml")
    assert config.state == tmp_path / ".orchestrator"


def test_no_file_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.config.FILE_NAME", "none-of-that-name.toml")
    config = load_config(None)
    assert config.origin == BUILT_IN
    assert config.state == tmp_path / ".orchestrator"
    assert set(config.services) == {"local", "qencode", "edge"}


def test_the_environment_is_stronger_than_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_LIMITS__UPLOADS", "8")
    monkeypatch.setenv("ORCHESTRATOR_SERVICES__QENCODE__URL", "http://127.0.0.1:9/")
    config = load_config(written(tmp_path, "[limits]\nuploads = 7\ncollects = 6\n"))
    assert (config.limits.uploads, config.limits.collects) == (8, 6)
    assert config.services["qencode"].url == "http://127.0.0.1:9"
    assert config.services["qencode"].poll_max == 120


def test_a_service_of_ones_own_stands_beside_the_built_in_ones(tmp_path):
    text = '[services.mirror]\nkind = "qencode"\nurl = "https://mirror.example"\n'
    config = load_config(written(tmp_path, text + "[services.local]\nnice = 0\n"))
    assert set(config.services) == {"local", "qencode", "edge", "mirror"}
    assert isinstance(config.services["local"], TranscoderService)
    assert config.services["local"].nice == 0
    assert config.service("mirror").url == "https://mirror.example"


def test_settings_do_not_change(tmp_path):
    config = load_config(written(tmp_path, ""))
    with pytest.raises(ValidationError):
        config.limits.uploads = 9


# --- paths -----------------------------------------------------------------------------


def test_relative_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    home = tmp_path / "there"
    home.mkdir()
    text = 'state = "s"\n[services.local]\nlocal_roots = ["media", "/srv"]\nffmpeg = "bin/ffmpeg"\n'
    config = load_config(written(home, text))
    local = config.services["local"]
    assert config.state == home / "s"
    assert local.local_roots == (home / "media", Path("/srv"))
    assert local.ffmpeg == home / "bin/ffmpeg"
    assert local.data == home / "s/local"
    assert config.log_file("night") == home / "s/night.log"
    assert config.ledger_url("night") == f"sqlite:///{home}/s/night.db"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///ledgers/{job}.db", "sqlite:///{here}/ledgers/night.db"),
        ("sqlite:////var/{job}.db", "sqlite:////var/night.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        (
            "postgresql+psycopg://me:${env:PG}@db/{job}",
            "postgresql+psycopg://me:${env:PG}@db/night",
        ),
    ],
)
def test_ledger_urls(tmp_path, url, expected):
    config = load_config(written(tmp_path, f'[ledger]\nurl = "{url}"\n'))
    assert config.ledger_url("night") == expected.replace("{here}", str(tmp_path))


def test_a_program_by_its_name_is_found_on_the_path(tmp_path, monkeypatch):
    program = tmp_path / "bin/myffmpeg"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    config = load_config(written(tmp_path, '[serve]\nffmpeg = "myffmpeg"\n'))
    assert config.serve.ffmpeg == program
    said = problem(tmp_path, '[serve]\nffmpeg = "yourffmpeg"\n')
    assert (said.line, said.field) == (2, "serve.ffmpeg")
    assert "'yourffmpeg' is on the PATH" in said.message


# --- secrets ---------------------------------------------------------------------------------


def test_a_secret_is_resolved_only_when_used(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "hunter2")
    config = load_config(written(tmp_path, '[services.qencode]\napi_key = "${env:MY_KEY}"\n'))
    key = config.services["qencode"].api_key
    assert key == "${env:MY_KEY}"
    assert config.secret(key) == "hunter2"
    assert config.secret(f"x-{key}-y") == "x-hunter2-y"
    assert config.secret("plain") == "plain"


def test_an_unset_secret_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("QENCODE_API_KEY", raising=False)
    config = load_config(written(tmp_path, ""))
    with pytest.raises(BadInput, match="QENCODE_API_KEY"):
        config.secret(config.services["qencode"].api_key)


def test_a_key_written_out_is_shown_nowhere(tmp_path):
    text = '[services.qencode]\napi_key = "hunter2"\n[serve]\napi_key = "hunter2"\n'
    assert "hunter2" not in repr(load_config(written(tmp_path, text)))
    said = problem(tmp_path, '[services.qencode]\napi_key = ["hunter2"]\n')
    assert "hunter2" not in str(said)
    assert said.field == "services.qencode.api_key"


# --- what is said when they are wrong ------------------------------------------------------------


def test_a_misspelt_setting(tmp_path):
    said = problem(tmp_path, "# mine\n[limits]\nstarts = 2\nuplaods = 9\n")
    assert said.file == str(tmp_path / "config.toml")
    assert (said.line, said.field) == (4, "limits.uplaods")
    assert '"uploads"' in said.hint


def test_a_misspelt_section(tmp_path):
    said = problem(tmp_path, "\n[limit]\nuploads = 9\n")
    assert (said.line, said.field) == (2, "limit")
    assert '"limits"' in said.hint


def test_a_misspelt_setting_of_a_service(tmp_path):
    said = problem(tmp_path, '[services.mine]\nkind = "qencode"\npol_min = 9\n')
    assert (said.line, said.field) == (3, "services.mine.pol_min")
    assert '"poll_min"' in said.hint


def test_an_unknown_kind(tmp_path):
    said = problem(tmp_path, '[services.mine]\nkind = "qncode"\n')
    assert (said.line, said.field) == (1, "services.mine")
    assert "transcoder, qencode" in said.hint


def test_an_unknown_default_service(tmp_path):
    said = problem(tmp_path, '\ndefault_service = "qencod"\n')
    assert (said.line, said.field) == (2, "default_service")
    assert '"qencode"' in said.hint


def test_asking_for_an_unknown_service(tmp_path):
    config = load_config(written(tmp_path, ""))
    with pytest.raises(BadInput, match='did you mean "local"'):
        config.service("locl")


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("[limits]\nuploads = 0", "limits.uploads", "greater than or equal to 1"),
        ('[limits]\nuploads = "many"', "limits.uploads", "must be a valid integer"),
        ('[upload]\nchunk = "8 potatoes"', "upload.chunk", "8MiB"),
        ("[retry]\ncap = inf", "retry.cap", "finite"),
        ('[manifest]\nfingerprint = "md5"', "manifest.fingerprint", "'stat', 'content' or 'none'"),
        ('[serve]\nlisten = "8080"', "serve.listen", "host:port"),
        ('[serve]\nurl = "ftp://x"', "serve.url", "http"),
        ("[services]\nlocal = 3", "services.local", "must be"),
    ],
)
def test_bad_values(tmp_path, text, field, words):
    said = problem(tmp_path, text)
    assert (said.line, said.field) == (2, field)
    assert words in said.message


def test_several_problems_are_said_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, "[limits]\nuploads = 0\nstarts = 0\n"))
    assert [p.line for p in caught.value.problems] == [2, 3]


def test_a_line_that_is_not_toml(tmp_path):
    said = problem(tmp_path, "[limits]\nuploads = = 3\n")
    assert said.line == 2


def test_a_bad_variable_is_blamed_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_LIMITS__UPLOADS", "lots")
    said = problem(tmp_path, "[limits]\nuploads = 3\n")
    assert "ORCHESTRATOR_LIMITS__UPLOADS" in said.file
    assert said.line == 0


def test_a_variable_of_no_section_is_a_typing_error(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_LIMIT__UPLOADS", "3")
    said = problem(tmp_path, "")
    assert said.field == "ORCHESTRATOR_LIMIT__UPLOADS"
    assert '"limits"' in said.hint


def test_a_whole_section_as_json_must_be_json(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_LIMITS", "uploads=3")
    assert "limits" in problem(tmp_path, "").message


@pytest.mark.parametrize("make", [lambda p: p / "absent.toml", lambda p: p])
def test_a_file_that_cannot_be_read(tmp_path, make):
    with pytest.raises(ConfigError) as caught:
        load_config(make(tmp_path))
    assert str(make(tmp_path)) in str(caught.value)


@given(
    st.integers(1, 10**6), st.sampled_from([("MiB", 2**20), ("kb", 1000), ("", 1), (" GiB", 2**30)])
)
def test_sizes(number, unit):
    assert TypeAdapter(Bytes).validate_python(f"{number}{unit[0]}") == number * unit[1]
