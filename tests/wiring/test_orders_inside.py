"""An order under a service of kind ``transcoder``: really encoded, by way of servers of files."""

from pathlib import Path

import pytest

from orchestrator.config import load_config
from orchestrator.model.outcome import Ending
from orchestrator.model.states import State
from orchestrator.query import load_job
from orchestrator.report import QuietObserver
from orchestrator.services.edge import EdgeClient
from orchestrator.wiring.options import RunOptions
from orchestrator.wiring.routes import open_route
from orchestrator.wiring.runs import run_job
from tests.endtoend.conftest import clip
from tests.media import stream
from tests.sample import sampled
from tests.storage.conftest import moto, s3, sftp  # noqa: F401 - fixtures
from tests.storage.servers import KEY, SECRET, Server, ftp_server

JOB = """
service = "local"
manifest = "clips"
publish = "{publish}"
[order]
destinations = ["ftp://{login}@127.0.0.1:{port}/out/{{stem}}"]
[[order.jobs]]
label = "iphone"
filename = "watermark.mp4"
profile = "small"
[[order.jobs.thumbnails]]
filename = "frame.png"
width = 32
height = 24
[[order.jobs]]
label = "tv"
filename = "{{stem}}.mp4"
profile = "hls"
[[order.thumbnails]]
filename = "poster.jpg"
label = "label"
width = 64
height = 48
time = 0.3
[collect]
into = "outputs/{{stem}}"
"""

PROFILE = {
    "name": "small",
    "video_format": "mp4",
    "video_codec": "h264",
    "video_width": 96,
    "video_height": 72,
}


HLS = {
    **PROFILE,
    "name": "hls",
    "custom_profiles": [{"profile_type": "hls", "hls_time": 1, "master_pl_name": "all.m3u8"}],
}


@pytest.mark.parametrize("scheme", sampled(["ftp", "sftp", "s3"], "ftp"))
async def test_an_order_runs_at_the_service_inside(
    scheme: str,
    sftp: Server,  # noqa: F811
    s3: Server,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FTP_USER", KEY)
    monkeypatch.setenv("FTP_PASSWORD", SECRET.replace("=", "%3D"))
    (tmp_path / "config.toml").write_text('[services.local]\nmin_free = "1MiB"\nworkers = 1\n')
    clip(tmp_path / "clips" / "one.mp4", seconds=2)
    (tmp_path / "ftp").mkdir()
    config = load_config(tmp_path / "config.toml")
    with ftp_server(tmp_path / "ftp") as port:
        path = tmp_path / "night.toml"
        login = "${env:FTP_USER}:${env:FTP_PASSWORD}"
        ports = {"ftp": port, "sftp": sftp.port, "s3": s3.port}
        bucket = "films/" if scheme == "s3" else ""
        publish = f"{scheme}://{login}@127.0.0.1:{ports[scheme]}/{bucket}in"
        path.write_text(JOB.format(login=login, port=port, publish=publish))
        job = load_job(path)
        async with open_route(config, "local", job.with_()) as route:
            client: EdgeClient = route.service._client  # type: ignore[attr-defined]
            await client.create_profile(PROFILE)
            await client.create_profile(HLS)
        outcome = await run_job(config, job, RunOptions(), QuietObserver())
    assert outcome.ending is Ending.FINISHED
    assert outcome.counts == {State.COMPLETED: 1}, outcome.failures
    assert not outcome.failures
    collected = inside(tmp_path / "outputs" / "one")
    stored = inside(tmp_path / "ftp" / "out" / "one")
    assert "one/all.m3u8" in stored
    assert {_stored(name): data for name, data in collected.items()} == stored
    assert {"frame.png", "poster.jpg", "tv/all.m3u8"} < set(collected)
    assert sum(name.endswith(".ts") for name in collected) >= 2
    film = tmp_path / "outputs" / "one" / "iphone.mp4"
    assert (stream(film, "video") or {})["width"] == 96
    ladder = tmp_path / "outputs" / "one" / "tv" / "all.m3u8"
    assert (stream(ladder, "video") or {})["width"] == 96


def _stored(name: str) -> str:
    """What the service calls that which is collected under a name."""
    return name.replace("iphone.mp4", "watermark.mp4").replace("tv/", "one/")


def inside(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
