"""Keeps connections to the open internet where the service's settings want that.

Each name is resolved once and the connection goes to an address that was judged,
so that a name which changes its answer in between gains nothing.
"""

import asyncio
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from orchestrator.storage.address import is_local
from orchestrator.storage.place import Passing, Refused
from orchestrator.storage.public import is_public

_PRIVATE = "its address is private or local, which this service does not store at"


async def addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of a host that may be connected to. Raises ``Passing``, ``Refused``."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise Passing("its name can't be resolved now") from error
        raise Refused("there is no host of that name") from error
    hosts = list(dict.fromkeys(str(each[4][0]) for each in found))
    judged = [each for each in hosts if allow_private or is_public(each)]
    if not judged:
        raise Refused(_PRIVATE)
    return judged


def check_literal(host: str, *, allow_private: bool) -> None:
    """Judge a host that is an address already: those never reach a resolver."""
    if not allow_private and is_local(host):
        raise Refused(_PRIVATE)


class Resolver(AbstractResolver):
    """aiohttp's resolver, by ``addresses``."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's own interface
    ) -> list[ResolveResult]:
        found = await addresses(host, port, allow_private=self._allow_private)
        return [_result(host, each, port) for each in found]

    async def close(self) -> None:
        """Nothing is held."""


def _result(name: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=name,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=0,
        flags=socket.AI_NUMERICHOST,
    )
