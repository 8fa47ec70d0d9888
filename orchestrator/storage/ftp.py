"""FTP, plain or over TLS (RFC 959, RFC 2428, RFC 4217), passive or active.

A file is written under a temporary name, its size is compared, and then it is
renamed: others never see a part of it under its own name. Paths begin in the
folder of the login, as RFC 1738 has it; ``%2F`` at the start means the root.
"""

import asyncio
import ipaddress
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import PurePosixPath
from typing import Any

import aioftp
from aioftp.common import SSLSessionBoundContext

from orchestrator.query import Destination
from orchestrator.storage import address
from orchestrator.storage.guard import addresses
from orchestrator.storage.place import Passing, Reach, Refused, Upload, within
from orchestrator.storage.pool import Pool
from orchestrator.storage.resuming import Sending
from orchestrator.storage.s3 import credentials

_BLOCK = 256 * 1024
#: Seconds for an answer or a block.
_STALL = 60.0
#: Seconds to clean up in, and to say goodbye.
_GOODBYE = 5.0

#: RFC 959 4.2.2 in plain words.
_REASONS = {
    "530": "it refuses the key or the secret",
    "532": "it refuses the key or the secret",
    "534": "it refuses TLS",
    "550": "the key may not write there",
    "552": "it has no room left",
    "553": "the key may not write there",
}


class Ftp:
    """A server that is open, with a connection for each file under way."""

    at_once = 4
    streams = True

    def __init__(self, wanted: Destination, server: address.Server, reach: Reach) -> None:
        self._wanted, self._server, self._reach = wanted, server, reach
        self._pool = Pool(self._login, _goodbye, _hang_up)
        self._folders: set[PurePosixPath] = set()
        self._begun: set[PurePosixPath] = set()

    async def put(self, upload: Upload) -> None:
        """``Place.put``."""
        target = PurePosixPath(upload.path)
        partial = target.with_name(f".{secrets.token_hex(8)}.part")
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
        """``Resumable.arrived``, where the server tells sizes (RFC 3659 4)."""
        with _told_apart():
            async with self._pool.take() as client, within(_STALL, "looking"):
                await client.command("TYPE I", "200")
                if await _size(client, PurePosixPath(sending.path)) == sending.size:
                    return sending.size
                there = await _size(client, sending.partial)
                return there if there is not None and there <= sending.size else None

    async def append(self, sending: Sending, offset: int, blocks: AsyncIterator[bytes]) -> None:
        """``Resumable.append``, by REST before STOR (RFC 3659 5), else by APPE."""
        with _told_apart():
            async with self._pool.take() as client, within(_STALL, "storing") as scope:
                await self._make_folders(client, sending.partial.parent)
                writer = await self._data(client, f"STOR {sending.partial}", offset)
                try:
                    done = offset
                    async for block in _unhurried(blocks, scope):
                        writer.write(block)
                        await writer.drain()
                        done += len(block)
                        sending.moved(done)
                except BaseException:
                    writer.transport.abort()
                    raise
                writer.close()
                await client.command(None, "2xx", "1xx")
                with suppress(OSError):
                    await writer.wait_closed()

    async def finish(self, sending: Sending) -> None:
        """``Resumable.finish``."""
        target = PurePosixPath(sending.path)
        with _told_apart():
            async with self._pool.take() as client, within(_STALL, "finishing"):
                await client.command("TYPE I", "200")
                if await _size(client, sending.partial) is None and (
                    await _size(client, target) == sending.size
                ):
                    return
                await _compare(client, sending.partial, sending.size)
                await _rename(client, sending.partial, target)

    async def remove(self, sending: Sending) -> None:
        """``Resumable.remove``."""
        with _told_apart():
            async with self._pool.take() as client, within(_STALL, "removing"):
                await client.command("TYPE I", "200")
                for name in (sending.partial, PurePosixPath(sending.path)):
                    try:
                        await client.command(f"DELE {name}", "2xx")
                    except aioftp.StatusCodeError:
                        if await _size(client, name) is not None:
                            raise

    async def _store(self, upload: Upload, partial: PurePosixPath, target: PurePosixPath) -> None:
        with _told_apart():
            async with self._pool.take() as client, within(_STALL, "storing") as scope:
                await self._make_folders(client, target.parent)
                await self._send(client, upload, partial, scope)
                await _compare(client, partial, upload.size)
                await _rename(client, partial, target)

    async def _send(
        self, client: aioftp.Client, upload: Upload, partial: PurePosixPath, scope: asyncio.Timeout
    ) -> None:
        self._begun.add(partial)
        writer = await self._data(client, f"STOR {partial}")
        try:
            file = await self._reach.disk.run(upload.file.open, "rb")
            try:
                await self._copy(file, writer, upload.moved, scope)
            finally:
                await self._reach.disk.run(file.close)
        except BaseException:
            writer.transport.abort()
            raise
        _reschedule(scope)
        writer.close()
        await client.command(None, "2xx", "1xx")
        with suppress(OSError):
            await writer.wait_closed()

    async def _copy(
        self,
        file: Any,
        writer: asyncio.StreamWriter,
        moved: Callable[[int], None],
        scope: asyncio.Timeout,
    ) -> None:
        done = 0
        while block := await self._reach.disk.run(file.read, _BLOCK):
            writer.write(block)
            await writer.drain()
            _reschedule(scope)
            done += len(block)
            moved(done)

    async def _data(
        self, client: aioftp.Client, command: str, offset: int = 0
    ) -> asyncio.StreamWriter:
        """A data connection that ``command`` has been told of, for bytes from ``offset`` on."""
        if not self._wanted.is_passive:
            return await self._active(client, command, offset)
        _, writer = await client.get_passive_connection()
        try:
            await _tell(client, command, offset)
        except BaseException:
            writer.transport.abort()
            raise
        return writer

    async def _active(
        self, client: aioftp.Client, command: str, offset: int
    ) -> asyncio.StreamWriter:
        """The server connects to us. It is the one for TLS to verify, so we are its client."""
        host = client.stream.writer.get_extra_info("sockname")[0]
        await client.command("TYPE I", "200")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, 0), family=family) as listener:
            listener.setblocking(False)
            await client.command(_port_command(host, listener.getsockname()[1]), "200")
            await _tell(client, command, offset)
            connection, peer = await asyncio.get_running_loop().sock_accept(listener)
        if peer[0] != client.stream.writer.get_extra_info("peername")[0]:
            connection.close()
            raise Refused("its data connection comes from another host")
        tls = _session(client)
        named = self._server.host if tls else None
        _, writer = await asyncio.open_connection(sock=connection, ssl=tls, server_hostname=named)
        return writer

    async def _make_folders(self, client: aioftp.Client, folder: PurePosixPath) -> None:
        """Make what is missing. A folder that can't be made is told of by what comes next."""
        for each in [*reversed(folder.parents), folder]:
            if each in self._folders or str(each) in (".", "/"):
                continue
            with suppress(aioftp.StatusCodeError):
                await client.command(f"MKD {each}", "2xx")
            self._folders.add(each)

    async def _forget(self, partial: PurePosixPath) -> None:
        """Remove what was not finished, if the server can still be reached."""
        if partial not in self._begun:
            return
        with suppress(Passing, Refused, aioftp.StatusCodeError, OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE), self._pool.take() as client:
                await client.command(f"DELE {partial}", "2xx")

    async def _login(self) -> aioftp.Client:
        server, reach = self._server, self._reach
        host = server.host
        if not reach.allow_private:
            host = (await addresses(host, server.port or 21, allow_private=False))[0]
        client = aioftp.Client(socket_timeout=_STALL, connection_timeout=30)
        try:
            await client.connect(host, server.port or 21)
            # Certificates are of the name that was asked for, not of its address.
            client.server_host = server.host
            if self._wanted.use_tls or self._wanted.scheme == "ftps":
                await client.upgrade_to_tls(reach.tls)
            client.server_host = host
            key, secret = credentials(self._wanted)
            await client.login(key or "anonymous", secret or "anonymous@")
        except BaseException:
            await asyncio.shield(_hang_up(client))
            raise
        return client


@asynccontextmanager
async def open_ftp(wanted: Destination, reach: Reach) -> AsyncIterator[Ftp]:
    """The server of an ``ftp://`` or ``ftps://`` destination. Raises ``Refused``."""
    place = Ftp(wanted, address.server(wanted), reach)
    try:
        yield place
    finally:
        await asyncio.shield(place.aclose())


async def _tell(client: aioftp.Client, command: str, offset: int) -> None:
    """Name the file to write, and from where on. Servers without REST may still know APPE."""
    if offset:
        try:
            await client.command(f"REST {offset}", "350")
        except aioftp.StatusCodeError:
            command = command.replace("STOR", "APPE", 1)
    await client.command(command, "1xx")


async def _unhurried(
    blocks: AsyncIterator[bytes], scope: asyncio.Timeout
) -> AsyncIterator[memoryview]:
    """What blocks hold, a little at a time. Waiting for a block is not the server's fault."""
    scope.reschedule(None)
    async for block in blocks:
        view = memoryview(block)
        for start in range(0, len(view), _BLOCK):
            _reschedule(scope)
            yield view[start : start + _BLOCK]
        scope.reschedule(None)
    _reschedule(scope)


async def _size(client: aioftp.Client, path: PurePosixPath) -> int | None:
    """The size of a file; None where it is not there, or the server does not tell."""
    try:
        _, lines = await client.command(f"SIZE {path}", "213")
    except aioftp.StatusCodeError as error:
        if str(error.received_codes[-1]).startswith("4"):
            raise
        return None
    told = lines[-1].strip()
    return int(told) if told.isdecimal() else None


async def _compare(client: aioftp.Client, partial: PurePosixPath, size: int) -> None:
    """The server's size of the file must be ours, where the server tells it (RFC 3659 4)."""
    try:
        _, lines = await client.command(f"SIZE {partial}", "213")
    except aioftp.StatusCodeError:
        return
    if lines[-1].strip() != str(size):
        raise Passing("not all of the file arrived")


async def _rename(client: aioftp.Client, partial: PurePosixPath, target: PurePosixPath) -> None:
    try:
        await client.rename(partial, target)
    except aioftp.StatusCodeError:
        # Some servers don't rename onto a file that is there.
        with suppress(aioftp.StatusCodeError):
            await client.command(f"DELE {target}", "2xx")
        await client.rename(partial, target)


async def _goodbye(client: aioftp.Client) -> None:
    with suppress(aioftp.AIOFTPException, OSError, TimeoutError):
        async with asyncio.timeout(_GOODBYE):
            await client.command("QUIT", "2xx")
    await _hang_up(client)


async def _hang_up(client: aioftp.Client) -> None:
    """Close the connection, and see it closed."""
    client.close()
    with suppress(OSError):
        writer = client.stream.writer
        try:
            async with asyncio.timeout(_GOODBYE):
                await writer.wait_closed()
        except TimeoutError:
            writer.transport.abort()


class _told_apart:  # noqa: N801 - used as the context manager that it is
    """Maps what aioftp and sockets raise to ``Passing`` and ``Refused``."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, aioftp.StatusCodeError):
            raise _of_status(str(error.received_codes[-1])) from error
        if isinstance(error, ssl.SSLCertVerificationError):
            raise Refused("its certificate can't be trusted") from error
        if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
            raise Refused("there is no host of that name") from error
        if isinstance(error, TimeoutError):
            raise Passing("it timed out") from error
        if isinstance(error, OSError | EOFError | aioftp.AIOFTPException):
            raise Passing("the connection failed") from error


def _of_status(code: str) -> Exception:
    if code.startswith("4"):
        return Passing(f"it answers {code}")
    reason = _REASONS.get(code)
    return Refused(f"{reason} ({code})" if reason else f"it answers {code}", code)


def _session(client: aioftp.Client) -> ssl.SSLContext | None:
    """TLS as on the control connection; servers want its session continued (RFC 4217 10.2)."""
    found = client.stream.writer.get_extra_info("ssl_object")
    if found is None:
        return None
    return SSLSessionBoundContext(
        ssl.PROTOCOL_TLS_CLIENT, context=found.context, session=found.session
    )


def _port_command(host: str, port: int) -> str:
    """PORT where it will do, as every server knows it; EPRT for IPv6 (RFC 2428 2)."""
    if ipaddress.ip_address(host).version == 6:
        return f"EPRT |2|{host}|{port}|"
    return f"PORT {host.replace('.', ',')},{port >> 8},{port & 255}"


def _reschedule(scope: asyncio.Timeout) -> None:
    scope.reschedule(asyncio.get_running_loop().time() + _STALL)
