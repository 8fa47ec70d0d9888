"""Clients that others wrote upload for real: tuspy and aiotus, unchanged."""

import asyncio
import gc
import io
import os

import aiotus
import aiotus.core
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusUploadFailed
from tusclient.storage.filestorage import FileStorage
from tusclient.uploader import Uploader

DATA = os.urandom(5_000_001)
PIECE = 700_000


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
async def uploads(client):
    return f"{client.url}/v1/upload_file/{await client.task()}"


@pytest.fixture
def stored(settings):
    def read(url) -> bytes:
        return (settings().data / "uploads" / str(url).rpartition("/")[2]).read_bytes()

    return read


@pytest.mark.parametrize("proven", [False, True])
@pytest.mark.slow
async def test_tuspy(uploads, stored, proven):
    def upload():
        uploader = TusClient(uploads).uploader(
            file_stream=io.BytesIO(DATA),
            chunk_size=2_000_000,
            metadata={"filename": "film.mp4"},
            upload_checksum=proven,
        )
        uploader.upload()
        return uploader.url

    assert stored(await asyncio.to_thread(upload)) == DATA


async def test_tuspy_goes_on_after_it_was_stopped(uploads, stored, tmp_path):
    source = tmp_path / "film.mp4"
    source.write_bytes(DATA)

    def uploader(urls):
        return TusClient(uploads).uploader(
            str(source), chunk_size=1_000_000, store_url=True, url_storage=urls
        )

    def upload():
        urls = FileStorage(str(tmp_path / "urls.json"))
        uploader(urls).upload(stop_at=3_000_000)
        second = uploader(urls)
        assert second.offset == 3_000_000
        second.upload()
        return second.url

    assert stored(await asyncio.to_thread(upload)) == DATA


async def test_tuspy_hears_of_a_wrong_checksum(uploads, stored, monkeypatch):
    class Wrong:
        def __init__(self, _data: bytes) -> None:
            pass

        def digest(self) -> bytes:
            return b"\0" * 20

    def upload():
        monkeypatch.setattr(Uploader, "CHECKSUM_ALGORITHM_PAIR", ("sha1", Wrong))
        uploader = TusClient(uploads).uploader(file_stream=io.BytesIO(b"abc"), upload_checksum=True)
        uploader.upload()

    with pytest.raises(TusUploadFailed) as failed:
        await asyncio.to_thread(upload)
    assert failed.value.status_code == 460


async def test_aiotus(uploads, stored):
    url = await aiotus.upload(uploads, io.BytesIO(DATA), {"filename": b"film.mp4"}, chunksize=PIECE)
    assert url is not None
    assert stored(url) == DATA
    assert await aiotus.metadata(url) == {"filename": b"film.mp4"}


async def test_aiotus_in_parts(uploads, stored):
    parts = [io.BytesIO(DATA[:2_000_000]), io.BytesIO(DATA[2_000_000:])]
    url = await aiotus.upload_multiple(uploads, parts, chunksize=PIECE)
    assert url is not None
    assert stored(url) == DATA


async def test_aiotus_reads_what_the_server_can(uploads, http):
    config = await aiotus.core.configuration(http, uploads)
    assert config.protocol_versions == ["1.0.0"]
    assert "concatenation" in config.protocol_extensions
