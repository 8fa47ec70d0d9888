"""The job of the order: a film by way of a file server, by a service that speaks the other API."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestrator.services.edge import EdgeClient
from orchestrator.services.http import Http
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings
from tests.jobs.conftest import Library, files_in
from tests.media import stream, toolchain
from tests.storage.servers import KEY, SECRET, ftp_server

EDGE = """
[services.edge]
url = "{url}"
company = "1"
client_id = "orchestrator"
client_secret = "${{env:EDGE_SECRET}}"
poll_min = 0.1
poll_max = 0.3
"""

PROFILE = {"name": "480p", "video_format": "mp4", "video_codec": "h264"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (("USER", KEY), ("PASSWORD", SECRET.replace("=", "%3D"))):
        monkeypatch.setenv(f"FTP_{name}", value)
    monkeypatch.setenv("EDGE_SECRET", "secret-of-the-service")
    folder = tmp_path / "ftp.example.com"
    folder.mkdir()
    return folder


@pytest.mark.slow
async def test_the_order_of_the_documents_is_carried_out(
    library: Library, films: Path, store: Path, tmp_path: Path
) -> None:
    settings = TranscoderSettings(
        data=tmp_path / "service",
        api_keys=(SecretStr("secret-of-the-service"),),
        workers=1,
        min_free_bytes=0,
        allow_private_sources=True,
    )
    encoder = FfmpegEncoder(toolchain(), threads=1)
    with ftp_server(store) as port:
        async with Transcoder(settings, encoder) as service, Http() as http:
            client = EdgeClient(http, service.url, "1", "orchestrator", "secret-of-the-service")
            profile = (await client.create_profile(PROFILE))["id"]

            def here(text: str) -> str:
                text = text.replace("ftp.example.com", f"127.0.0.1:{port}")
                text = text.replace("# [collect]", "[collect]").replace("# into", "into")
                return text.replace("profile_id = 666", f"profile_id = {profile}")

            library.settings = EDGE.format(url=service.url)
            outcome = await library.run(library.job("edge-order", here), films)
            (listed,) = await client.page()
            order = await client.order(listed["id"])
    assert outcome.counts == {"completed": 1}, library.reasons(outcome)
    stored = files_in(store)
    assert stored == ["out/film/poster.jpg", "out/film/watermark.mp4"]  # the source is removed
    assert files_in(tmp_path / "outputs") == ["edge/film/iphone.mp4", "edge/film/poster.jpg"]
    for name in ("watermark.mp4", "poster.jpg"):
        collected = name.replace("watermark", "iphone")
        made = tmp_path / "outputs" / "edge" / "film" / collected
        assert made.read_bytes() == (store / "out" / "film" / name).read_bytes()
    film = stream(store / "out" / "film" / "watermark.mp4", "video") or {}
    assert (film["codec_name"], film["width"]) == ("h264", 640)
    still = stream(store / "out" / "film" / "poster.jpg", "video") or {}
    assert (still["width"], still["height"]) == (720, 480)
    assert order["transcodingnotification_set"] == [
        {"callback_url": None, "email": "ops@example.com"}
    ]
