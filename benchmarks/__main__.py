"""Runs every benchmark as its own process; results go to ``benchmarks/results.jsonl``."""

import pkgutil
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import last_result

_HERE = Path(__file__).parent
_RESULTS = _HERE / "results.jsonl"
_NOT_BENCHMARKS = frozenset({"__main__", "harness"})


def names() -> list[str]:
    """The benchmarks: each module of this package is one, but for these two. Folders are none."""
    found = (each.name for each in pkgutil.iter_modules([str(_HERE)]) if not each.ispkg)
    return sorted(name for name in found if name not in _NOT_BENCHMARKS)


def run(name: str) -> str | None:
    """Run one, showing what it prints; the answer is its result, None where it broke."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return None if process.returncode else last_result(lines)


def main() -> int:
    """The exit code: 1 where a benchmark broke. A goal that is missed is a finding, no fault."""
    broken = []
    for name in names():
        print(f"== {name}", flush=True)
        result = run(name)
        if result is None:
            broken.append(name)
            continue
        with _RESULTS.open("a", encoding="utf-8") as results:
            results.write(result + "\n")
    if broken:
        print(f"No result from: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
