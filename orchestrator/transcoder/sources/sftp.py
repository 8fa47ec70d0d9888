"""Sources from sftp, going on from where a try stopped.

The keys of servers are not checked: a URL names none, and this service knows none.
Only the password of the URL is offered, never a key or an agent of this machine.
A path is absolute; ``/~/`` begins one relative to where the login leads.
"""

import asyncio
import logging

import asyncssh

from orchestrator.transcoder.sources.addresses import Addresses
from orchestrator.transcoder.sources.faults import Interrupted, Unfetchable, system_words
from orchestrator.transcoder.sources.landing import FetchLimits, Landing
from orchestrator.transcoder.sources.urls import Remote

# It tells the user names that it logs in with.
logging.getLogger("asyncssh").setLevel(logging.WARNING)

_BLOCK = 1024 * 1024
_BROKEN = (asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)
_ABSENT = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


class Sftp:
    """Fetches by sftp, from ``addresses`` alone."""

    def __init__(self, addresses: Addresses, limits: FetchLimits) -> None:
        self._addresses, self._limits = addresses, limits

    async def fetch(self, remote: Remote, landing: Landing) -> None:
        """One try, going on from what ``landing`` has.

        Raises ``Unfetchable`` or ``Interrupted``.
        """
        address = await self._addresses.one(remote.host, remote.port)
        try:
            async with asyncio.timeout(self._limits.connect):
                connection = await _connection(remote, address)
            try:
                await self._read(connection, _path(remote.path), landing)
            finally:
                connection.abort()
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


async def _connection(remote: Remote, address: str) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        address,
        remote.port,
        username=remote.user or "anonymous",
        password=remote.password,
        known_hosts=None,
        config=None,
        client_keys=None,
        agent_path=None,
        gss_host=None,
        preferred_auth=("password", "keyboard-interactive"),
        # Nothing here inflates what strangers send.
        compression_algs=("none",),
    )


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
