"""Whatever a tus server does, the bytes arrive as they are, or one of our families is raised."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.model.errors import Busy, Permanent, Transient, UploadGone
from orchestrator.model.items import Attempt
from orchestrator.services.http import Http
from orchestrator.services.tus import Checksum, TusUploader
from tests.services.contract_uploader import Watcher
from tests.services.tus_server import TusServer, tus_server

MENDED = ["409", "423", "460", "500", "502", "413", "cut", "lose", "part", "back", "mute"]
RAISED = ["503", "429", "404"]
FAULTS = st.sampled_from(["", "", *MENDED, *RAISED])
ROUNDS = 40


async def persist(server: TusServer, path: Path, checksum: Checksum) -> tuple[str, int]:
    """Do as the engine does: try again, and begin again where the upload is gone."""
    attempt = Attempt(1, "test", "", "", task="t", upload_to="/files/t")
    async with Http() as http:
        uploader = TusUploader(http, server.url, chunk=700, small=500, checksum=checksum)
        for round_ in range(ROUNDS):
            watcher = Watcher()
            try:
                return await uploader.upload(path, attempt, watcher), round_
            except (Transient, Busy) as error:
                if isinstance(error, UploadGone):
                    attempt = replace(attempt, upload_url=None)
                elif watcher.urls:
                    attempt = replace(attempt, upload_url=watcher.urls[-1])
            except Permanent:
                assert "POST 413" in server.log
                return "", round_
    raise AssertionError("it never came to an end")


@given(
    faults=st.lists(FAULTS, max_size=30),
    size=st.sampled_from([0, 1, 500, 501, 700, 3000]),
    checksum=st.sampled_from(["on", "off"]),
    extensions=st.sampled_from(
        ["creation", "creation,checksum", "creation,creation-with-upload,checksum"]
    ),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_bytes_arrive_in_the_end(
    faults: list[str], size: int, checksum: Checksum, extensions: str
) -> None:
    async def scenario() -> None:
        data = bytes(n * 31 % 251 for n in range(size))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "source")
            path.write_bytes(data)  # noqa: ASYNC240
            async with tus_server() as server:
                server.faults, server.extensions = list(faults), extensions
                remote, rounds = await persist(server, path, checksum)
                if remote:
                    assert bytes(server.uploads[remote.removeprefix("tus:")].data) == data
                assert rounds <= len(faults)

    asyncio.run(scenario())
