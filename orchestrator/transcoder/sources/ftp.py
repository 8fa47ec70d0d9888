"""Sources from ftp and ftps: passive, and going on from where a try stopped (REST).

``ftps`` is FTP with ``AUTH TLS`` (RFC 4217), or TLS from the first byte on port 990.
A path is relative to where the login leads (RFC 1738); ``%2F`` begins an absolute one.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aioftp
from aioftp.common import SSLSessionBoundContext

from orchestrator.tls import trusted
from orchestrator.transcoder.sources.addresses import Addresses
from orchestrator.transcoder.sources.faults import (
    Interrupted,
    NotSecure,
    Unfetchable,
    system_words,
)
from orchestrator.transcoder.sources.landing import FetchLimits, Landing
from orchestrator.transcoder.sources.urls import Remote

# It tells the commands that it sends, paths and user names among them.
logging.getLogger("aioftp.client").setLevel(logging.WARNING)

_BLOCK = 256 * 1024
_IMPLICIT_TLS = 990
#: Lines of a server's answers taken from one connection; an endless one ends here.
_MOST_LINES = 2000
#: Not implemented, in several ways (RFC 959, 4.2).
_UNKNOWN = ("500", "501", "502", "503", "504")


class Ftp:
    """Fetches by ftp and ftps, from ``addresses`` alone."""

    def __init__(self, addresses: Addresses, limits: FetchLimits) -> None:
        self._addresses, self._limits = addresses, limits

    async def fetch(self, remote: Remote, landing: Landing) -> None:
        """One try, going on from what ``landing`` has.

        Raises ``Unfetchable`` or ``Interrupted``.
        """
        address = await self._addresses.one(remote.host, remote.port)
        try:
            async with self._logged_in(remote, address) as client:
                await self._read(client, remote.path, landing)
        except aioftp.StatusCodeError as error:
            raise _fault(error) from None
        except ssl.SSLError as error:
            raise NotSecure from error
        except ConnectionResetError as error:
            raise Interrupted("the connection broke before the end") from error
        except OSError as error:
            raise Interrupted(system_words(error)) from error
        except ValueError as error:
            raise Unfetchable("its server does not answer as an FTP server does") from error

    @asynccontextmanager
    async def _logged_in(self, remote: Remote, address: str) -> AsyncIterator["_Client"]:
        secure = trusted() if remote.scheme == "ftps" else None
        implicit = secure if remote.port == _IMPLICIT_TLS else None
        client = _Client(address, self._limits, implicit)
        try:
            async with asyncio.timeout(self._limits.connect):
                await client.connect(remote.host, remote.port)
                if secure is not None and implicit is None:
                    await client.upgrade_to_tls(secure)
                await client.login(remote.user or "anonymous", remote.password or "anonymous@")
            yield client
        finally:
            client.close()

    async def _read(self, client: "_Client", path: str, landing: Landing) -> None:
        async with asyncio.timeout(self._limits.connect):
            await client.command("TYPE I", "200")
            size = await client.told(f"SIZE {path}")
            version = await client.told(f"MDTM {path}")
        total = int(size) if size.isdecimal() else None
        if landing.done and (total != landing.total or version != landing.version):
            await landing.begin_again()
        landing.version = version
        landing.expect(total)
        try:
            async with client.download_stream(path, offset=landing.done) as stream:
                while piece := await stream.read(_BLOCK):
                    await landing.write(piece)
        except aioftp.StatusCodeError as error:
            if landing.done and str(error.received_codes[-1]) in _UNKNOWN:
                await landing.begin_again()
                raise Interrupted("its server can't go on from the middle of it") from None
            raise
        landing.finish()


class _Client(aioftp.Client):
    """Connects to one judged address alone, whichever host the server's answers name."""

    def __init__(self, address: str, limits: FetchLimits, secure: ssl.SSLContext | None) -> None:
        super().__init__(socket_timeout=limits.stall, connection_timeout=limits.connect, ssl=secure)
        self._address, self._limits = address, limits
        self._writers: list[asyncio.StreamWriter] = []
        self._lines = 0

    async def told(self, command: str) -> str:
        """What the server answers to a question that not every server knows; else ""."""
        try:
            _, lines = await self.command(command, "213")
        except aioftp.StatusCodeError as error:
            if str(error.received_codes[-1]).startswith("4"):
                raise
            return ""
        return lines[-1].strip()

    async def parse_line(self) -> tuple[aioftp.Code, str]:
        """A line of an answer, as long as there are not too many."""
        self._lines += 1
        if self._lines > _MOST_LINES:
            raise ValueError("an answer without end")
        return await super().parse_line()

    def close(self) -> None:
        """Close every connection, those of a failed transfer too."""
        super().close()
        for writer in self._writers:
            writer.close()

    async def _open_connection(
        self,
        host: str,  # noqa: ARG002 - the judged address is taken instead
        port: int,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        secure: ssl.SSLContext | bool | None = self.ssl
        if self._stream is not None:
            control = self._stream.writer.get_extra_info("ssl_object")
            if control is not None:  # many servers want its session on the data connection
                secure = SSLSessionBoundContext(
                    ssl.PROTOCOL_TLS_CLIENT, context=control.context, session=control.session
                )
        async with asyncio.timeout(self._limits.connect):
            reader, writer = await asyncio.open_connection(
                self._address,
                port,
                ssl=secure or None,
                server_hostname=self.server_host if secure else None,
            )
        self._writers.append(writer)
        return reader, writer


def _fault(error: aioftp.StatusCodeError) -> Unfetchable | Interrupted:
    code = str(error.received_codes[-1])
    if code.startswith("4"):
        return Interrupted(f"its server answers with FTP {code}")
    words = {
        "530": "its server refuses the user name or the password (FTP 530)",
        "550": "it is not there, or its server refuses access to it (FTP 550)",
    }
    return Unfetchable(words.get(code, f"its server answers with FTP {code[:3]}"))
