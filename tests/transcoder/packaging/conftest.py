"""Tracks are encoded once for all tests here."""

from pathlib import Path

import pytest

from tests.transcoder.packaging.media import Tracks, make_track


@pytest.fixture(scope="session")
def track_file(tmp_path_factory: pytest.TempPathFactory) -> Tracks:
    """The path of a track by its name in ``media.TRACKS``; made when first asked for."""
    folder = tmp_path_factory.mktemp("tracks")

    def make(name: str) -> Path:
        path = folder / name
        return path if path.exists() else make_track(folder, name)

    return make
