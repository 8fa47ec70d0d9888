"""Simulated nights: nothing is lost, nothing is started twice, and a seed replays."""

from pathlib import Path

import pytest

from tests.simulation.run import simulate


def test_the_same_seed_is_the_same_night(tmp_path: Path) -> None:
    nights = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        nights.append(simulate(7, 40, folder))
    assert nights[0].wrong == ()
    assert nights[0].digest == nights[1].digest


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_happens_every_item_is_started_once(seed: int, tmp_path: Path) -> None:
    assert simulate(seed, 300, tmp_path).wrong == ()
