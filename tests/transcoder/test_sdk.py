"""The vendor's own SDK and the tuspy that it was written for, both unchanged.

They block, so they run in a thread.
"""

import asyncio
import gc
import time

import pytest
import qencode3.metadata
import qencode3.task
from qencode3 import tus_uploader
from qencode3.client import Client as Sdk

from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.toolchain import find_toolchain
from tests.transcoder.client import KEY

FORMATS = """{"query": {"source": "%s", "format": [
    {"output": "mp4", "size": "160x90"},
    {"output": "thumbnail", "time": "0.5"},
    {"output": "thumbnails", "interval": 1}
]}}"""
QUERY = '{"query": {"source": "%s", "format": [{"output": "mp4", "size": "320x240"}]}}'


#: tuspy and the SDK leave files open for the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _collected():
    yield
    gc.collect()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film " * 1_000_000)
    return path


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.slow
async def test_from_key_to_download(service, source, slash):
    def run():
        client = Sdk(KEY, api_url=service.url + slash)
        assert not client.error
        task = client.create_task()
        assert not task.error
        uploaded = tus_uploader.upload(
            file_path=str(source),
            url=f"{task.upload_url}/{task.task_token}",
            chunk_size=2_000_000,
        )
        task.custom_start(QUERY % uploaded.url, payload="123")
        assert not task.error, task.message
        while (status := task.status())["status"] != "completed":
            assert not status["error"]
        return status

    status = await asyncio.wait_for(asyncio.to_thread(run), 30)
    assert status["videos"][0]["tag"] == "video-0-0"
    assert status["percent"] == 100


async def test_its_callbacks_hear_of_the_end(service, source, monkeypatch):
    monkeypatch.setattr(qencode3.task, "SLEEP_REGULAR", 0)

    def run():
        task = Sdk(KEY, api_url=service.url).create_task()
        uploaded = tus_uploader.upload(
            file_path=str(source), url=f"{task.upload_url}/{task.task_token}"
        )
        task.custom_start(QUERY % uploaded.url)
        heard = []
        task.progress_changed(heard.append)
        task.task_completed(heard.append)
        return heard

    heard = await asyncio.wait_for(asyncio.to_thread(run), 30)
    assert heard[-1]["status"] == "completed"


async def test_a_task_that_was_never_started_is_created(service):
    def run():
        task = Sdk(KEY, api_url=service.url + "/").create_task()
        task.status_url = task.main_status_url  # has two slashes, see httptools.Http
        assert "//v1/status" in task.status_url
        return task.status()

    assert (await asyncio.to_thread(run))["status"] == "created"


async def test_metadata_is_where_the_sdk_looks(service, settings, encoder, http, monkeypatch):
    """``get_metadata`` takes the URL of the first of ``videos`` and reads it."""
    monkeypatch.setattr(time, "sleep", lambda _: None)

    def run():
        client = Sdk(KEY, api_url=service.url)
        task = qencode3.metadata.Metadata(client.access_token, client.connect)
        uploaded = []

        def start(query):
            uploaded.append(upload(task))
            qencode3.task.Task.custom_start(task, query.replace("SOURCE", uploaded[0]))

        task.custom_start = start
        return task.get("SOURCE")

    def upload(task):
        return tus_uploader.upload(
            file_path=str(settings().data / "lock"), url=f"{task.upload_url}/{task.task_token}"
        ).url

    (settings().data / "lock").write_bytes(b"film")
    assert await asyncio.wait_for(asyncio.to_thread(run), 30) == b"metadata of 4 bytes\n"


async def test_a_wrong_key_is_told(service):
    client = await asyncio.to_thread(Sdk, "another-key", service.url)
    assert client.error == 3
    assert "api_key" in client.message


async def test_with_ffmpeg(settings, tmp_path, http):
    """The whole service: a clip that ffmpeg drew, uploaded, encoded and played back."""
    toolchain = find_toolchain()
    clip = tmp_path / "clip.mp4"
    drawn = await asyncio.create_subprocess_exec(
        *(toolchain.ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:d=2:r=10"),
        *("-pix_fmt", "yuv420p", "-preset", "ultrafast", clip),
    )
    assert await drawn.wait() == 0

    def run(url):
        task = Sdk(KEY, api_url=url).create_task()
        uploaded = tus_uploader.upload(
            file_path=str(clip), url=f"{task.upload_url}/{task.task_token}"
        )
        task.custom_start(FORMATS % uploaded.url)
        assert not task.error, task.message
        while (status := task.status())["status"] not in ("completed", "error"):
            pass
        return status

    async with Transcoder(settings()) as service:
        status = await asyncio.wait_for(asyncio.to_thread(run, service.url), 60)
        assert status["status"] == "completed", status["error_description"]
        [video], [image, strip] = status["videos"], status["images"]
        assert (video["tag"], image["tag"], strip["tag"]) == (
            "video-0-0",
            "image-0-0",
            "image-0-1",
        )
        assert video["duration"] == pytest.approx(2, abs=0.2)
        assert status["duration"] == pytest.approx(2, abs=0.1)
        for each, magic in ((video, b"ftyp"), (image, b"PNG"), (strip, b"WEBVTT")):
            async with http.get(each["url"]) as response:
                assert response.status == 200
                assert magic in await response.read()
