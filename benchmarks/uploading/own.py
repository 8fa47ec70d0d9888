"""This product's own transcoder as the server of uploads, in a process of its own."""

import asyncio
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from pydantic import SecretStr

from benchmarks.harness import as_the_product, on_loop
from benchmarks.uploading.process import Process, running
from orchestrator.model.items import Attempt
from orchestrator.services import Http, QencodeService
from orchestrator.services.urls import absolute
from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings

_KEY = "benchmark"


class OwnServer:
    """The running transcoder. Everybody's uploads belong to tasks made beforehand."""

    def __init__(self, process: Process, uploads: Path) -> None:
        self.uploads = uploads
        self.cpu = process.cpu
        self._url = process.url

    def targets(self, count: int) -> list[str]:
        """Where to create uploads: each belongs to a new task."""
        return on_loop(self._tasks(count))

    async def _tasks(self, count: int) -> list[str]:
        async with Http() as http:
            service = QencodeService("benchmark", http, self._url, _KEY, env={})
            blank = Attempt(1, "benchmark", "", "")
            made = await asyncio.gather(*(service.prepare(blank) for _ in range(count)))
        return [absolute(attempt.upload_to or "", self._url) for attempt in made]

    def arrived(self) -> list[Path]:
        """The files."""
        return list(self.uploads.iterdir())

    def clear(self) -> None:
        """Take them away."""
        for path in self.arrived():
            path.unlink()


@contextmanager
def own_server(folder: Path) -> Iterator[OwnServer]:
    """Run it with its data in ``folder``."""
    command = [sys.executable, "-m", "benchmarks.uploading.own", str(folder)]
    with running(command) as process:
        yield OwnServer(process, folder / "uploads")


async def _serve(data: str) -> None:
    settings = TranscoderSettings(data=Path(data), api_keys=(SecretStr(_KEY),), min_free_bytes=0)
    async with Transcoder(settings) as transcoder:
        print(transcoder.url, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(time.process_time(), flush=True)


def main() -> None:
    """Serve as ``process`` says."""
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    as_the_product(_serve(sys.argv[1]))


if __name__ == "__main__":
    main()
