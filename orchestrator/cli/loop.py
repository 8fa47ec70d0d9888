"""Runs a coroutine to its end, on uvloop where it is installed."""

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TypeVar

T = TypeVar("T")


def run_async(function: Callable[[], Awaitable[T]]) -> T:
    """What ``function`` comes to."""
    import anyio

    return anyio.run(function, backend_options={"use_uvloop": has_uvloop()})


def has_uvloop() -> bool:
    """Whether the faster event loop is installed (there is none for Windows)."""
    return find_spec("uvloop") is not None
