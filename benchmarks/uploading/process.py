"""A server in a process of its own, which says its URL and, when asked, its CPU seconds.

The program prints its URL first, then answers each line of standard input with
the CPU seconds that it has used, and ends when standard input does.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Process:
    """The running program."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._asks, self._answers = process.stdin, process.stdout
        self.url = self._answers.readline().strip()
        if not self.url:
            raise SystemExit("The server did not start.")

    def cpu(self) -> float:
        """CPU seconds that it has used."""
        self._asks.write("\n")
        self._asks.flush()
        return float(self._answers.readline())


@contextmanager
def running(command: Sequence[str]) -> Iterator[Process]:
    """Start the program; end it with the block."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Process(process)
        finally:
            process.communicate()
