"""Real servers on loopback, one of each kind, and how a test looks at what they hold.

A server is what others wrote: moto for S3, Azurite for Azure's blobs, pyftpdlib
for FTP with and without TLS, asyncssh's own for SFTP.
"""

import asyncio
import contextlib
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # asyncore, which pyftpdlib stands on
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

KEY, SECRET = "studio", "c2VjcmV0IHNlY3JldCBzZWNyZXQ="
WRONG = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmc="


@dataclass
class Server:
    """``read`` gives a file's bytes (None: not there), ``names`` all files that are there.

    ``url`` is where to store at, with a slash at its end; ``more`` are the
    attributes that go with it. ``port`` is the one to break connections of.
    """

    url: str
    port: int
    read: Callable[[str], bytes | None]
    names: Callable[[], list[str]]
    more: dict[str, Any] = field(default_factory=dict)
    key: str = KEY
    secret: str = SECRET

    def at(self, name: str, **changes: Any) -> dict[str, Any]:
        """A destination for a file or a folder of that name."""
        sent = {"url": self.url + name, "key": self.key, "secret": self.secret, **self.more}
        return {**sent, **changes}


def folder(root: Path) -> dict[str, Any]:
    """How to look at a server whose files lie under ``root``."""

    def read(name: str) -> bytes | None:
        path = root / name
        return path.read_bytes() if path.is_file() else None

    def names() -> list[str]:
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    return {"read": read, "names": names}


@contextlib.contextmanager
def ftp_server(root: Path, certificate: Path | None = None) -> Iterator[int]:
    """pyftpdlib in a thread of its own; with a certificate it insists on TLS for all there is."""
    authorizer = DummyAuthorizer()
    authorizer.add_user(KEY, SECRET, str(root), perm="elradfmwMT")
    authorizer.add_user("guest", SECRET, str(root), perm="elr")
    base = TLS_FTPHandler if certificate else FTPHandler
    settings: dict[str, Any] = {"authorizer": authorizer, "auth_failed_timeout": 0.01}
    if certificate:
        settings |= {
            "certfile": str(certificate),
            "tls_control_required": True,
            "tls_data_required": True,
            "ssl_context": None,
        }
    handler = type("Handler", (base,), settings)
    loop = IOLoop()
    server = FTPServer(("127.0.0.1", 0), handler, ioloop=loop)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            loop.loop(timeout=0.05, blocking=False)
        server.close_all()
        loop.close()

    thread = threading.Thread(target=serve, name="ftp-server")
    thread.start()
    try:
        yield server.address[1]
    finally:
        stop.set()
        thread.join()


class SftpServer(asyncssh.SFTPServer):
    """Serves a folder as if it were the root."""

    root = b""

    def __init__(self, channel: Any) -> None:
        super().__init__(channel, chroot=self.root)


class OldSftpServer(SftpServer):
    """Without OpenSSH's extensions, as many appliances are."""

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPOpUnsupported("no extensions here")

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        if Path(self.map_path(newpath).decode()).exists():
            raise asyncssh.SFTPFailure("there is such a file")
        super().rename(oldpath, newpath)


class _Login(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (KEY, SECRET)


async def sftp_server(
    root: Path, kind: type[SftpServer] = SftpServer, port: int = 0, key: str = "ssh-ed25519"
) -> asyncssh.SSHAcceptor:
    """asyncssh's server over a folder."""
    served = type("Served", (kind,), {"root": str(root).encode()})
    return await asyncssh.create_server(
        _Login,
        "127.0.0.1",
        port,
        server_host_keys=[asyncssh.generate_private_key(key)],
        sftp_factory=served,
    )


class Breaker:
    """A door to a server that breaks the first connections, ``bytes_first`` into them."""

    def __init__(self, port: int, broken: int, bytes_first: int = 0) -> None:
        self._port, self._left, self._bytes = port, broken, bytes_first
        self.broken = 0
        self._serving: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._serving)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._left:
            self._left -= 1
            self.broken += 1
            while self._bytes > 0 and (taken := await reader.read(min(self._bytes, 65536))):
                self._bytes -= len(taken)
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of 127.0.0.1 with its key in one file, and a context that trusts it."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + made.public_bytes(pem))
    return path, ssl.create_default_context(cadata=made.public_bytes(pem).decode())
