"""@tus/server, the tus project's own server for Node.js, installed here when it is first needed."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.uploading.process import Process, running

_HERE = Path(__file__).parent
_FILES = ("package.json", "server.mjs")

#: Ignored by git; kept, so that only the first run installs.
INSTALLED = _HERE.parent / ".cache" / "tus-node"

#: What the pinned versions ask for.
_OLDEST = (20, 19)


class NotRun(Exception):
    """Raised where a benchmark can't be run on this machine; says what to do about it."""


class TusNode:
    """The running server."""

    def __init__(self, process: Process, uploads: Path) -> None:
        self.uploads = uploads
        self.cpu = process.cpu
        self._url = process.url

    def targets(self, count: int) -> list[str]:
        """Every upload is created at the same URL."""
        return [self._url] * count

    def arrived(self) -> list[Path]:
        """The files; beside each the store keeps a ``.json`` about it."""
        return [path for path in self.uploads.iterdir() if path.suffix != ".json"]

    def clear(self) -> None:
        """Take away both."""
        for path in self.uploads.iterdir():
            path.unlink()


@contextmanager
def tus_node(uploads: Path) -> Iterator[TusNode]:
    """Run it. Raises ``NotRun`` where it can't be installed."""
    install(INSTALLED)
    uploads.mkdir(parents=True)
    with running(["node", str(INSTALLED / "server.mjs"), str(uploads)]) as process:
        yield TusNode(process, uploads)


def install(folder: Path) -> None:
    """Put the server and what it needs into ``folder``, unless they are there."""
    _check_node()
    if (folder / "node_modules" / "@tus").is_dir() and _same(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copyfile(_HERE / name, folder / name)
    print("Installing @tus/server with npm ...", flush=True)
    command = ["npm", "install", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        (folder / _FILES[0]).unlink()
        raise NotRun(f"npm could not install @tus/server:\n{done.stderr.strip()[-2000:]}")


def _same(folder: Path) -> bool:
    """Whether what is installed is what this benchmark asks for now."""
    return all(
        (folder / name).is_file() and (folder / name).read_bytes() == (_HERE / name).read_bytes()
        for name in _FILES
    )


def _check_node() -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotRun("Node.js and npm are not here: install Node.js 20.19 or newer, npm with it.")
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST:
        raise NotRun(f"Node.js is {said.strip()}: install 20.19 or newer.")
