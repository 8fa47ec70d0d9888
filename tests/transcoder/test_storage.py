"""Outputs where they belong: downloads for a while, folders that were allowed."""

import asyncio

import pytest

from orchestrator.transcoder.server import Transcoder
from tests.transcoder.client import Client

THUMBNAILS = {"output": "thumbnails", "interval": 10}


async def get(client, url, **headers):
    async with client.http.get(url, headers=headers) as response:
        return response.status, await response.read(), response.headers


async def test_downloads_have_types_and_ranges(client):
    _, status = await client.encode(b"film", [{"output": "mp4"}, {"output": "metadata"}])
    video, metadata = status["videos"]
    code, body, headers = await get(client, video["url"])
    assert (code, body, headers["Content-Type"]) == (200, b"mp4 of 4 bytes\n", "video/mp4")
    assert headers["X-Content-Type-Options"] == "nosniff"
    code, body, _ = await get(client, video["url"], Range="bytes=4-5")
    assert (code, body) == (206, b"of")
    _, _, headers = await get(client, metadata["url"])
    assert headers["Content-Type"] == "application/json"


async def test_images_lie_beside_their_vtt(client):
    _, status = await client.encode(b"film", [THUMBNAILS])
    url = status["images"][0]["url"]
    assert url.endswith("/thumbnails/thumbnails.vtt")
    assert (await get(client, url))[1] == b"WEBVTT\n"
    code, _, headers = await get(client, url.replace("thumbnails.vtt", "1.png"))
    assert (code, headers["Content-Type"]) == (200, "image/png")


async def test_names_are_friendly_and_never_the_same(client):
    formats = [{"output": "mp4"}, {"output": "mp4"}, {"output": "mp4", "tag": "../a b/ü?"}]
    _, status = await client.encode(b"film", formats)
    names = [each["storage"]["path"].partition("/")[2] for each in status["videos"]]
    assert names == ["mp4.mp4", "mp4-2.mp4", "a_b_ü.mp4"]
    for each in status["videos"]:
        assert (await get(client, each["url"]))[0] == 200


@pytest.mark.parametrize(
    "path",
    ["", "/", "/other.mp4", "/..%2f..%2ftasks.sqlite", "/%2e%2e/%2e%2e/lock", "/thumbnails"],
)
async def test_nothing_else_can_be_downloaded(client, path):
    _, status = await client.encode(b"film", [THUMBNAILS])
    root = status["images"][0]["url"].removesuffix("/thumbnails/thumbnails.vtt")
    for url in (root + path, f"{client.url}/v1/download/..{path}"):
        assert (await get(client, url))[0] == 404


async def test_outputs_expire(http, settings, encoder):
    async with Transcoder(settings(keep_hours=1e-9), encoder) as service:
        client = Client(service.url, http)
        task, status = await client.encode(b"film")
        url = status["videos"][0]["url"]
        assert (await get(client, url))[0] == 410
        outputs = settings().data / "outputs"
        assert len(list(outputs.iterdir())) == 1
        await service.sweep()
        assert list(outputs.iterdir()) == []
        assert (await get(client, url))[0] == 410
        assert (await client.status(task))["status"] == "completed"


async def test_sweeping_keeps_what_is_wanted(client, service):
    _, status = await client.encode(b"film")
    await service.sweep()
    assert (await get(client, status["videos"][0]["url"]))[0] == 200


async def test_a_task_leaves_only_its_outputs(client, settings):
    await client.encode(b"film")
    await client.encode(b"broken")
    data = settings().data
    async with asyncio.timeout(20):
        while list((data / "uploads").iterdir()):  # they go once the outcome is on disk
            await client.task()
    assert list((data / "work").iterdir()) == []
    assert len(list((data / "outputs").iterdir())) == 1


# --- file:// -----------------------------------------------------------------


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "library"
    root.mkdir()
    return root


@pytest.fixture
async def local(http, settings, encoder, root):
    async with Transcoder(settings(local_roots=(root,)), encoder) as service:
        yield Client(service.url, http)


def to(*urls, **more):
    return {**more, "destination": [{"url": str(url)} for url in urls]}


async def test_files_go_where_they_are_sent(local, root):
    first, second = root / "a b" / "film.mp4", root / "film.mp4"
    formats = [
        to(first.as_uri(), second.as_uri(), output="mp4"),
        to(f"{(root / 'thumbs').as_uri()}/", **THUMBNAILS),
    ]
    _, status = await local.encode(b"film", formats)
    assert status["status"] == "completed"
    assert first.read_bytes() == second.read_bytes() == b"mp4 of 4 bytes\n"
    assert first.stat().st_ino != second.stat().st_ino
    assert sorted(path.name for path in (root / "thumbs").iterdir()) == ["1.png", "thumbnails.vtt"]
    assert status["videos"][0]["url"] == first.as_uri()
    assert status["images"][0]["url"] == f"{(root / 'thumbs').as_uri()}/thumbnails.vtt"
    assert [path for path in root.rglob("*") if path.name.endswith(".part")] == []


async def test_what_was_there_is_replaced(local, root):
    (root / "film.mp4").write_bytes(b"old")
    await local.encode(b"film", [to((root / "film.mp4").as_uri(), output="mp4")])
    assert (root / "film.mp4").read_bytes() == b"mp4 of 4 bytes\n"


async def test_other_folders_are_refused(local, root, tmp_path):
    (root / "out").symlink_to(tmp_path)
    task = await local.task()
    source = f"tus:{await local.upload(task, b'film')}"
    for url in (
        (tmp_path / "film.mp4").as_uri(),
        f"{root.as_uri()}/../film.mp4",
        f"{root.as_uri()}/%2e%2e/film.mp4",
        f"{root.as_uri()}/out/film.mp4",
        f"{root.as_uri()}2/film.mp4",
        root.as_uri(),
        "file://elsewhere/library/film.mp4",
    ):
        answer = await local.start(task, source, [to(url, output="mp4")])
        assert (answer["error"], answer["field"]) == (20, "query.format[0].destination"), url
    assert not (tmp_path / "film.mp4").exists()


async def test_a_folder_that_became_a_link_is_refused_when_it_is_written(
    local, root, tmp_path, encoder
):
    encoder.gate.clear()
    (root / "sub").mkdir()
    task = await local.task()
    source = f"tus:{await local.upload(task, b'film')}"
    url = (root / "sub" / "film.mp4").as_uri()
    assert (await local.start(task, source, [to(url, output="mp4")]))["error"] == 0
    await encoder.begun.wait()
    (root / "sub").rmdir()
    (root / "sub").symlink_to(tmp_path)
    encoder.gate.set()
    status = await local.until(task, "error", "completed")
    assert status["status"] == "error"
    assert not (tmp_path / "film.mp4").exists()


async def test_a_destination_that_can_not_be_written_fails_the_task(local, root):
    (root / "film.mp4").mkdir()
    _, status = await local.encode(b"film", [to((root / "film.mp4").as_uri(), output="mp4")])
    assert status["status"] == "error"
    told = status["error_description"]
    assert "query.format[0].destination: can't store on the service's disk" in told
    assert str(root) not in status["error_description"]
