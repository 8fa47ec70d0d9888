"""The document's example order, completed: real FTP servers, a real encode, plain curl."""

import asyncio
import json
from pathlib import Path

import pytest

from orchestrator.transcoder.server import Transcoder
from tests.media import ffmpeg, stream
from tests.storage.servers import KEY as USER
from tests.storage.servers import SECRET as PASSWORD
from tests.storage.servers import ftp_server
from tests.transcoder.client import KEY
from tests.transcoder.edge.conftest import CLIENT, COMPANY


async def curl(*args: str) -> tuple[int, str]:
    """Plain curl: the HTTP status, and the body."""
    command = ("curl", "-ksS", "--max-time", "20", "-w", "\n%{http_code}", *args)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, errors = await process.communicate()
    assert process.returncode == 0, errors
    body, _, status = said.decode().rpartition("\n")
    return int(status), body


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "origin" / "published" / "video.mp4"
    path.parent.mkdir(parents=True)
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=2")
    ffmpeg(*picture, "-f", "lavfi", "-i", "sine=d=2", "-c:v", "libx264", "-shortest", path)
    return path


async def test_the_documents_example_by_curl(edge_settings, film, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    with ftp_server(film.parents[1]) as origin, ftp_server(store) as there:
        async with Transcoder(edge_settings()) as service:
            await _example(service.url, f"127.0.0.1:{origin}", f"127.0.0.1:{there}")
    assert sorted(path.name for path in store.iterdir()) == ["nombre.jpg", "watermark.mp4"]
    assert (stream(store / "watermark.mp4", "video") or {})["codec_name"] == "h264"
    assert (stream(store / "nombre.jpg", "video") or {})["width"] == 720


async def _example(url: str, origin: str, there: str) -> None:
    login = f"{USER}:{PASSWORD}"
    form = f"client_id={CLIENT}&client_secret={KEY}&grant_type=client_credentials"
    status, said = await curl("-d", form, f"{url}/v1/oauth2/access_token/")
    token = json.loads(said)
    assert (status, token["token_type"], token["expires_in"]) == (200, "Bearer", 36000)
    bearer = ("-H", f"Authorization: Bearer {token['access_token']}")
    media = f"{url}/v1/media/{COMPANY}"

    profile = json.dumps({"name": "iphone", "video_format": "mp4", "video_codec": "h264"})
    as_json = ("-H", "Content-Type: application/json")
    status, said = await curl(*bearer, *as_json, "-d", profile, f"{media}/transcoding_profiles/")
    assert status == 201
    id_ = json.loads(said)["id"]
    status, said = await curl(*bearer, f"{media}/transcoding_profiles/")
    assert [each["name"] for each in json.loads(said)] == ["iphone"]

    data = "order=" + json.dumps(
        {
            "priority": 5,
            "origin": f"ftp://{login}@{origin}/published/video.mp4",
            "destinations": [f"ftp://{login}@{there}"],
            "jobs": [{"label": "iphone", "filename": "watermark.mp4", "profile_id": id_}],
            "thumbnails": [
                {
                    "filename": "nombre.jpg",
                    "label": "label",
                    "width": "720",
                    "height": "480",
                    "time": 0.3,
                }
            ],
            "notifications": [{"email": "micorreo@misitio.com"}],
        },
        indent=2,
    )
    encoded = ("-H", "Content-type: application/x-www-form-urlencoded")
    status, said = await curl(*bearer, "-XPOST", *encoded, "-d", data, f"{media}/transcode/")
    assert status == 201, said
    order_id = json.loads(said)["order_id"]
    assert "no mail can be sent" in json.loads(said)["comment"]

    async with asyncio.timeout(60):
        while True:
            status, said = await curl(*bearer, f"{media}/transcode/{order_id}")
            order = json.loads(said)
            if order["status"] in ("FINISHED", "ERROR"):
                break
    assert order["status"] == "FINISHED", order
    assert PASSWORD not in said
    assert order["transcodingjob_set"] == [
        {
            "profile": {"id": id_, "name": "iphone"},
            "filename": "watermark.mp4",
            "label": "iphone",
            "progress": 100.0,
        }
    ]
    assert order["transcodingupload_set"] == [
        {"upload_url": f"ftp://{there}", "upload_protocol": "FTP", "upload_user": USER}
    ]
    assert order["transcodingdownload"]["download_url"] == f"ftp://{origin}/published/video.mp4"
    assert order["transcodingnotification_set"] == [
        {"callback_url": None, "email": "micorreo@misitio.com"}
    ]
    assert order["duration"] == pytest.approx(2, abs=0.2)
    assert order["size"] > 1000

    status, said = await curl(*bearer, f"{media}/transcode?limit=10&offset=0&search=IPHONE")
    (listed,) = json.loads(said)
    assert (listed["id"], listed["status"]) == (order_id, "FINISHED")
    assert listed["created_on"].endswith("+00:00")
    status, said = await curl(*bearer, "-XPOST", f"{media}/transcode_requeue/{order_id}/")
    assert status == 409
    status, said = await curl(*bearer, f"{media}/transcoding/consumed_minutes/")
    assert json.loads(said)["minutes"] == pytest.approx(2 / 60, abs=0.01)
    status, said = await curl(*bearer, f"{media}/allowed_values/")
    assert json.loads(said)["video_aspect"] == ["16:9", "9:16", "4:3"]
