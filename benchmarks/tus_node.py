"""Uploads over tus to a server that others wrote: @tus/server, with its file store, on Node.js.

The same files, clients and rounds as in ``benchmarks.upload``. Nothing of this
product stands on the other side, so what is measured is the client.
"""

import tempfile
from pathlib import Path

from benchmarks.harness import Result, check_room, machine
from benchmarks.uploading.node import NotRun, tus_node
from benchmarks.uploading.rounds import NEEDED, compete, goals


def bench(folder: Path) -> Result:
    """All of it, in ``folder``. Without Node.js nothing is measured, and the result says so."""
    found = machine()
    check_room(folder, NEEDED)
    try:
        with tus_node(folder / "uploads") as server:
            figures = compete(folder, server)
    except NotRun as reason:
        print(f"Not run. {reason}")
        return Result("tus_node", {"machine": found, "not_run": str(reason)}, goals({}))
    return Result("tus_node", {"machine": found, **figures}, goals(figures))


def main() -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        result = bench(Path(folder))
    print(f"\n{result.verdict()}")
    print(result.line())


if __name__ == "__main__":
    main()
