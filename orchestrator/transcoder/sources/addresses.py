"""Which addresses sources may be fetched from, judged where connections are made.

A service that fetches any URL for its clients would also fetch those that only
its own network can see. Each name is resolved once, and the connection goes to
an address that was judged, so that a name which changes its answer in between
gains nothing. Spellings (``0x7f.1``, ``2130706433``) are left to the system's
resolver: what is judged is what it makes of them.
"""

import asyncio
import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from orchestrator.storage.public import is_public
from orchestrator.transcoder.sources.faults import Interrupted, Unfetchable

PRIVATE = "its address is private or local, which this service does not fetch from"

#: What the resolver says of a name that may be found a little later (``EAI_AGAIN``).
_LATER = frozenset({socket.EAI_AGAIN})


class PrivateAddress(OSError):
    """Raised when a name leads to no address that may be fetched from."""


def is_numeric(host: str) -> bool:
    """Whether a host is an IP address as it stands, with nothing to resolve."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class Addresses:
    """Resolves names to what may be connected to. ``allow_private`` allows everything."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def of(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> list[str]:
        """The addresses of a host, in the system's order.

        Raises ``socket.gaierror``, and ``PrivateAddress`` where none may be used.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise socket.gaierror(socket.EAI_NONAME, "no such name") from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        allowed = [each for each in addresses if self._allow_private or is_public(each)]
        if not allowed:
            raise PrivateAddress(None, PRIVATE)
        return allowed

    async def one(self, host: str, port: int) -> str:
        """The address to connect to. Raises ``Unfetchable`` or ``Interrupted``."""
        try:
            return (await self.of(host, port))[0]
        except PrivateAddress:
            raise Unfetchable(PRIVATE) from None
        except socket.gaierror as error:
            raise name_fault(error) from error


def name_fault(error: socket.gaierror) -> Unfetchable | Interrupted:
    """A name that was not resolved: for now (the name server is away), or for good."""
    words = "the name of its server is not known"
    return Interrupted(words) if error.errno in _LATER else Unfetchable(words)


class JudgingResolver(AbstractResolver):
    """``Addresses`` for aiohttp, which then connects to nothing else."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host that may be connected to."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._addresses.of(host, port, family)
        ]

    async def close(self) -> None:
        """Nothing is held."""
