"""Runs a coroutine to its end, on uvloop where it is installed."""

import gc
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TypeVar

T = TypeVar("T")

#: New objects between two searches for cycles among the young ones. With Python's
#: 700, a run looks through the thousands of items that it has under way over and
#: over: a fifth of its CPU (``benchmarks/README.md``, engine).
BETWEEN_SEARCHES = 50_000


def run_async(function: Callable[[], Awaitable[T]]) -> T:
    """What ``function`` comes to."""
    import anyio

    gc.set_threshold(BETWEEN_SEARCHES)
    return anyio.run(function, backend_options={"use_uvloop": has_uvloop()})


def has_uvloop() -> bool:
    """Whether the faster event loop is installed (there is none for Windows)."""
    return find_spec("uvloop") is not None
