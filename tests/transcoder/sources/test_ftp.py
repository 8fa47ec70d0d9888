"""ftp and ftps, against a server that others wrote, and against hostile ones."""

import asyncio

import pytest
import trustme

from orchestrator.transcoder.ports import MediaError
from tests.transcoder.sources.conftest import QUICK
from tests.transcoder.sources.file_servers import LOGIN, Breaks, ftp_server
from tests.transcoder.sources.servers import FILM

pytest.importorskip("pyftpdlib")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "ftp" / "in dir").mkdir(parents=True)
    (tmp_path / "ftp" / "in dir" / "film#1.mp4").write_bytes(FILM)
    return tmp_path / "ftp"


PATH = "in%20dir/film%231.mp4"


async def failed(sources, folder, url) -> str:
    with pytest.raises(MediaError) as caught:
        await sources.fetch("task", url, folder)
    assert "p@ss" not in str(caught.value)
    return str(caught.value)


async def test_a_file_is_fetched_and_gone_on_with_after_a_break(root, sources, folder):
    breaks = Breaks(times=1, after=1_000_000)
    with ftp_server(root, breaks) as port:
        path = await sources.fetch("task", f"ftp://{LOGIN}@127.0.0.1:{port}/{PATH}", folder)
    assert path.read_bytes() == FILM
    assert len(breaks.restarts) == 1
    assert 0 < breaks.restarts[0] < len(FILM)


async def test_a_file_is_fetched_over_tls(root, sources, folder, tmp_path, monkeypatch):
    authority = trustme.CA()
    pem = authority.issue_cert("localhost").private_key_and_cert_chain_pem
    pem.write_to_path(tmp_path / "server.pem")
    with ftp_server(root, Breaks(), certificate=tmp_path / "server.pem") as port:
        url = f"ftps://{LOGIN}@localhost:{port}/{PATH}"
        assert "no secure connection" in await failed(sources, folder, url)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        path = await sources.fetch("task", url, folder)
        assert path.read_bytes() == FILM
        plain = url.replace("ftps", "ftp")
        assert "FTP 5" in await failed(sources, folder, plain)  # the server insists on TLS


async def test_a_wrong_password_and_a_missing_file_end_at_once(root, sources, folder):
    with ftp_server(root, Breaks(), auth_failed_timeout=0) as port:
        wrong = await failed(sources, folder, f"ftp://me%40home:p%40ss@127.0.0.1:{port}/{PATH}")
        assert "refuses the user name or the password" in wrong
        missing = await failed(sources, folder, f"ftp://{LOGIN}@127.0.0.1:{port}/none.mp4")
        assert "not there" in missing
        nobody = await failed(sources, folder, f"ftp://127.0.0.1:{port}/{PATH}")
        assert "refuses the user name" in nobody


async def test_what_is_too_large_is_not_fetched(root, make, folder):
    with ftp_server(root, Breaks()) as port:
        url = f"ftp://{LOGIN}@127.0.0.1:{port}/{PATH}"
        why = await failed(make(max_bytes=len(FILM) - 1), folder, url)
        assert "3999999 bytes" in why
    assert (folder / "source").stat().st_size == 0


async def test_a_command_can_not_be_put_into_a_path(sources, folder):
    url = f"ftp://{LOGIN}@127.0.0.1/a%0d%0aDELE%20b"
    assert "holds a control character" in await failed(sources, folder, url)


class Scripted:
    """An FTP server that answers what it is told to; ``seen`` is what it was asked."""

    def __init__(self, **answers: str) -> None:
        self.answers = {"USER": "331 x", "PASS": "230 x", "TYPE": "200 x", **answers}
        self.seen: list[str] = []

    async def __call__(self, reader, writer):
        try:
            writer.write(self.answers.get("hello", "220 x").encode() + b"\r\n")
            while line := (await reader.readline()).decode().strip():
                self.seen.append(line)
                answer = self.answers.get(line.split()[0], "502 no")
                writer.write(answer.encode() + b"\r\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def test_a_passive_answer_that_names_another_host_leads_nowhere_else(make, folder):
    reached = []

    async def inside(reader, writer):
        reached.append(writer.get_extra_info("sockname"))
        writer.close()

    victim = await asyncio.start_server(inside, "127.0.0.3", 0)
    high, low = divmod(victim.sockets[0].getsockname()[1], 256)
    script = Scripted(PASV=f"227 (127,0,0,3,{high},{low})", SIZE="213 9", MDTM="213 1")
    server = await asyncio.start_server(script, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"ftp://{LOGIN}@127.0.0.1:{port}/film.mp4"
    assert "no connection" in await failed(make(type(QUICK)(tries=1)), folder, url)
    assert "PASV" in script.seen
    assert reached == []
    for each in (victim, server):
        each.close()
        await each.wait_closed()


@pytest.mark.parametrize(
    "hello",
    ["220-" + "\r\n220-".join("x" * 5000), "HTTP/1.1 400 Bad\r\n" * 3000, "220 " + "x" * 10**6],
)
async def test_a_server_that_talks_without_end_is_given_up(make, folder, hello):
    server = await asyncio.start_server(Scripted(hello=hello), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    why = await failed(make(), folder, f"ftp://127.0.0.1:{port}/film.mp4")
    assert "does not answer as an FTP server" in why
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(("code", "why"), [("421", "FTP 421"), ("450", "FTP 450")])
async def test_what_may_pass_is_tried_again(make, folder, code, why):
    script = Scripted(EPSV=f"{code} later")
    server = await asyncio.start_server(script, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert why in await failed(make(), folder, f"ftp://127.0.0.1:{port}/film.mp4")
    assert script.seen.count("EPSV") == QUICK.tries
    server.close()
    await server.wait_closed()
