"""http(s): what servers do to a download, and what it makes of that."""

import asyncio
import gzip
import socket
import ssl

import pytest
import trustme
from aiohttp import web

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.sources import addresses
from tests.transcoder.sources.conftest import QUICK
from tests.transcoder.sources.servers import FILM, send, serving


async def failed(sources, folder, url) -> str:
    with pytest.raises(MediaError) as caught:
        await sources.fetch("task", url, folder)
    assert "secret" not in str(caught.value)
    return str(caught.value)


# --- going on after a break --------------------------------------------------


class Breaking:
    """A server that hangs up after ``piece`` bytes of each answer."""

    def __init__(self, piece: int, version: str = '"one"', *, ranges: bool = True) -> None:
        self.piece, self.version, self.ranges = piece, version, ranges
        self.asked: list[str | None] = []
        self.film = FILM

    async def __call__(self, request):
        self.asked.append(request.headers.get("Range"))
        start, status, headers = 0, 200, {}
        same = request.headers.get("If-Range") == self.version
        if self.ranges and same and (wanted := request.headers.get("Range")):
            start, status = int(wanted[6:-1]), 206
            headers["Content_Range"] = f"bytes {start}-{len(self.film) - 1}/{len(self.film)}"
        rest = self.film[start:]
        headers |= {"Content_Length": str(len(rest)), "ETag": self.version}
        return await send(request, rest[: self.piece], status=status, **headers)


async def test_a_broken_download_goes_on_where_it_stopped(sources, folder):
    server = Breaking(1_500_000)
    async with serving(server) as address:
        path = await sources.fetch("task", f"http://{address}/film.mp4", folder)
    assert path.read_bytes() == FILM
    assert server.asked[0] is None
    starts = [int(each[6:-1]) for each in server.asked[1:]]
    assert 0 < starts[0] <= 1_500_000
    assert starts == sorted(starts)
    assert starts[-1] > 2_500_000


async def test_a_file_that_changed_meanwhile_is_begun_again(sources, folder):
    server = Breaking(2_500_000)
    other = bytes(reversed(FILM[:2_000_000]))

    async def changing(request):
        if server.asked:
            server.film, server.version = other, '"two"'
        return await server(request)

    async with serving(changing) as address:
        path = await sources.fetch("task", f"http://{address}/film.mp4", folder)
    assert path.read_bytes() == other
    assert len(server.asked) == 2
    assert server.asked[1] is not None


@pytest.mark.parametrize(
    "server", [Breaking(1_500_000, ranges=False), Breaking(1_500_000, 'W/"x"')]
)
async def test_without_ranges_or_a_version_tries_end(sources, folder, server):
    async with serving(server) as address:
        why = await failed(sources, folder, f"http://{address}/film.mp4?secret")
    assert why == "the source can't be downloaded: the connection broke before the end"
    assert QUICK.tries <= len(server.asked) <= 20  # it bounds those that get no further


async def test_a_wrong_part_is_never_put_behind_the_first(sources, folder):
    asked = []

    async def wrong(request):
        asked.append(request.headers.get("Range"))
        if len(asked) == 2:
            return await send(request, b"x", status=206, Content_Range="bytes 7-8/4000000")
        body = FILM[:2_000_000] if len(asked) == 1 else FILM
        return await send(request, body, Content_Length=str(len(FILM)), ETag='"a"')

    async with serving(wrong) as address:
        path = await sources.fetch("task", f"http://{address}/film.mp4", folder)
    assert path.read_bytes() == FILM
    assert asked[1].startswith("bytes=")
    assert (asked[0], asked[2:]) == (None, [None])


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_tried_again(sources, folder, status):
    asked = []

    async def busy(request):
        asked.append(request)
        if len(asked) < 3:
            return web.Response(status=status, headers={"Retry-After": "0.01"})
        return web.Response(body=FILM)

    async with serving(busy) as address:
        path = await sources.fetch("task", f"http://{address}/film.mp4", folder)
    assert path.read_bytes() == FILM


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416, 501])
async def test_what_will_not_pass_ends_at_once(sources, folder, status):
    asked = []

    async def no(request):
        asked.append(request)
        return web.Response(status=status)

    async with serving(no) as address:
        assert f"HTTP {status}" in await failed(sources, folder, f"http://{address}/a?secret")
    assert len(asked) == 1


# --- what servers send -------------------------------------------------------


async def test_a_body_that_is_compressed_unasked_is_refused(sources, folder):
    bomb = gzip.compress(bytes(10_000_000))
    asked = []

    async def compressed(request):
        asked.append(request.headers["Accept-Encoding"])
        return await send(request, bomb, Content_Encoding="gzip", Content_Length=str(len(bomb)))

    async with serving(compressed) as address:
        assert "compresses it" in await failed(sources, folder, f"http://{address}/bomb.mp4")
    assert asked == ["identity"]
    assert (folder / "source").stat().st_size == 0


async def endless(request):
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(bytes(65536))


async def test_a_body_without_end_stops_at_the_size_that_is_taken(make, folder):
    async with serving(endless) as address:
        url = f"http://{address}/live.mp4"
        assert "more than the 1000000 bytes" in await failed(make(max_bytes=10**6), folder, url)
    assert (folder / "source").stat().st_size <= 10**6


async def test_a_body_without_end_stops_when_the_disk_is_full(make, folder, monkeypatch):
    def free(path):
        return 10**6 - (folder / "source").stat().st_size

    monkeypatch.setattr("orchestrator.transcoder.sources.landing.free_bytes", free)
    async with serving(endless) as address:
        url = f"http://{address}/live.mp4"
        assert "disk is full" in await failed(make(reserve=10**5), folder, url)


async def trickle(request):
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b".")
        await asyncio.sleep(0.02)


async def test_a_body_that_trickles_for_ever_is_cut_off(make, folder):
    limits = type(QUICK)(total=0.3, stall=5, connect=5, tries=3, pause=0.001)
    async with serving(trickle) as address:
        url = f"http://{address}/slow.mp4"
        assert "took longer than 0.3 seconds" in await failed(make(limits), folder, url)


async def test_a_server_that_says_nothing_is_given_up(make, folder):
    limits = type(QUICK)(total=10, stall=0.1, connect=5, tries=2, pause=0.001)
    gate = asyncio.Event()

    async def silent(request):
        await gate.wait()

    async with serving(silent) as address:
        assert "timed out" in await failed(make(limits), folder, f"http://{address}/a?secret")
        gate.set()


async def test_more_than_was_announced_never_arrives(sources, folder):
    async def more(request):
        return await send(request, FILM, Content_Length="100")

    async with serving(more) as address:
        path = await sources.fetch("task", f"http://{address}/film.mp4", folder)
    assert path.read_bytes() == FILM[:100]


async def test_a_server_that_is_no_web_server(sources, folder):
    async def talk(reader, writer):
        await reader.readline()
        writer.write(b"SSH-2.0-secret\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    why = await failed(sources, folder, f"http://127.0.0.1:{port}/film.mp4")
    assert "does not answer as a web server" in why
    server.close()
    await server.wait_closed()


async def test_nobody_listens(make, folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        why = await failed(make(), folder, f"http://127.0.0.1:{port}/film.mp4?secret")
    assert "no connection to its server" in why
    assert "127.0.0.1" not in why


# --- where redirects lead ----------------------------------------------------


@pytest.mark.parametrize(
    "to",
    ["http://127.0.0.1:{port}/in", "http://[::1]/", "http://2130706433:{port}/in", "//localhost/"],
)
async def test_a_redirect_into_the_network_is_not_followed(make, folder, monkeypatch, to):
    """Only the first address counts as public here, as an address out there would."""
    reached = []

    async def moving(request):
        reached.append(request.path)
        port = request.transport.get_extra_info("sockname")[1]
        raise web.HTTPFound(to.format(port=port))

    real = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda ip: ip == "127.0.0.2" or real(ip))
    async with serving(moving) as address:
        forward = await asyncio.start_server(_forward(address), "127.0.0.2", 0)
        port = forward.sockets[0].getsockname()[1]
        url = f"http://127.0.0.2:{port}/out?secret"
        assert "private or local" in await failed(make(allow_private=False), folder, url)
        forward.close()
        await forward.wait_closed()
    assert reached == ["/out"]


def _forward(address):
    """A pipe to a server that listens elsewhere."""
    host, _, port = address.rpartition(":")

    async def pipe(reader, writer):
        there, back = await asyncio.open_connection(host, int(port))
        back.write(await reader.readuntil(b"\r\n\r\n"))
        writer.write(await there.readuntil(b"\r\n\r\n"))
        await writer.drain()
        writer.close()
        back.close()

    return pipe


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://h/"])
async def test_a_redirect_to_another_kind_of_place_is_not_followed(sources, folder, to):
    async def moving(request):
        return web.Response(status=302, headers={"Location": to})

    async with serving(moving) as address:
        why = await failed(sources, folder, f"http://{address}/film.mp4?secret")
    assert "leads to no http(s) address" in why


async def test_a_name_is_resolved_once_and_never_asked_again(make, folder, monkeypatch):
    """A name that is public when it is judged, and private right after."""
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])
    asked, connected = [], []

    async def getaddrinfo(host, port, **_):
        asked.append(host)
        family, kind = socket.AF_INET, socket.SOCK_STREAM
        return [(family, kind, 6, "", (next(answers), port))]

    async def connect(*_, addr_infos, **__):
        connected.extend(each[4][0] for each in addr_infos)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("aiohappyeyeballs.start_connection", connect)
    limits = type(QUICK)(tries=1)
    why = await failed(make(limits, allow_private=False), folder, "http://rebind.example/a?secret")
    assert "no connection" in why
    assert asked == ["rebind.example"]
    assert connected == ["93.184.216.34"]


async def test_credentials_do_not_follow_a_redirect_to_another_server(sources, folder):
    seen = []

    async def there(request):
        seen.append(request.headers.get("Authorization"))
        return web.Response(body=FILM)

    async with serving(there) as other:

        async def here(request):
            seen.append(request.headers.get("Authorization"))
            raise web.HTTPFound(f"http://{other}/film.mp4")

        async with serving(here) as address:
            await sources.fetch("task", f"http://user:pass@{address}/film.mp4", folder)
    assert seen == ["Basic dXNlcjpwYXNz", None]


# --- TLS ---------------------------------------------------------------------


async def test_https_with_a_certificate_that_is_trusted_and_one_that_is_not(
    make, folder, tmp_path, monkeypatch
):
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)

    async def film(request):
        return web.Response(body=FILM)

    async with serving(film, tls=tls) as address:
        why = await failed(make(), folder, f"https://{address}/film.mp4?secret")
        assert "no secure connection" in why
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        path = await make().fetch("task", f"https://{address}/film.mp4", folder)
    assert path.read_bytes() == FILM
