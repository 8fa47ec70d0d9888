"""kill -9 against a service of orders: nothing is lost, and nothing is ordered twice.

The service loses answers now and then. A failure comes again with ``KILL_SEED=...``,
as far as real time allows.
"""

import asyncio
import os
import random
import re
import signal
import sqlite3
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.endtoend.programs import House
from tests.services.edge_server import CLIENT, EdgeServer
from tests.storage.servers import KEY, SECRET, ftp_server

CONFIG = """
default_service = "edge"
[services.edge]
url = "{url}"
company = "1237"
client_id = "client-id"
client_secret = "${{env:EDGE_SECRET}}"
settle = 0.3
poll_min = 0.05
poll_max = 0.2
[limits]
uploads = 3
starts = 3
in_flight = 5
bandwidth = "2MiB"
[collect]
verify = "size"
min_free = "1MiB"
[retry]
attempts = 30
first = 0.05
cap = 0.3
"""

ORDER = """
publish = "ftp://${{env:FTP_USER}}:${{env:FTP_PASSWORD}}@127.0.0.1:{port}/in"
[order]
destinations = ["ftp://${{env:FTP_USER}}:${{env:FTP_PASSWORD}}@127.0.0.1:{port}/out/{{stem}}"]
[[order.jobs]]
label = "small"
filename = "small.mp4"
profile = "480p"
"""

CLIPS = 16


class Encoding:
    """The service's work: every order is stored a little later; some answers are lost."""

    def __init__(self, server: EdgeServer, root: Path, chance: random.Random) -> None:
        self._server, self._root, self._chance = server, root, chance

    async def work(self) -> None:
        while True:
            for order in list(self._server.orders.values()):
                if order["status"] == "QUEUED":
                    await asyncio.sleep(self._chance.uniform(0, 0.1))
                    self._store(order)
            if self._chance.random() < 0.02:
                self._server.lose_answers = 1
            await asyncio.sleep(0.02)

    def _store(self, order: dict[str, Any]) -> None:
        asked = order["asked"]
        data = (self._root / urlsplit(asked["origin"]).path.lstrip("/")).read_bytes()
        folder = self._root / urlsplit(asked["destinations"][0]).path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "small.mp4").write_bytes(b"encoded:" + data)
        order.update(status="FINISHED", duration=1.0)


@pytest.fixture
def chance(monkeypatch: pytest.MonkeyPatch) -> random.Random:
    seed = int(os.environ.get("KILL_SEED") or random.randrange(2**32))
    print(f"KILL_SEED={seed}")
    for name, value in (("EDGE_SECRET", CLIENT[1]), ("FTP_USER", KEY), ("FTP_PASSWORD", SECRET)):
        monkeypatch.setenv(name, value)
    return random.Random(seed)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_killed_a_few_times(tmp_path: Path, chance: random.Random) -> None:
    await killed(tmp_path, chance, 4)


@pytest.mark.slow
@pytest.mark.timeout(1500)
async def test_killed_sixty_times(tmp_path: Path, chance: random.Random) -> None:
    found: Counter[str] = Counter()
    for number in range(15):
        folder = tmp_path / str(number)
        folder.mkdir()
        found += await killed(folder, chance, 4)
    in_flight = {"uploading", "starting", "encoding", "collecting"}
    assert in_flight <= set(found), "moments that hit every stage"


async def killed(folder: Path, chance: random.Random, times: int) -> Counter[str]:
    """A manifest that is killed so often and then audited; the states that items were in."""
    (folder / "clips").mkdir()
    for number in range(CLIPS):
        data = chance.randbytes(int(2 ** chance.uniform(8, 21)))
        (folder / "clips" / f"clip{number}.mov").write_bytes(data)
    root = folder / "ftp"
    root.mkdir()
    house = House(folder)
    with ftp_server(root) as port:
        async with EdgeServer() as server:
            (folder / "config.toml").write_text(CONFIG.format(url=server.url))
            house.write_job(ORDER.format(port=port))
            working = asyncio.create_task(Encoding(server, root, chance).work())
            try:
                found = await _kill(house, server, chance, times)
            finally:
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working
            _audit(house, server)
    return found


async def _kill(
    house: House, server: EdgeServer, chance: random.Random, times: int
) -> Counter[str]:
    """Kill so many times, each a while after the first call; then let it end."""
    found: Counter[str] = Counter()
    for _ in range(times):
        program = await house.start("run", "job.toml")
        end, before = asyncio.create_task(program.end()), len(server.calls)
        while len(server.calls) == before and not end.done():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)
        ended, _ = await asyncio.wait([end], timeout=chance.uniform(0, 0.9))
        if not ended and program.process.returncode is None:
            program.process.kill()
        assert await end in (0, -signal.SIGKILL), program.output
        found.update(house.states())
    print(f"kills found items in these states: {dict(found)}")
    program = await house.start("run", "job.toml")
    async with asyncio.timeout(60):
        assert await program.end() == 0, program.output
    return found


def _audit(house: House, server: EdgeServer) -> None:
    with sqlite3.connect(house.ledger) as db:
        rows = db.execute("SELECT key, state FROM items").fetchall()
    db.close()
    assert len(rows) == CLIPS
    origins = [urlsplit(order["asked"]["origin"]).path for order in server.orders.values()]
    names = [re.match(r"/in/(clip\d+)-", origin) for origin in origins]
    ordered = Counter(found[1] for found in names if found)
    assert set(ordered.values()) == {1}, ordered
    for key, state in rows:
        assert state == "completed", f"{key} is {state}"
        source = Path(key)
        made = house.folder / "outputs" / source.stem / "small.mp4"
        assert made.read_bytes() == b"encoded:" + source.read_bytes()
    assert not list((house.folder / "ftp" / "in").glob(".*"))
    assert not list(house.folder.rglob("*.part"))
