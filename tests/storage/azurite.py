"""Azurite, Azure's own emulator, as a child; installed once, into a cache beside the tests."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient

from tests.storage.servers import Server

#: The account that Azurite has without being told of any (its README).
ACCOUNT = "devstoreaccount1"
SECRET = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
VERSION = "3.37.0"
CACHE = Path(__file__).parent / ".cache"
MAIN = CACHE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


class Azurite:
    """A running one, with a container ``films`` that Azure's own client looks into."""

    def __init__(self, port: int) -> None:
        self.port = port
        told = f"AccountName={ACCOUNT};AccountKey={SECRET}"
        url = f"http://127.0.0.1:{port}/{ACCOUNT}"
        self.container = ContainerClient.from_connection_string(
            f"DefaultEndpointsProtocol=http;{told};BlobEndpoint={url};",
            "films",
            api_version="2021-08-06",  # later ones are not Azurite's yet
        )
        self.container.create_container()

    def server(self) -> Server:
        """The container, empty."""
        for name in self.names():
            self.container.delete_blob(name)
        url = f"azblob://127.0.0.1:{self.port}/films/"
        return Server(url, self.port, self.read, self.names, key=ACCOUNT, secret=SECRET)

    def read(self, name: str) -> bytes | None:
        blob = self.container.get_blob_client(name)
        return blob.download_blob().readall() if blob.exists() else None

    def names(self) -> list[str]:
        return sorted(self.container.list_blob_names())


@contextlib.contextmanager
def running() -> Iterator[Azurite]:
    """Azurite on a free port, its data in memory."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Azurite needs node and npm")
    if not MAIN.exists():
        CACHE.mkdir(exist_ok=True)
        subprocess.run(
            [npm, "install", "--prefix", CACHE, "--no-audit", "--no-fund", f"azurite@{VERSION}"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    told = ["--inMemoryPersistence", "--disableTelemetry", "--blobHost", "127.0.0.1"]
    with subprocess.Popen(
        [node, MAIN, *told, "--blobPort", "0"],
        cwd=CACHE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            found = None
            for line in child.stdout:
                if found := re.search(r"successfully listens on http://127.0.0.1:(\d+)", line):
                    break
            assert found is not None, "Azurite did not start"
            server = Azurite(int(found[1]))
            with server.container:
                yield server
        finally:
            child.terminate()
