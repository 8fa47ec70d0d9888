"""Tracks are encoded, and a plain ladder is packaged, once for all tests here."""

import asyncio
from pathlib import Path

import pytest

from orchestrator.transcoder.packaging import Packing, Rendition, Track
from tests.transcoder.packaging.media import Tracks, make_track, package


@pytest.fixture(scope="session")
def track_file(tmp_path_factory: pytest.TempPathFactory) -> Tracks:
    """The path of a track by its name in ``media.TRACKS``; made when first asked for."""
    folder = tmp_path_factory.mktemp("tracks")

    def make(name: str) -> Path:
        path = folder / name
        return path if path.exists() else make_track(folder, name)

    return make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, track_file: Tracks) -> tuple[Rendition, ...]:
    """Two pictures and a sound as fragmented MP4, for tests of manifests alone."""
    tracks = (
        Track(track_file("small.mp4"), "video", 1, rung="small"),
        Track(track_file("large.mp4"), "video", 2, rung="large"),
        Track(track_file("aac.mp4"), "audio", 1, rung="sound"),
    )
    packing = Packing(container="mp4", segment_duration=1)
    folder = tmp_path_factory.mktemp("made")
    with asyncio.Runner() as runner:
        return runner.run(package(folder, packing, *tracks))
