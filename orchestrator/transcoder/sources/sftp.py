"""Sources from sftp, going on from where a try stopped.

A server that was never met is trusted, and only its key from then on, as with
destinations (``storage.hostkeys``). Only the password of the URL is offered, never
a key or an agent of this machine. A path is absolute; ``/~/`` begins one relative
to where the login leads.
"""

import asyncio
from pathlib import Path

import asyncssh

from orchestrator.storage.hostkeys import HostKeys, KeyChanged
from orchestrator.transcoder.sources.addresses import Addresses
from orchestrator.transcoder.sources.faults import Interrupted, Unfetchable, system_words
from orchestrator.transcoder.sources.landing import FetchLimits, Landing
from orchestrator.transcoder.sources.urls import Remote

_BLOCK = 1024 * 1024
_BROKEN = (asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)
_ABSENT = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


class Sftp:
    """Fetches by sftp, from ``addresses`` alone, of servers that are who ``known_hosts`` has."""

    def __init__(self, addresses: Addresses, limits: FetchLimits, known_hosts: Path) -> None:
        self._addresses, self._limits = addresses, limits
        self._keys = HostKeys(known_hosts)

    async def fetch(self, remote: Remote, landing: Landing) -> None:
        """One try, going on from what ``landing`` has.

        Raises ``Unfetchable`` or ``Interrupted``.
        """
        address = await self._addresses.one(remote.host, remote.port)
        try:
            async with asyncio.timeout(self._limits.connect):
                connection = await self._keys.connect(
                    remote.host,
                    remote.port,
                    address,
                    user=remote.user or "anonymous",
                    password=remote.password,
                )
            try:
                await self._read(connection, _path(remote.path), landing)
            finally:
                connection.abort()
        except KeyChanged as error:
            raise Unfetchable(str(error)) from error
        except asyncssh.Error as error:
            raise _fault(error) from error
        except OSError as error:
            raise Interrupted(system_words(error)) from error

    async def _read(
        self, connection: asyncssh.SSHClientConnection, path: str, landing: Landing
    ) -> None:
        async with asyncio.timeout(self._limits.stall):
            client = await connection.start_sftp_client()
            about = await client.stat(path)
            file = await client.open(path, "rb")
        version = f"{about.size}-{about.mtime}"
        if landing.done and version != landing.version:
            await landing.begin_again()
        landing.version = version
        landing.expect(about.size)
        while True:
            async with asyncio.timeout(self._limits.stall):
                piece: bytes = await file.read(_BLOCK, landing.done)  # opened for bytes
            if not piece:
                return landing.finish()
            await landing.write(piece)


def _path(path: str) -> str:
    return path.removeprefix("~/") if path.startswith("~/") else f"/{path}"


def _fault(error: asyncssh.Error) -> Unfetchable | Interrupted:
    if isinstance(error, asyncssh.PermissionDenied):
        return Unfetchable("its server refuses the user name or the password")
    if isinstance(error, _ABSENT):
        return Unfetchable("it is not there")
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        return Unfetchable("its server refuses access to it")
    if isinstance(error, _BROKEN):
        return Interrupted("the connection broke before the end")
    if isinstance(error, asyncssh.SFTPError):
        return Unfetchable("its server can't read it")
    return Unfetchable("its server does not answer as an SFTP server does")
