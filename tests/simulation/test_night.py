"""Simulated nights: nothing is lost, nothing is begun twice, and a seed replays."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.model.states import State
from tests.simulation.invariants import broken
from tests.simulation.night import Night, Stage, quick_folder, simulate
from tests.simulation.weather import CALM, NIGHT, STORM
from tests.simulation.world import Fate


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where that can be had."""
    with quick_folder() as made:
        yield made


def lived_well(night: Night) -> bool:
    """Whether nothing was wrong; what was is printed, and how to see it again."""
    print(night)
    for fault in night.wrong:
        print(f"WRONG: {fault}")
    print(f"replay: python -m tests.simulation --seed {night.seed} --items {night.items}")
    return not night.wrong


def _inside(folder: Path, name: str) -> Path:
    inside = folder / name
    inside.mkdir()
    return inside


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_whatever_happens_every_item_is_encoded_once(seed: int, folder: Path) -> None:
    night = simulate(seed, 250, STORM, folder)
    assert lived_well(night)
    assert night.lives > 3


@pytest.mark.slow
def test_the_same_seed_is_the_same_night_and_another_is_not(folder: Path) -> None:
    one, same, other = (
        simulate(seed, 60, STORM, _inside(folder, name))
        for name, seed in (("one", 7), ("same", 7), ("other", 8))
    )
    assert lived_well(one)
    assert one.digest == same.digest
    assert one.digest != other.digest


def test_a_calm_night_is_as_it_was_planned(folder: Path) -> None:
    night = simulate(1, 100, CALM, folder)
    assert lived_well(night)
    assert night.counts == {State.COMPLETED: 100}
    assert (night.lives, night.restarts, night.calls["find"]) == (1, 0, 0)


def test_what_must_not_be_is_seen(folder: Path) -> None:
    """The judge is tried too: books and ledgers that are wrong are told."""
    played = Stage(9, 40, STORM, folder / "night.db")
    played.play()
    world, path, items = played.world, played.path, 40
    counts, lives = played.counts, played.lives
    stage = (world, path, items, counts, lives)
    assert not broken(*stage)
    first, second = [task for task in world.tasks.values() if task.fate is Fate.DONE][:2]
    was, second.source = second.source, first.source
    told = " ".join(broken(*stage))
    assert "more than one encode that is good" in told
    assert "1 items never reached the service" in told
    second.source = was
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE items SET state = 'encoding' WHERE id = 1")
    told = " ".join(broken(*stage))
    assert "ended as the service's books don't have it" in told
    assert "the ledger says" in told
    assert "not every item has settled" in " ".join(broken(world, path, items + 1, counts, lives))
    world.refused = 10_000
    world.looks = 10**6
    told = " ".join(broken(*stage))
    assert "starts were refused" in told
    assert "looks at" in told


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_large_night(folder: Path) -> None:
    assert lived_well(simulate(2026, 5000, NIGHT, folder))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_any_seed(folder: Path) -> None:
    first = secrets.randbelow(10**6)
    nights = [simulate(seed, 200, STORM, folder) for seed in range(first, first + 20)]
    assert [night.seed for night in nights if not lived_well(night)] == []
