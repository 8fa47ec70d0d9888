"""Ladders as a client of the service meets them, encoded for real and stored in a folder."""

from pathlib import Path
from typing import Any

import m3u8
import pytest

from orchestrator.transcoder.server import Transcoder
from tests.media import coded_clip
from tests.transcoder.client import Client
from tests.transcoder.manifests import check_master, check_mpd
from tests.transcoder.packaging.media import files_in

LADDER = {"output": "advanced_dash", "create_m3u8_playlist": 1, "segment_duration": 1}


@pytest.fixture
def film(tmp_path: Path) -> bytes:
    return coded_clip(tmp_path / "film.mp4", size="160x120", sound=2).read_bytes()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


def stored(library: Path, *streams: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """What to ask for: a ladder that is stored in the library."""
    place = {"url": f"{library.as_uri()}/film/"}
    return [{**LADDER, "destination": place, "stream": streams, **more}]


@pytest.mark.attribute(
    "format[].incremental_tag", "status.returns.status.videos[].meta.incremental_tag"
)
@pytest.mark.slow
async def test_a_ladder_grows_where_it_lies(settings, http, film, library):
    """The tag that the first status tells adds a rung and drops one, and moves no other file."""
    async with Transcoder(settings(local_roots=(library,))) as service:
        client = Client(service.url, http)
        first = stored(library, {"height": 60}, {"height": 90}, incremental_tag="auto")
        _, status = await client.encode(film, first)
        assert status["status"] == "completed", status["error_description"]
        tag = status["videos"][0]["meta"]["incremental_tag"]
        before = {name: (library / name).stat().st_mtime_ns for name in files_in(library, "*.m4s")}

        formats = stored(library, {"height": 120}, {"height": 60}, incremental_tag=tag)
        _, status = await client.encode(film, formats)
    assert status["status"] == "completed", status["error_description"]
    assert [each["percent"] for each in status["videos"]] == [100, 100]
    assert [each["meta"]["height"] for each in status["videos"]] == [120, 60]
    assert {each["meta"]["incremental_tag"] for each in status["videos"]} == {tag}
    home = library / "film"
    master = check_master(home, "playlist.m3u8", 50)
    assert {each.uri for each in master.playlists} == {
        "video_1/chunklist.m3u8",
        "video_3/chunklist.m3u8",
    }
    check_mpd(home, "playlist.mpd", 50, 2)
    assert {name: (library / name).stat().st_mtime_ns for name in before} == before


@pytest.mark.attribute("refresh_playlist")
@pytest.mark.slow
async def test_a_ladder_can_be_played_while_it_grows(settings, http, film, library):
    async with Transcoder(settings(local_roots=(library,))) as service:
        client = Client(service.url, http)
        formats = stored(library, {"height": 120}, {"height": 60}, {"height": 90})
        _, status = await client.encode(film, formats, also={"refresh_playlist": 1})
    assert status["status"] == "completed", status["error_description"]
    master = m3u8.load(str(library / "film" / "playlist.m3u8"))
    assert sorted(each.stream_info.resolution[1] for each in master.playlists) == [60, 90, 120]
    check_master(library / "film", "playlist.m3u8", 50)
