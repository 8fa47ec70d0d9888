"""Who is told of the end: webhooks, and mails through a real SMTP server."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy

import pytest
import trustme
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult

from orchestrator.transcoder.callbacks import sender
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import Smtp
from tests.storage.servers import KEY as USER
from tests.storage.servers import SECRET as PASSWORD
from tests.storage.servers import ftp_server
from tests.transcoder.edge.conftest import Plain, an_order


class Post:
    """Keeps the mails that arrive; ``refuse`` as many first."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str, str]] = []
        self.refuse = 0
        self.arrived = asyncio.Event()

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the library's name
        if self.refuse:
            self.refuse -= 1
            return "451 come back later"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append((envelope.rcpt_tos, mail["Subject"], mail.get_content()))
        self.arrived.set()
        return "250 OK"


@asynccontextmanager
async def listening(post: Post, **options: object) -> AsyncIterator[str]:
    """A real SMTP server on loopback; the answer is its ``host:port``."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(post, loop=loop, **options), "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


class Hook:
    """Keeps what is posted; ``answers`` are the statuses of the next answers."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.heard: list[dict] = []
        self.arrived = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        if self.answers:
            return web.Response(status=self.answers.pop(0))
        assert request.content_type == "application/json"
        self.heard.append({**await request.json(), "query": dict(request.query)})
        self.arrived.set()
        return web.Response()


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(sender, "_PAUSES", (0.01, 0.01, 0.01))


@pytest.fixture
def origin(tmp_path) -> Iterator[str]:
    root = tmp_path / "ftp"
    root.mkdir()
    (root / "film.mp4").write_bytes(b"film")
    with ftp_server(root) as port:
        yield f"ftp://{USER}:{PASSWORD}@127.0.0.1:{port}"


async def placed(service: Transcoder, http, origin: str, *notes: dict) -> tuple[Plain, str]:
    plain = Plain(service.url, http)
    await plain.login()
    order = an_order(
        await plain.profile(),
        origin=f"{origin}/film.mp4",
        destinations=[f"{origin}/out"],
        notifications=list(notes),
    )
    told = await plain.place(order)
    assert told["http"] == 201, told
    return plain, told["order_id"]


async def test_a_webhook_is_called_until_it_answers(service, http, origin):
    hook = Hook()
    hook.answers = [500, 302]
    app = web.Application()
    app.router.add_post("/{path:.*}", hook.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/notify/s3cret?task_token=abc"
        plain, id_ = await placed(service, http, origin, {"call": url})
        async with asyncio.timeout(20):
            await hook.arrived.wait()
    finally:
        await runner.cleanup()
    (heard,) = hook.heard
    assert heard["query"] == {"task_token": "abc"}
    assert (heard["order_id"], heard["status"]) == (id_, "FINISHED")
    assert heard["transcodingjob_set"][0]["progress"] == 100.0
    assert PASSWORD not in json.dumps(heard)
    told = json.dumps(await plain.order(id_))
    assert "HTTP 500" in told
    assert "s3cret" not in told


async def test_private_addresses_are_not_called_where_that_is_forbidden(
    edge_settings, encoder, http
):
    encoder.error = MediaError("broken")
    async with Transcoder(edge_settings(allow_private_sources=False), encoder) as service:
        plain, id_ = await placed(
            service, http, "ftp://127.0.0.1:9", {"call": "http://127.0.0.1:9/x"}
        )
        async with asyncio.timeout(20):
            while "Error sending" not in (await plain.order(id_))["comment"]:
                pass
        assert "private or local" in (await plain.order(id_))["comment"]


async def test_mails_arrive_and_are_sent_again_where_the_server_is_busy(
    edge_settings, encoder, http, origin
):
    post = Post()
    post.refuse = 1
    async with listening(post) as address:
        smtp = Smtp(server=address, sender="transcoder@example.com")
        async with Transcoder(edge_settings(smtp=smtp), encoder) as service:
            notes = ({"email": "ops@example.com"}, {"email": "ops@example.com"})
            plain, id_ = await placed(service, http, origin, *notes)
            async with asyncio.timeout(20):
                await post.arrived.wait()
            assert "451" in (await plain.order(id_))["comment"]
    ((to, subject, text),) = post.mails
    assert to == ["ops@example.com"]
    assert subject == f"Transcoding order {id_}: FINISHED"
    assert "watermark.mp4 (iphone)" in text
    assert PASSWORD not in text


async def test_mails_go_over_tls_with_a_login(
    edge_settings, encoder, http, origin, monkeypatch, tmp_path
):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def login(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"mailer", b"pass-of-mail"))

    post, encoder.error = Post(), MediaError("the source holds no video")
    options = {"require_starttls": True, "auth_required": True, "authenticator": login}
    async with listening(post, tls_context=context, **options) as address:
        told = {"sender": "t@example.com", "starttls": True, "user": "mailer"}
        smtp = Smtp(server=address, password="pass-of-mail", **told)
        assert "pass-of-mail" not in repr(smtp)
        async with Transcoder(edge_settings(smtp=smtp), encoder) as service:
            await placed(service, http, origin, {"email": "ops@example.com"})
            async with asyncio.timeout(20):
                await post.arrived.wait()
    ((_, subject, text),) = post.mails
    assert subject.endswith("ERROR")
    assert "the source holds no video" in text


async def test_without_a_mail_server_the_order_says_so(service, http, origin):
    plain, id_ = await placed(service, http, origin, {"email": "ops@example.com"})
    done = await plain.until(id_, "FINISHED")
    assert done["comment"].endswith(
        "no mail can be sent: this service has no SMTP server configured"
    )
