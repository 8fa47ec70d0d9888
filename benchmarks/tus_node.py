"""Uploads over tus to a server that others wrote: @tus/server, with its file store, on Node.js.

The same files, clients and rounds as in ``benchmarks.upload``. Nothing of this
product stands on the other side, so what is measured is the client. That server
never waits for its disk, so it stores in memory, where there is a folder for that: a
disk adds a file system's bookkeeping, the same for everybody. How much that changes
for small files is shown besides, and has no goal.
"""

import tempfile
from pathlib import Path

from benchmarks.harness import GIB, Result, check_room, machine
from benchmarks.uploading.node import NotRun, tus_node
from benchmarks.uploading.rounds import NEEDED, compete, compete_small, goals

#: A folder in memory on Linux, and the bytes that are needed there.
MEMORY, STORED = Path("/dev/shm"), 2 * GIB


def bench(folder: Path, store: Path) -> Result:
    """Files in ``folder``, the server's in ``store``. Without Node.js nothing is measured."""
    found = machine()
    check_room(folder, NEEDED)
    check_room(store, STORED)
    try:
        with tus_node(store / "uploads") as server:
            figures = compete(folder, server)
        with tus_node(folder / "uploads") as server:
            print("\nThe server's files on the disk of TMPDIR:")
            on_disk = compete_small(folder / "small for the disk", server)
    except NotRun as reason:
        print(f"Not run. {reason}")
        return Result("tus_node", {"machine": found, "not_run": str(reason)}, goals({}))
    shown = {"machine": found, **figures, "small, on a disk": on_disk}
    return Result("tus_node", shown, goals(figures))


def main() -> None:
    """Run the benchmark."""
    memory = MEMORY if MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        tempfile.TemporaryDirectory(prefix="benchmark-", dir=memory) as store,
    ):
        result = bench(Path(folder), Path(store))
    print(f"\n{result.verdict()}")
    print(result.line())


if __name__ == "__main__":
    main()
