"""A service with the fake media half, in a process that tests can kill.

Takes a JSON object: ``data``, and ``hang`` for encodes that never end.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path

import structlog

from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings
from tests.transcoder.client import KEY
from tests.transcoder.fakes import FakeEncoder


async def main(data: str, hang: bool) -> None:
    encoder = FakeEncoder()
    if hang:
        encoder.gate.clear()
    settings = TranscoderSettings(data=Path(data), api_keys=(KEY,), min_free_bytes=0)
    async with Transcoder(settings, encoder) as transcoder:
        print(transcoder.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    asyncio.run(main(**json.loads(sys.argv[1])))
