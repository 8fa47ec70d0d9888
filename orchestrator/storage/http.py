"""Requests to object storage: sent whole, answered or told apart why not.

A body is bytes that are held, never a stream: aiohttp may send a request again
by itself, and what it sends then must be all of it.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from orchestrator.storage.guard import Resolver, check_literal
from orchestrator.storage.place import Passing, Reach, Refused

#: Seconds for a connection, and for a request with its body: a part of 8 MiB
#: needs them all at 28 KiB/s.
_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=30)

_BUSY = frozenset((408, 425, 429, 500, 502, 503, 504))
_BUSY_CODES = frozenset(("RequestTimeout", "SlowDown", "InternalError", "OperationAborted"))
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")
_LONGEST_ANSWER = 64 * 1024
_BLOCK = 256 * 1024

#: In S3's, B2's and Azure's words ("Error Responses", "Blob service error codes").
_SECRETS = "it refuses the key or the secret"
_REASONS: Final[Mapping[str, str]] = {
    "InvalidAccessKeyId": _SECRETS,
    "SignatureDoesNotMatch": _SECRETS,
    "AuthenticationFailed": _SECRETS,
    "AuthorizationFailure": _SECRETS,
    "AccessDenied": "the key may not write there",
    "AuthorizationPermissionMismatch": "the key may not write there",
    "NoSuchBucket": "there is no bucket of that name",
    "InvalidBucketName": "no bucket can have that name",
    "ContainerNotFound": "there is no container of that name",
    "InvalidResourceName": "no container can have that name",
    "InvalidStorageClass": "it has no such storage_class",
    "AccessControlListNotSupported": "that bucket takes no permissions: leave them out",
    "RequestTimeTooSkewed": "its clock and this service's are too far apart",
    "EntityTooLarge": "the file is larger than it takes",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a storage said; ``code`` is its own word for a failure."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def code(self) -> str:
        found = _CODE.search(self.text)
        return found[1] if found else self.headers.get("x-ms-error-code", "")[:64]


class _Held(aiohttp.payload.Payload):
    """Bytes that are sent in blocks, from the first one on each time that they are asked for."""

    _value: bytes

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._size = len(data)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        view = memoryview(self._value)
        for start in range(0, len(view), _BLOCK):
            await writer.write(view[start : start + _BLOCK])


@asynccontextmanager
async def session(reach: Reach) -> AsyncIterator[aiohttp.ClientSession]:
    """Connections that are closed at the end."""
    connector = aiohttp.TCPConnector(
        resolver=Resolver(allow_private=reach.allow_private), use_dns_cache=False, ssl=reach.tls
    )
    headers = {"User-Agent": "orchestrator-transcoder"}
    async with aiohttp.ClientSession(
        connector=connector, timeout=_TIMEOUT, headers=headers, cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        yield http


async def send(
    http: aiohttp.ClientSession,
    reach: Reach,
    method: str,
    url: str,
    headers: Mapping[str, str],
    data: bytes = b"",
) -> Answer:
    """The answer, whatever it is. Raises ``Passing`` and ``Refused`` where there is none."""
    target = URL(url, encoded=True)
    check_literal(target.host or "", allow_private=reach.allow_private)
    try:
        async with http.request(
            method,
            target,
            data=_Held(data) if data else None,
            headers=headers,
            allow_redirects=False,
        ) as response:
            text = (await response.content.read(_LONGEST_ANSWER)).decode(errors="replace")
            lowered = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, lowered, text)
    except aiohttp.ClientConnectorCertificateError as error:
        raise Refused("its certificate can't be trusted") from error
    except aiohttp.ClientConnectorSSLError as error:
        raise Refused("it does not speak TLS as this service does") from error
    except TimeoutError as error:
        raise Passing("it timed out") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Passing("the connection failed") from error


def judge(answer: Answer, *good: int) -> Answer:
    """The answer if it is one of the good ones. Raises ``Passing``, ``Refused``."""
    code = answer.code
    if answer.status in good and not (code and "<Error>" in answer.text):
        return answer
    if answer.status in _BUSY or code in _BUSY_CODES:
        raise Passing(f"it answers {_short(answer)}", _retry_after(answer))
    why = _REASONS.get(code) or {401: _SECRETS, 403: "the key may not write there"}.get(
        answer.status, "it answers"
    )
    raise Refused(
        f"{why} ({_short(answer)})" if why != "it answers" else f"it answers {_short(answer)}", code
    )


def _short(answer: Answer) -> str:
    return f"HTTP {answer.status}, {answer.code}" if answer.code else f"HTTP {answer.status}"


def _retry_after(answer: Answer) -> float:
    wish = answer.headers.get("retry-after", "")
    return float(wish) if wish.isdecimal() and len(wish) < 6 else 0.0
