"""``python -m tests.simulation``: simulated nights; what fails can be replayed by its seed."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

import structlog

from tests.simulation.run import simulate


def main() -> int:
    """The exit code: 1 where something happened that must never happen."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first; without it, any")
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--nights", type=int, default=1, help="how many seeds, one after another")
    given = parser.parse_args()
    first = secrets.randbelow(10**6) if given.seed is None else given.seed
    wrong = False
    for seed in range(first, first + given.nights):
        with tempfile.TemporaryDirectory(prefix="night-") as folder:
            night = simulate(seed, given.items, Path(folder))
        print(night, flush=True)
        for fault in night.wrong:
            wrong = True
            print(f"  WRONG: {fault}")
            print(f"  replay: python -m tests.simulation --seed {seed} --items {given.items}")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
