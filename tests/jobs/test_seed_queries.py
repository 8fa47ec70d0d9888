"""The documents' example requests, run to their end as curl and the official SDK send them."""

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import webvtt
from qencode3 import tus_uploader
from qencode3.client import Client as Sdk

from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings
from tests.jobs import examples
from tests.jobs.conftest import served
from tests.media import (
    coded_clip,
    frame_numbers,
    frame_times,
    keyframe_times,
    picture_seconds,
    probed,
)
from tests.storage.conftest import moto  # noqa: F401 - a fixture
from tests.transcoder.client import KEY, Client

_READ_BY_ALL = "http://acs.amazonaws.com/groups/global/AllUsers"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources under the names that the examples have for them.

    Frames tell their number: one a second, in ``video2.mp4`` one in three.
    """
    folder = tmp_path_factory.mktemp("films")
    minute = coded_clip(folder / "video.mp4", seconds=64, rate="1", size="400x300", sound=1)
    for name in ("test_mini", "bbb_sunflower_1080p_60fps_normal_339mb", "video1"):
        (folder / f"{name}.mp4").hardlink_to(minute)
    coded_clip(folder / "video2.mp4", seconds=186, rate="1/3", size="160x120")
    return folder


@pytest.fixture
async def web(films: Path):
    async with served(films) as url:
        yield url


@pytest.fixture
async def service(tmp_path: Path):
    """The transcoder with its real encoder; its sources may be on loopback."""
    settings = TranscoderSettings(
        data=tmp_path / "data", api_keys=(KEY,), min_free_bytes=0, allow_private_sources=True
    )
    async with Transcoder(settings) as service:
        yield service


class Bucket:
    """The buckets of the examples, at a server of our own."""

    def __init__(self, client: Any) -> None:
        self._s3, self.url = client, f"s3://127.0.0.1:{client.port}"
        for name in ("qencode3", "yourbucket"):
            client.create_bucket(Bucket=name)

    def names(self, bucket: str) -> list[str]:
        found = self._s3.list_objects_v2(Bucket=bucket).get("Contents", ())
        return sorted(each["Key"] for each in found)

    def get(self, bucket: str, key: str, folder: Path) -> Path:
        """Fetch an object; anybody may read it, as ``public-read`` says."""
        grants = self._s3.get_object_acl(Bucket=bucket, Key=key)["Grants"]
        assert ("READ", _READ_BY_ALL) in [
            (each["Permission"], each["Grantee"].get("URI")) for each in grants
        ]
        path = folder / Path(key).name
        path.write_bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        return path


@pytest.fixture
def buckets(moto):  # noqa: F811 - the fixture
    bucket = Bucket(moto)
    yield bucket
    for name in ("qencode3", "yourbucket"):
        for key in bucket.names(name):
            moto.delete_object(Bucket=name, Key=key)
        moto.delete_bucket(Bucket=name)


class Curl(Client):
    """Sends what ``curl -d`` sends: the text as it is, nothing of it escaped."""

    async def post(self, method: str, **given: str) -> dict[str, Any]:
        body = "&".join(f"{name}={value}" for name, value in given.items())
        async with self.http.post(
            f"{self.url}/v1/{method}",
            data=body.encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"},
        ) as response:
            assert response.status == 200
            return await response.json()

    async def encoded(self, **given: str) -> dict[str, Any]:
        """A task's status at its end; ``given`` is what ``start_encode2`` is sent beside it."""
        token = (await self.post("access_token", api_key=KEY))["token"]
        task = (await self.post("create_task", token=token))["task_token"]
        answer = await self.post("start_encode2", task_token=task, **given)
        assert answer == {"error": 0, "status_url": f"{self.url}/v1/status"}
        async with asyncio.timeout(60):
            while True:
                status = (await self.post("status", task_tokens=task))["statuses"][task]
                if status["status"] in ("completed", "error"):
                    assert status["error_description"] is None
                    return status


@pytest.fixture
async def curl(service):
    async with aiohttp.ClientSession() as http:
        yield Curl(service.url, http)


def urls(status: dict[str, Any], kind: str) -> list[str]:
    return [each["url"] for each in status[kind]]


@pytest.mark.slow
async def test_a_clip_and_two_thumbnails(curl, web, buckets, tmp_path):
    status = await curl.encoded(query=examples.here(examples.THUMBNAILS, web, buckets.url))
    pictures = ["test/thumb/15_320x240.png", "test/thumb/50_320x240.png"]
    assert buckets.names("qencode3") == ["test/test_mini.mp4", *pictures]
    assert urls(status, "videos") == [f"{buckets.url}/qencode3/test/test_mini.mp4"]
    assert urls(status, "images") == [f"{buckets.url}/qencode3/{name}" for name in pictures]
    assert [each["user_tag"] for each in status["images"]] == ["15_320x240", "50_320x240"]
    _check_clip(buckets.get("qencode3", "test/test_mini.mp4", tmp_path))
    shown = [buckets.get("qencode3", name, tmp_path) for name in pictures]
    (early,), (middle,) = (frame_numbers(path) for path in shown)
    assert (early, middle) == (pytest.approx(9, abs=1), 32)  # of 64 seconds
    assert {_png_size(path) for path in shown} == {(320, 240)}


@pytest.mark.slow
async def test_thumbnails_at_intervals(curl, web, buckets, tmp_path):
    await curl.encoded(query=examples.here(examples.INTERVALS, web, buckets.url))
    video, *images, vtt = buckets.names("qencode3")
    assert (video, vtt) == ("test/bbb.mp4", "test/thumb/bbb/thumbnails.vtt")
    film = buckets.get("qencode3", video, tmp_path)
    assert (picture_seconds(film), _size(film)) == (60, (320, 240))
    _check_interval(buckets, vtt, images, tmp_path, [0, 30, 60])


@pytest.mark.slow
async def test_a_request_with_a_payload(curl, web, buckets, tmp_path):
    query = examples.here(examples.CLIP, web, buckets.url)
    status = await curl.encoded(payload="12345", query=query)
    assert status["payload"] == "12345"
    assert urls(status, "videos") == [f"{buckets.url}/yourbucket/output.mp4"]
    film = buckets.get("yourbucket", "output.mp4", tmp_path)
    _check_clip(film)
    assert probed(film)["streams"][1]["codec_type"] == "audio"


@pytest.mark.slow
async def test_stitched_sources_with_a_stored_profile(curl, web, buckets, tmp_path):
    profiles = tmp_path / "data" / "profiles"
    profiles.mkdir(exist_ok=True)
    stored = examples.here(examples.INTERVAL, web, buckets.url)
    (profiles / "5a2a846a26e88.json").write_text(stored)
    stitch = examples.here(examples.STITCH, web, buckets.url)
    status = await curl.encoded(stitch=stitch, profiles="5a2a846a26e88")
    assert status["images"][0]["profile"] == "5a2a846a26e88"
    _check_stitched(status, buckets, tmp_path)


@pytest.mark.slow
async def test_stitched_sources_and_their_thumbnails(curl, web, buckets, tmp_path):
    query = {"stitch": json.loads(examples.STITCH), "format": [json.loads(examples.INTERVAL)]}
    text = json.dumps({"query": query})
    _check_stitched(
        await curl.encoded(query=examples.here(text, web, buckets.url)), buckets, tmp_path
    )


def _check_stitched(status: dict[str, Any], buckets: Bucket, tmp_path: Path) -> None:
    """A minute, and one from the 120th second on; a picture every 30 seconds."""
    assert status["duration"] == pytest.approx(64 + 60.57, abs=0.2)
    *images, vtt = buckets.names("qencode3")
    # At 90 seconds it is 26 into the second part, which begins at 120: the 49th frame of 3 s.
    _check_interval(buckets, vtt, images, tmp_path, [0, 30, 60, 48, 58])


@pytest.mark.slow
async def test_a_thumbnail_without_a_destination(curl, web, service):
    query = {"source": f"{web}/video.mp4", "format": [json.loads(examples.THUMBNAIL)]}
    (image,) = (await curl.encoded(query=json.dumps({"query": query})))["images"]
    assert image["user_tag"] == "15_920x500"
    async with curl.http.get(image["url"]) as response:
        assert response.status == 200
        assert (await response.read()).startswith(b"\x89PNG")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "uploads", [pytest.param(False, marks=pytest.mark.slow), True], ids=["source", "upload"]
)
async def test_the_python_clients_examples(service, web, films, uploads):
    def run() -> dict[str, Any]:
        task = Sdk(KEY, api_url=service.url).create_task()
        query = examples.here(examples.CUSTOM, web, "")
        if uploads:
            uploaded = tus_uploader.upload(
                file_path=str(films / "video.mp4"),
                url=f"{task.upload_url}/{task.task_token}",
                log_func=None,
                chunk_size=2_000_000,
            )
            query = examples.UPLOADED % uploaded.url
        task.custom_start(query)
        assert not task.error, task.message
        while (status := task.status())["status"] not in ("completed", "error"):
            pass
        gc.collect()
        return status

    status = await asyncio.wait_for(asyncio.to_thread(run), 60)
    assert status["error_description"] is None
    (video,) = status["videos"]
    assert (video["meta"]["width"], video["meta"]["height"]) == (320, 240)
    assert video["url"].startswith(f"{service.url}/v1/download/")


def _check_clip(path: Path) -> None:
    """20 seconds from the 10th on, at 29.97 frames a second, a keyframe every 25."""
    assert _size(path) == (360, 240)
    assert picture_seconds(path) == pytest.approx(20, abs=0.05)
    shown = frame_times(path)
    assert (shown[-1] - shown[0]) / (len(shown) - 1) == pytest.approx(1 / 29.97, abs=1e-4)
    assert {shown.index(time) % 25 for time in keyframe_times(path)} == {0}
    assert sorted(set(frame_numbers(path))) == list(range(10, 30))


def _check_interval(
    buckets: Bucket, vtt: str, images: list[str], folder: Path, numbers: list[int]
) -> None:
    """Pictures of 320x240 every 30 seconds, which show these frames, named by a WebVTT file."""
    cues = list(webvtt.read(str(buckets.get("qencode3", vtt, folder))))
    assert [f"test/thumb/bbb/{cue.text}" for cue in cues] == images
    assert [cue.start_in_seconds for cue in cues] == [30 * place for place in range(len(numbers))]
    paths = [buckets.get("qencode3", name, folder) for name in images]
    assert [frame_numbers(path) for path in paths] == [[number] for number in numbers]
    assert {_png_size(path) for path in paths} == {(320, 240)}


def _size(path: Path) -> tuple[int, int]:
    picture = probed(path)["streams"][0]
    return picture["width"], picture["height"]


def _png_size(path: Path) -> tuple[int, int]:
    """By the file's first chunk (PNG specification, 11.2.1)."""
    data = path.read_bytes()
    assert data[12:16] == b"IHDR"
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
