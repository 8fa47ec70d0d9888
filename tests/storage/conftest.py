"""Servers that last for the tests of a file, and what places need."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from orchestrator.query import Destination
from orchestrator.storage import Patience, Reach
from orchestrator.storage.disk import Disk
from tests.storage import azurite
from tests.storage.servers import (
    KEY,
    SECRET,
    OldSftpServer,
    Server,
    certificate,
    folder,
    ftp_server,
    sftp_server,
)


@pytest.fixture(scope="session")
def moto() -> Iterator[Any]:
    """A client of moto's S3 with a bucket ``films``; ``.port`` is where it listens."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(retries={"max_attempts": 1}),
    )
    client.create_bucket(Bucket="films")
    client.port = port
    yield client
    client.close()
    server.stop()


@pytest.fixture(scope="session")
def azure() -> Iterator[azurite.Azurite]:
    with azurite.running() as server:
        yield server


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: Any) -> tuple[Path, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def s3(moto: Any) -> Server:
    for each in moto.list_objects_v2(Bucket="films").get("Contents", ()):
        moto.delete_object(Bucket="films", Key=each["Key"])

    def read(name: str) -> bytes | None:
        return moto.get_object(Bucket="films", Key=name)["Body"].read() if name in names() else None

    def names() -> list[str]:
        found = moto.list_objects_v2(Bucket="films").get("Contents", ())
        return sorted(each["Key"] for each in found)

    return Server(f"s3://127.0.0.1:{moto.port}/films/", moto.port, read, names)


@pytest.fixture
def azblob(azure: azurite.Azurite) -> Server:
    return azure.server()


@pytest.fixture
def plain_ftp(tmp_path: Path) -> Iterator[Server]:
    root = tmp_path / "ftp"
    root.mkdir()
    with ftp_server(root) as port:
        yield Server("ftp://127.0.0.1/", port, more={"tcp_port": port}, **folder(root))


@pytest.fixture
def active_ftp(plain_ftp: Server) -> Server:
    plain_ftp.more["is_passive"] = 0
    return plain_ftp


@pytest.fixture
def tls_server(tmp_path: Path, trusted: Any) -> Iterator[Server]:
    root = tmp_path / "ftps"
    root.mkdir()
    with ftp_server(root, trusted[0]) as port:
        yield Server(f"ftps://127.0.0.1:{port}/", port, **folder(root))


@pytest.fixture
def ftps(tls_server: Server) -> Server:
    return tls_server


@pytest.fixture
def ftp_tls_active(tls_server: Server) -> Server:
    tls_server.url = tls_server.url.replace("ftps://", "ftp://")
    tls_server.more = {"use_tls": 1, "is_passive": 0}
    return tls_server


@pytest.fixture
async def sftp(tmp_path: Path) -> AsyncIterator[Server]:
    root = tmp_path / "sftp"
    root.mkdir()
    async with await sftp_server(root) as server:
        port = server.get_port()
        yield Server(f"sftp://127.0.0.1:{port}/", port, **folder(root))


@pytest.fixture
async def old_sftp(tmp_path: Path) -> AsyncIterator[Server]:
    root = tmp_path / "sftp"
    root.mkdir()
    async with await sftp_server(root, OldSftpServer) as server:
        port = server.get_port()
        yield Server(f"sftp://127.0.0.1:{port}/", port, **folder(root))


@pytest.fixture
def local(tmp_path: Path) -> Server:
    root = tmp_path / "library"
    root.mkdir()
    return Server(f"{root.as_uri()}/", 0, **folder(root))


@pytest.fixture
def reach(tmp_path: Path, trusted: Any) -> Iterator[Reach]:
    """With pauses too short to notice."""
    disk = Disk()
    yield Reach(
        disk,
        tmp_path / "known_hosts",
        roots=(tmp_path / "library",),
        tls=trusted[1],
        patience=Patience(tries=4, shortest=0.001, longest=0.002),
    )
    disk.close()


@pytest.fixture
def wanted() -> Callable[[dict[str, Any]], Destination]:
    return Destination.model_validate
