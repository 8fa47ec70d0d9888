"""Every way in which a request can go wrong ends in one of our families."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from email.utils import formatdate
from time import time
from urllib.parse import parse_qsl

import pytest

from orchestrator.model.errors import (
    AccountProblem,
    BadRequest,
    Busy,
    OrchestratorError,
    OutcomeUnknown,
    Transient,
    Unreachable,
)
from orchestrator.services.http import Http
from orchestrator.services.refusals import NotThere, Unauthorized
from tests.services.fault_server import (
    CLOSE,
    HANG,
    RESET,
    RESET_AT_ONCE,
    FaultServer,
    answer,
    fault_server,
)

HTML = answer(b"<html>Bad gateway</html>", Content_Type="text/html")


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with fault_server() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http(timeout=0.3, connect_timeout=0.1, max_body=10_000) as client:
        yield client


async def post(http: Http, url: str, *, idempotent: bool = True) -> OrchestratorError:
    """The error of a POST that must fail."""
    with pytest.raises(OrchestratorError) as failed:
        await http.call("POST", f"{url}/x?key=hidden", idempotent=idempotent, data={"token": "t"})
    assert "hidden" not in str(failed.value)
    return failed.value


async def test_a_form_goes_out_and_json_comes_back(http: Http, server: FaultServer) -> None:
    server.does(answer({"error": 0}))
    form = {"token": "a b", "task": "0af3", "none": "", "query": '{"a":"ü&=+%;"}'}
    assert await http.call("POST", server.url, idempotent=True, data=form) == {"error": 0}
    head, body = server.requests[0]
    assert "application/x-www-form-urlencoded" in head
    assert dict(parse_qsl(body.decode("ascii"), keep_blank_values=True)) == form


async def test_json_goes_out_and_a_list_comes_back(http: Http, server: FaultServer) -> None:
    server.does(answer([1]))
    assert await http.call("POST", server.url, idempotent=True, json={"a": 1}, shape=list) == [1]
    assert server.requests[0][1] == b'{"a":1}'


async def test_one_connection_serves_many_calls(http: Http, server: FaultServer) -> None:
    server.does(*[answer({})] * 5)
    for _ in range(5):
        await http.call("POST", server.url, idempotent=True)
    assert server.connections == 1


LOST = [
    RESET,
    CLOSE,
    HANG,
    RESET_AT_ONCE,
    HTML,
    b"not http at all\r\n\r\n",
    answer(b'{"error": 0', length=100),
    answer([1, 2]),
    answer(b'"text"'),
    answer(b""),
    answer(b"x" * 10_001),
    answer({}, 500),
    answer({"message": "worker died"}, 502),
]


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_is_transient_or_unknown(
    http: Http, server: FaultServer, fault: bytes | str
) -> None:
    assert type(await post(http, server.does(fault).url)) is Transient
    assert type(await post(http, server.does(fault).url, idempotent=False)) is OutcomeUnknown


async def test_a_truncated_answer_says_so(http: Http, server: FaultServer) -> None:
    server.does(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
    assert "broke off" in str(await post(http, server.url))


async def test_nobody_listens(http: Http) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for idempotent in (True, False):
        error = await post(http, f"http://127.0.0.1:{port}", idempotent=idempotent)
        assert type(error) is Unreachable
        assert str(error) == f"connection refused by 127.0.0.1:{port}"


async def test_a_name_that_is_not_known(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    error = await post(http, "http://nowhere.invalid", idempotent=False)
    assert type(error) is Unreachable
    assert "nowhere.invalid can't be resolved" in str(error)


async def test_a_connection_that_is_never_accepted(http: Http) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            error = await post(http, f"http://127.0.0.1:{address[1]}", idempotent=False)
        finally:
            for filler in fillers:
                filler.close()
    assert type(error) is Unreachable
    assert "in time" in str(error)


async def test_what_is_no_address(http: Http) -> None:
    for url in ("ftp://host", "http://", "nonsense"):
        assert type(await post(http, url)) is BadRequest


async def test_a_bad_certificate_stops_the_run(
    http: Http, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = ssl.SSLCertVerificationError(1, "certificate verify failed")
    fault.verify_message = "self-signed certificate"

    async def broken(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", broken)
    error = await post(http, server.url.replace("http:", "https:"))
    assert type(error) is AccountProblem
    assert "self-signed certificate" in str(error)


@pytest.mark.parametrize(
    ("sent", "delay"),
    [
        (answer({}, 429), None),
        (answer({}, 503, Retry_After="7"), 7),
        (answer({"retry_after": 12}, 429), 12),
        (answer({"retry_after": "2.5"}, 429, Retry_After="7"), 2.5),
        (answer({"message": "busy, try again in 30 seconds"}, 503), 30),
        (answer(b"come back in 2 minutes", 429), 120),
        (answer({}, 429, Retry_After="soon"), None),
        (answer({"retry_after": -5}, 429), 0),
        (answer({"retry_after": True}, 429), None),
        (answer({"retry_after": 1e9}, 429), 86400),
    ],
)
async def test_busy_carries_the_delay(
    http: Http, server: FaultServer, sent: bytes, delay: float | None
) -> None:
    error = await post(http, server.does(sent).url, idempotent=False)
    assert isinstance(error, Busy)
    assert error.delay == delay


async def test_busy_until_a_date(http: Http, server: FaultServer) -> None:
    until = formatdate(time() + 100, usegmt=True)
    error = await post(http, server.does(answer({}, 503, Retry_After=until)).url)
    assert isinstance(error, Busy)
    assert error.delay is not None
    assert 90 < error.delay <= 100


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (401, Unauthorized),
        (403, AccountProblem),
        (301, AccountProblem),
        (400, BadRequest),
        (404, NotThere),
        (422, BadRequest),
        (408, Transient),
        (504, OutcomeUnknown),
    ],
)
async def test_statuses(
    http: Http, server: FaultServer, status: int, family: type[OrchestratorError]
) -> None:
    server.does(answer({"message": "because"}, status, Location="http://127.0.0.1:1/else"))
    error = await post(http, server.url, idempotent=False)
    assert type(error) is family
    assert f"/x answered {status}: because" in str(error)
    assert len(server.requests) == 1


async def test_what_the_server_echoes_is_scrubbed(http: Http, server: FaultServer) -> None:
    http.secrets.add("s3cr3t-key")
    server.does(answer({"message": "no key s3cr3t-key for s3://AKIA:sec/ret@bucket/x"}, 400))
    message = str(await post(http, server.url))
    assert "s3cr3t" not in message
    assert "sec/ret" not in message
    assert "bucket/x" in message


async def test_a_cancelled_call_leaves_nothing(http: Http, server: FaultServer) -> None:
    server.does(HANG)
    call = asyncio.create_task(http.call("POST", server.url, idempotent=True))
    await server.asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    server.does(answer({"error": 0}))
    assert await http.call("POST", server.url, idempotent=True) == {"error": 0}


async def test_it_must_be_entered() -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        await Http().call("GET", "http://127.0.0.1", idempotent=True)
