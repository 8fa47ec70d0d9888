"""Callbacks of a service, from whoever sends them."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.model.errors import BadInput
from orchestrator.services.callbacks import LONGEST, CallbackReceiver

PUBLIC = "https://encode.example/hooks"
TASK = "e2079274fc1c4d12af5cf14affc9ba4e"


class Hooked:
    """A receiver, what it was told of, and a client that speaks to it past the proxy."""

    def __init__(self, receiver: CallbackReceiver, session: aiohttp.ClientSession) -> None:
        self.receiver = receiver
        self.session = session
        self.hints: list[str] = []
        self.path = receiver.url.removeprefix("https://encode.example")

    async def send(
        self, body: bytes | str | io.BytesIO, path: str | None = None, method: str = "POST"
    ) -> tuple[int, bytes]:
        url = f"http://127.0.0.1:{self.receiver.port}{self.path if path is None else path}"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with self.session.request(method, url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()


@pytest.fixture
async def hooked() -> AsyncIterator[Hooked]:
    hints: list[str] = []
    async with (
        CallbackReceiver("127.0.0.1:0", PUBLIC, hints.append) as receiver,
        aiohttp.ClientSession() as session,
    ):
        one = Hooked(receiver, session)
        one.hints = hints
        yield one


def callback(event: str = "saved", task: str = TASK, **fields: str) -> str:
    status = json.dumps({"status": "completed", "percent": 100, "error": 0, "videos": []})
    payload = '{"fileName": "bbb_30s.mp4"}'
    return urlencode(
        {
            "status": status,
            "callback_type": "task",
            "task_token": task,
            "event": event,
            "payload": payload,
            **fields,
        }
    )


@pytest.mark.parametrize("event", ["saved", "error", "restarted", "restart_failed", "unheard of"])
async def test_an_event_asks_for_a_look(hooked: Hooked, event: str) -> None:
    assert await hooked.send(callback(event)) == (200, b"")
    assert hooked.hints == [TASK]


async def test_that_it_was_queued_is_no_news(hooked: Hooked) -> None:
    assert (await hooked.send(callback("queued")))[0] == 200
    assert hooked.hints == []


async def test_a_proxy_may_keep_or_drop_the_path_of_the_public_url(hooked: Hooked) -> None:
    assert (await hooked.send(callback(), "/" + hooked.path.rpartition("/")[2]))[0] == 200
    assert (await hooked.send(callback(), "/behind/it" + hooked.path))[0] == 200
    assert hooked.hints == [TASK, TASK]


async def test_the_url_is_new_for_each_run_and_long_enough() -> None:
    urls = {CallbackReceiver("127.0.0.1:0", PUBLIC, print).url for _ in range(50)}
    assert len(urls) == 50
    assert all(len(url.rpartition("/")[2]) >= 32 for url in urls)


async def test_its_secret_is_in_no_representation(hooked: Hooked) -> None:
    assert hooked.path.rpartition("/")[2] not in repr(hooked.receiver)


@pytest.mark.parametrize("path", ["/", "/hooks", "/hooks/wrong", "/hooks/%C3%A9", "/%00"])
async def test_another_path_is_not_there(hooked: Hooked, path: str) -> None:
    assert await hooked.send(callback(), path) == (404, b"")
    assert hooked.hints == []


async def test_only_post_is_taken(hooked: Hooked) -> None:
    assert await hooked.send(b"", method="GET") == (404, b"")


async def test_a_body_that_is_too_long_is_not_read_to_its_end(hooked: Hooked) -> None:
    status, said = await hooked.send(io.BytesIO(callback(filler="x" * LONGEST).encode()))
    assert (status, said) == (413, b"")
    assert hooked.hints == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"task_token",
        b"task_token=",
        callback(task="../../etc/passwd"),
        callback(task="x" * 1000),
        "&".join(f"a{n}=1" for n in range(1000)),
        '{"task_token": "' + TASK + '"}',
    ],
)
async def test_what_is_no_callback_is_refused_without_a_word(
    hooked: Hooked, body: bytes | str
) -> None:
    assert await hooked.send(body) == (400, b"")
    assert hooked.hints == []


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.one_of(
        st.binary(max_size=2000),
        st.dictionaries(
            st.sampled_from(["task_token", "event", "status", "payload"]) | st.text(max_size=9),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
            max_size=40,
        ).map(lambda fields: urlencode(fields).encode()),
    )
)
def test_no_body_does_harm(body: bytes) -> None:
    hints: list[str] = []
    receiver = CallbackReceiver("127.0.0.1:0", PUBLIC, hints.append)
    taken = receiver._take(body)
    assert len(hints) <= receiver.heard == int(taken)
    assert all(0 < len(task) <= 128 and task.isascii() for task in hints)


async def test_a_body_that_never_ends_holds_nobody_up(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.services.callbacks._PATIENCE", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", hooked.receiver.port)
    head = f"POST {hooked.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n"
    writer.write(head.encode() + b"task_token=")
    assert (await hooked.send(callback()))[0] == 200
    assert b" 408 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_strangers_do_not_fill_the_log(
    hooked: Hooked, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reader, writer = await asyncio.open_connection("127.0.0.1", hooked.receiver.port)
    writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    for _ in range(20):
        await hooked.send(b"forged", "/somewhere")
    ours = [record for record in caplog.records if record.name.startswith(("orch", "aiohttp"))]
    assert ours == []


async def test_an_address_that_is_taken_is_told(hooked: Hooked) -> None:
    taken = f"127.0.0.1:{hooked.receiver.port}"
    with pytest.raises(BadInput, match="callback_listen: can't listen at"):
        async with CallbackReceiver(taken, PUBLIC, print):
            pass


async def test_the_url_itself_may_name_the_task(hooked: Hooked) -> None:
    for method in ("POST", "GET"):
        path = f"{hooked.path}?task_token=0123456789abcdef"
        assert await hooked.send('{"order_id": "1-2"}', path=path, method=method) == (200, b"")
    assert hooked.hints == ["0123456789abcdef"] * 2
    assert (await hooked.send("", path=f"{hooked.path}?task_token="))[0] == 400
    assert (await hooked.send("", path="/guessed?task_token=0123456789abcdef"))[0] == 404
    assert len(hooked.hints) == 2
