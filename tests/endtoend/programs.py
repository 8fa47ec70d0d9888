"""The command line as other processes: started, watched, killed."""

import asyncio
import os
import re
import signal
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

KEY = "key-of-the-tests"

#: The top of the repository, whose code the programs run.
ROOT = Path(__file__).parents[2]


@dataclass
class House:
    """A folder with a config, a job and clips, and the programs that work in it."""

    folder: Path

    @property
    def ledger(self) -> Path:
        return self.folder / ".orchestrator" / "job.db"

    def write_config(self, url: str) -> None:
        """Point the service ``remote`` (the default) at ``url``."""
        (self.folder / "config.toml").write_text(
            f"""
            default_service = "remote"
            [services.remote]
            kind = "qencode"
            url = "{url}"
            api_key = "${{env:REMOTE_KEY}}"
            settle = 0.5
            poll_min = 0.2
            poll_max = 1
            [upload]
            chunk = "1MiB"
            [retry]
            attempts = 30
            first = 0.2
            cap = 1.0
            [serve]
            listen = "127.0.0.1:0"
            workers = 2
            """
        )

    def write_job(self, query: str, manifest: str = "clips") -> Path:
        """A job file called ``job`` with the formats of ``query``."""
        job = self.folder / "job.toml"
        job.write_text(
            f"""
            manifest = "{manifest}"
            {query}
            [collect]
            into = "outputs/{{stem}}"
            """
        )
        return job

    async def start(self, *args: str) -> "Program":
        """``orchestrator ARGS`` in this folder."""
        env = {**os.environ, "REMOTE_KEY": KEY, "ORCHESTRATOR_API_KEY": KEY, "NO_COLOR": "1"}
        env["PYTHONPATH"] = str(ROOT)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "orchestrator",
            *args,
            cwd=self.folder,
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return Program(process)

    async def serve(self, listen: str = "127.0.0.1:0") -> "tuple[Program, str]":
        """``orchestrator serve``; the program and its URL."""
        program = await self.start("serve", "--listen", listen)
        found = await program.until(r"http://[\d.]+:\d+")
        return program, found

    def states(self) -> set[str]:
        """The states that items are in now."""
        if not self.ledger.exists():
            return set()
        with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True) as db:
            try:
                return {state for (state,) in db.execute("SELECT DISTINCT state FROM items")}
            except sqlite3.OperationalError:
                return set()

    async def reach(self, state: str) -> None:
        """Until an item is in ``state``."""
        while state not in self.states():  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.005)

    def starts(self, service: str = "serve") -> list[str]:
        """The payloads of all encodes that the service's own log says were started.

        ``local`` is the service inside a run, ``serve`` the one of its own.
        """
        database = self.folder / ".orchestrator" / service / "tasks.sqlite"
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
            return [payload for (payload,) in db.execute("SELECT payload FROM starts")]

    def sound(self) -> bool:
        """Whether the ledger's file is whole."""
        with sqlite3.connect(self.ledger) as db:
            return db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


class Program:
    """A process that can be waited for, killed, and whose output is kept."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.output = ""

    async def until(self, pattern: str) -> str:
        """Read its output until ``pattern`` appears; what it matched."""
        assert self.process.stdout is not None
        while not (found := re.search(pattern, self.output)):
            piece = await self.process.stdout.read(4096)
            assert piece, f"ended before {pattern}: {self.output}"
            self.output += piece.decode()
        return found[0]

    async def end(self) -> int:
        """Wait for its end; the exit code."""
        out, _ = await self.process.communicate()
        self.output += out.decode()
        return await self.process.wait()

    async def kill(self) -> None:
        """SIGKILL, by its id."""
        self.process.kill()
        await self.end()

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
