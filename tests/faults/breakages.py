"""What can go wrong between the engine and the service, each as the proxy does it.

Those that begin with ``after`` let the request take effect first.
"""

import asyncio
import re
from contextlib import suppress

from tests.endtoend.proxy import Exchange, Fault, head_of, kept_alive

#: Seconds for which connections are refused.
_AWAY = 0.15


async def refused(exchange: Exchange) -> bool:
    """The service goes away, and is back a little later."""
    exchange.cut()
    exchange.proxy.leave(_AWAY)
    return False


async def reset_at_once(exchange: Exchange) -> bool:
    """A reset; and another one on the next connection, before a request is read there."""
    exchange.proxy.doom()
    exchange.cut()
    return False


async def reset_after_headers(exchange: Exchange) -> bool:
    exchange.cut()
    return False


async def reset_in_body(exchange: Exchange) -> bool:
    """The service has seen half of the body."""
    await exchange.effect(0.5)
    exchange.cut()
    return False


async def after_reset(exchange: Exchange) -> bool:
    await exchange.effect()
    exchange.cut()
    return False


async def after_reset_in_answer(exchange: Exchange) -> bool:
    answer = await exchange.effect()
    await exchange.reply(_half(answer))
    exchange.cut()
    return False


async def after_truncated(exchange: Exchange) -> bool:
    """Half of the answer, then the connection is closed in good order."""
    await exchange.reply(_half(await exchange.effect()))
    return False


async def never_answered(exchange: Exchange) -> bool:
    await exchange.client_gone()
    return False


async def after_never_answered(exchange: Exchange) -> bool:
    await exchange.effect()
    await exchange.client_gone()
    return False


async def taken_late(exchange: Exchange) -> bool:
    """The request waits somewhere, and takes effect when its client has long given up on it.

    That is when the client sends it once more, or a second later where it does not.
    """
    await exchange.body()
    await exchange.client_gone()
    seen = exchange.proxy.seen[exchange.name]
    with suppress(TimeoutError):
        await asyncio.wait_for(exchange.proxy.count(exchange.name, seen + 1), 1.0)
    await exchange.effect()
    return False


def answers(status: int, body: bytes = b"told to", *, kind: str = "text/plain") -> Fault:
    """Answered by something in between: the service never hears of it."""

    async def answered(exchange: Exchange) -> bool:
        await exchange.body()
        await exchange.reply(_answer(status, body, kind))
        return exchange.reusable

    return answered


def after(status: int, body: bytes, kind: str = "text/plain") -> Fault:
    """The same, once the service has done what it was asked."""

    async def answered(exchange: Exchange) -> bool:
        await exchange.effect()
        await exchange.reply(_answer(status, body, kind))
        return exchange.reusable

    return answered


def lengthened(by: int) -> Fault:
    """The answer's Content-Length is wrong by so much."""

    async def answered(exchange: Exchange) -> bool:
        answer = kept_alive(await exchange.effect())

        def wrong(found: re.Match[bytes]) -> bytes:
            return found[1] + str(max(int(found[2]) + by, 0)).encode()

        await exchange.reply(re.sub(rb"(?i)(content-length: *)(\d+)", wrong, answer, count=1))
        return False

    return answered


def offset(change: int) -> Fault:
    """The answer names another Upload-Offset than the service's."""

    async def answered(exchange: Exchange) -> bool:
        answer = kept_alive(await exchange.effect())

        def wrong(found: re.Match[bytes]) -> bytes:
            return found[1] + str(max(int(found[2]) + change, 0)).encode()

        await exchange.reply(re.sub(rb"(?i)(upload-offset: *)(\d+)", wrong, answer, count=1))
        return exchange.reusable

    return answered


def _answer(status: int, body: bytes, kind: str) -> bytes:
    head = (
        f"HTTP/1.1 {status} Told\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Retry-After: 0.03\r\n\r\n"
    )
    return head.encode() + body


def _half(answer: bytes) -> bytes:
    """The headers and half of the body; half of the headers where there is none."""
    head = len(head_of(answer))
    return answer[: head + (len(answer) - head) // 2 if len(answer) > head else head // 2]


PAGE = b"<!DOCTYPE html><html><body><h1>Please sign in to this hotel's network</h1></body></html>"
EMPTY, LIST, WORDS = b"", b"[1, 2, 3]", b'"all is well"'
BARE = b'{"error": 0}'
ODD = b'{"error": 0, "token": 7, "task_token": [], "status_url": {}, "statuses": "none"}'

HTML, JSON = "text/html", "application/json"

#: For calls that answer with JSON.
OF_JSON: dict[str, Fault] = {
    "html": answers(200, PAGE, kind=HTML),
    "after html": after(200, PAGE, HTML),
    "empty": answers(200, EMPTY, kind=JSON),
    "a list": answers(200, LIST, kind=JSON),
    "after a list": after(200, LIST, JSON),
    "words": answers(200, WORDS, kind=JSON),
    "bare": answers(200, BARE, kind=JSON),
    "odd": answers(200, ODD, kind=JSON),
    "after odd": after(200, ODD, JSON),
}

#: For every call.
OF_ALL: dict[str, Fault] = {
    "refused": refused,
    "reset at once": reset_at_once,
    "reset after headers": reset_after_headers,
    "reset in body": reset_in_body,
    "after reset": after_reset,
    "after reset in answer": after_reset_in_answer,
    "after truncated": after_truncated,
    "never answered": never_answered,
    "after never answered": after_never_answered,
    "after 500": after(500, b"told to"),
    "after too long": lengthened(20),
    "after too short": lengthened(-5),
}
