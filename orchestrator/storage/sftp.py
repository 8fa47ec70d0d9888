"""SFTP, with a password. Written under a temporary name, compared, and renamed.

Paths are absolute; ``/~/`` at the start means the folder of the login, as with
curl. A server that was never met is trusted, and only its key from then on
(``hostkeys``).
"""

import asyncio
import posixpath
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncssh

from orchestrator.query import Destination
from orchestrator.storage import address
from orchestrator.storage.guard import addresses
from orchestrator.storage.hostkeys import HostKeys, KeyChanged
from orchestrator.storage.place import Passing, Reach, Refused, Upload, within
from orchestrator.storage.pool import Pool
from orchestrator.storage.resuming import Sending
from orchestrator.storage.s3 import credentials

#: Seconds without a byte, and to clean up in.
_STALL = 60.0
_GOODBYE = 5.0


class _Connection:
    """A connection and its SFTP session."""

    def __init__(self, ssh: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        self.ssh, self.sftp = ssh, sftp

    async def drop(self) -> None:
        """Close it at once, whatever is on its way."""
        self.ssh.abort()
        await self.ssh.wait_closed()

    async def aclose(self) -> None:
        """Close it once all has been said."""
        self.sftp.exit()
        self.ssh.close()
        try:
            async with asyncio.timeout(_GOODBYE):
                await self.ssh.wait_closed()
        except TimeoutError:
            self.ssh.abort()


class Sftp:
    """A server that is open, with a connection for each file under way."""

    at_once = 4
    streams = True

    def __init__(self, wanted: Destination, server: address.Server, reach: Reach) -> None:
        self._wanted, self._server, self._reach = wanted, server, reach
        self._keys = HostKeys(reach.known_hosts)
        self._pool = Pool(self._login, _Connection.aclose, _Connection.drop)
        self._begun: set[str] = set()

    async def put(self, upload: Upload) -> None:
        """``Place.put``."""
        target = _path(upload.path)
        partial = posixpath.join(posixpath.dirname(target), f".{secrets.token_hex(8)}.part")
        try:
            await self._reach.patience.try_again(lambda: self._store(upload, partial, target))
        except BaseException:
            await asyncio.shield(self._forget(partial))
            raise

    async def aclose(self) -> None:
        """Leave the server."""
        await self._pool.aclose()

    # --- going on where an earlier try stopped: ``Resumable`` -------------------------

    async def begin(self, sending: Sending) -> str:  # noqa: ARG002 - its name is enough
        """``Resumable.begin``: the first byte makes the file."""
        return ""

    async def arrived(self, sending: Sending) -> int | None:
        """``Resumable.arrived``."""
        with _told_apart():
            async with self._pool.take() as connection, within(_STALL, "looking"):
                if await _size(connection.sftp, _path(sending.path)) == sending.size:
                    return sending.size
                there = await _size(connection.sftp, _path(str(sending.partial)))
                return there if there is not None and there <= sending.size else None

    async def append(self, sending: Sending, offset: int, blocks: AsyncIterator[bytes]) -> None:
        """``Resumable.append``."""
        partial = _path(str(sending.partial))
        with _told_apart():
            async with self._pool.take() as connection, within(_STALL, "storing") as scope:
                if folder := posixpath.dirname(partial):
                    await connection.sftp.makedirs(folder, exist_ok=True)
                async with connection.sftp.open(partial, "r+b" if offset else "wb") as file:
                    done = offset
                    scope.reschedule(None)  # waiting for a block is not the server's fault
                    async for block in blocks:
                        _reschedule(scope)
                        await file.write(block, done)
                        done += len(block)
                        sending.moved(done)
                        scope.reschedule(None)
                    _reschedule(scope)

    async def finish(self, sending: Sending) -> None:
        """``Resumable.finish``."""
        partial, target = _path(str(sending.partial)), _path(sending.path)
        with _told_apart():
            async with self._pool.take() as connection, within(_STALL, "finishing"):
                there = await _size(connection.sftp, partial)
                if there is None and await _size(connection.sftp, target) == sending.size:
                    return
                if there != sending.size:
                    raise Passing("not all of the file arrived")
                await _rename(connection.sftp, partial, target)

    async def remove(self, sending: Sending) -> None:
        """``Resumable.remove``."""
        with _told_apart():
            async with self._pool.take() as connection, within(_STALL, "removing"):
                for name in (str(sending.partial), sending.path):
                    with suppress(asyncssh.SFTPNoSuchFile):
                        await connection.sftp.remove(_path(name))

    async def _store(self, upload: Upload, partial: str, target: str) -> None:
        with _told_apart():
            async with self._pool.take() as connection, within(_STALL, "storing") as scope:
                sftp = connection.sftp
                if folder := posixpath.dirname(target):
                    await sftp.makedirs(folder, exist_ok=True)
                self._begun.add(partial)
                await _send(sftp, upload, partial, scope)
                if (await sftp.stat(partial)).size != upload.size:
                    raise Passing("not all of the file arrived")
                await _rename(sftp, partial, target)

    async def _forget(self, partial: str) -> None:
        """Remove what was not finished, if the server can still be reached."""
        if partial not in self._begun:
            return
        with suppress(Passing, Refused, asyncssh.Error, OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE), self._pool.take() as connection:
                await connection.sftp.remove(partial)

    async def _login(self) -> _Connection:
        ssh = await self._connect()
        try:
            return _Connection(ssh, await ssh.start_sftp_client())
        except BaseException:
            ssh.abort()
            raise

    async def _connect(self) -> asyncssh.SSHClientConnection:
        host, port = self._server.host, self._server.port or 22
        key, secret = credentials(self._wanted)
        target = host
        if not self._reach.allow_private:
            target = (await addresses(host, port, allow_private=False))[0]
        times = {"connect_timeout": 30, "login_timeout": 60, "keepalive_interval": 15}
        try:
            return await self._keys.connect(host, port, target, user=key, password=secret, **times)
        except KeyChanged as error:
            raise Refused(str(error)) from error
        except asyncssh.KeyExchangeFailed as error:
            raise Refused("it encrypts in no way of this service") from error


@asynccontextmanager
async def open_sftp(wanted: Destination, reach: Reach) -> AsyncIterator[Sftp]:
    """The server of an ``sftp://`` destination. Raises ``Refused``."""
    place = Sftp(wanted, address.server(wanted), reach)
    try:
        yield place
    finally:
        await asyncio.shield(place.aclose())


async def _send(
    sftp: asyncssh.SFTPClient, upload: Upload, partial: str, scope: asyncio.Timeout
) -> None:
    loop = asyncio.get_running_loop()

    def moved(*told: object) -> None:
        done = told[2]
        assert isinstance(done, int)
        scope.reschedule(loop.time() + _STALL)
        upload.moved(done)

    await sftp.put(str(upload.file), partial, sparse=False, progress_handler=moved)


async def _size(sftp: asyncssh.SFTPClient, path: str) -> int | None:
    """The size of a file; None where it is not there."""
    try:
        return (await sftp.stat(path)).size
    except asyncssh.SFTPNoSuchFile:
        return None


def _reschedule(scope: asyncio.Timeout) -> None:
    scope.reschedule(asyncio.get_running_loop().time() + _STALL)


async def _rename(sftp: asyncssh.SFTPClient, partial: str, target: str) -> None:
    """In place of what is there: OpenSSH's extension can; plain SFTP 3 can't."""
    try:
        await sftp.posix_rename(partial, target)
    except asyncssh.SFTPOpUnsupported:
        with suppress(asyncssh.SFTPNoSuchFile):
            await sftp.remove(target)
        await sftp.rename(partial, target)


def _path(path: str) -> str:
    return path.removeprefix("~/") if path.startswith("~/") else f"/{path}"


class _told_apart:  # noqa: N801 - used as the context manager that it is
    """Maps what asyncssh and sockets raise to ``Passing`` and ``Refused``."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, asyncssh.PermissionDenied):
            raise Refused("it refuses the key or the secret") from error
        if isinstance(error, asyncssh.SFTPPermissionDenied | asyncssh.SFTPNoSuchFile):
            raise Refused("the key may not write there") from error
        if isinstance(error, asyncssh.SFTPNoSpaceOnFilesystem | asyncssh.SFTPQuotaExceeded):
            raise Refused("it has no room left") from error
        if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
            raise Refused("there is no host of that name") from error
        if isinstance(error, TimeoutError | asyncssh.TimeoutError):
            raise Passing("it timed out") from error
        if isinstance(error, asyncssh.Error | OSError):
            raise Passing("the connection failed") from error
