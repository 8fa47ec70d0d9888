"""Planted secrets are nowhere on the disk or in the log, after a crash in the middle of a task."""

import json
import stat

import pytest

from orchestrator.model.errors import BadInput
from orchestrator.transcoder.vault import Vault
from tests.transcoder.client import Client
from tests.transcoder.endpoint import listening
from tests.transcoder.test_restart import process

KEY_SECRET, URL_SECRET, AES = "s3cr3t-of-the-bucket", "token-in-the-hook", "0123456789abcdef" * 2


async def test_no_secret_survives_a_crash_in_clear(tmp_path, http, capfd):
    data = tmp_path / "data"
    formats = [
        {
            "output": "mp4",
            "destination": {
                "url": "s3://127.0.0.1:9/bucket/film.mp4",
                "key": "k3y-of-the-bucket",
                "secret": KEY_SECRET,
            },
        },
        {
            "output": "advanced_hls",
            "encryption": {"key": AES, "iv": AES, "key_url": "https://keys.example/1"},
        },
    ]
    query = {"callback_url": f"http://127.0.0.1:9/{URL_SECRET}"}
    async with process(data, hang=True) as url:
        client = Client(url, http)
        task = await client.task()
        source = f"tus:{await client.upload(task, b'film')}"
        answer = await client.start(task, source, formats, also=query)
        assert answer["error"] == 0, answer
        await client.until(task, "encoding")
    written = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    assert task.encode() in written
    out, err = capfd.readouterr()
    for secret in (KEY_SECRET, "k3y-of-the-bucket", URL_SECRET, AES):
        assert secret.encode() not in written
        assert secret not in out + err
    assert stat.S_IMODE((data / "key").stat().st_mode) == 0o600


@pytest.mark.slow
async def test_tasks_of_a_lost_key_fail_and_say_why(tmp_path, http):
    data = tmp_path / "data"
    async with process(data, hang=True) as url:
        client = Client(url, http)
        task = await client.task()
        await client.start(task, f"tus:{await client.upload(task, b'film')}")
        await client.until(task, "encoding")
    (data / "key").unlink()
    async with process(data, hang=False) as url:
        status = await Client(url, http).until(task, "error", "completed")
    assert status["error_description"].startswith("the request can't be read any more")


def test_a_key_that_is_none_is_told(tmp_path):
    (tmp_path / "key").write_text("not a key")
    with pytest.raises(BadInput, match="holds no key of this service"):
        Vault.at(tmp_path / "key")


def test_a_vault_opens_what_it_sealed(tmp_path):
    vault, other = Vault.at(tmp_path / "key"), Vault.at(tmp_path / "other")
    sealed = vault.seal('{"a": "b"}')
    assert "a" not in json.dumps(sealed).partition("gAAAA")[0]
    assert Vault.at(tmp_path / "key").open(sealed) == '{"a": "b"}'
    assert other.open(sealed) is None
    assert vault.digest(b"x") == Vault.at(tmp_path / "key").digest(b"x") != other.digest(b"x")


@pytest.mark.slow
async def test_callbacks_that_wait_are_sealed_too(tmp_path, http):
    data = tmp_path / "data"
    async with listening() as endpoint, process(data, hang=True) as url:
        client = Client(url, http)
        task = await client.task()
        source = f"tus:{await client.upload(task, b'film')}"
        await client.start(task, source, also={"callback_url": endpoint.url}, payload="p")
        await client.until(task, "encoding")
        async with http.post(f"{url}/v1/status", data={"task_tokens": task}) as response:
            assert "s3cr3t-hook" not in await response.text()
    assert b"s3cr3t-hook" not in b"".join(
        file.read_bytes() for file in data.rglob("*") if file.is_file()
    )
