"""Uploads over tus to this product's own transcoder: our client beside curl, tuspy and aiotus.

One file of 1 GiB and 500 of 64 KiB, over HTTP on the loopback and to a real
disk. Everybody gets the same tasks, made before the clock starts, and the same
number of uploads at once.
"""

import tempfile
from pathlib import Path

from benchmarks.harness import Result, check_room, machine
from benchmarks.uploading.own import own_server
from benchmarks.uploading.rounds import NEEDED, compete, goals


def bench(folder: Path) -> Result:
    """All of it, in ``folder``."""
    found = machine()
    check_room(folder, NEEDED)
    with own_server(folder / "data") as server:
        figures = compete(folder, server)
    return Result("upload", {"machine": found, **figures}, goals(figures))


def main() -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        result = bench(Path(folder))
    print(f"\n{result.verdict()}")
    print(result.line())


if __name__ == "__main__":
    main()
