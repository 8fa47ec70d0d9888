"""``python -m tests.simulation``: simulated nights; what fails can be replayed by its seed.

Without arguments: one night of 50,000 items, always the same, and five small ones of
any seed in which everything goes wrong.
"""

import argparse
import secrets
import sys

import structlog

from tests.simulation.night import Night, quick_folder, simulate
from tests.simulation.weather import NIGHT, STORM

#: From so many items on, the weather is a bad night's and no longer a storm's.
LARGE = 2000

FIXED, ITEMS = 2026, 50_000
STORMS, FEW = 5, 300


def main() -> int:
    """The exit code: 1 where something happened that must never happen."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--items", type=int, default=FEW)
    parser.add_argument("--nights", type=int, default=1, help="how many seeds from there on")
    given = parser.parse_args()
    if given.seed is None:
        first = secrets.randbelow(10**6)
        nights = [(FIXED, ITEMS)] + [(first + number, FEW) for number in range(STORMS)]
    else:
        nights = [(given.seed + number, given.items) for number in range(given.nights)]
    # All of them are run, whatever happens in one.
    bad = [seed for seed, items in nights if not _is_good(_night(seed, items))]
    return int(bool(bad))


def _night(seed: int, items: int) -> Night:
    with quick_folder() as folder:
        return simulate(seed, items, NIGHT if items >= LARGE else STORM, folder)


def _is_good(night: Night) -> bool:
    print(night, flush=True)
    for fault in night.wrong:
        print(f"  WRONG: {fault}")
    if night.wrong:
        print(f"  replay: python -m tests.simulation --seed {night.seed} --items {night.items}")
    return not night.wrong


if __name__ == "__main__":
    sys.exit(main())
