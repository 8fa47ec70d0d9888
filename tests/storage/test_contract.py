"""What every storage must do, proven at a real server of its kind."""

import asyncio
import os

import pytest

from orchestrator.storage import NotStored, deliver
from orchestrator.storage.parts import PART
from tests.storage.servers import WRONG, Breaker

#: Azurite is installed by npm when it is first asked for, which takes minutes.
AZURE = pytest.param("azblob", marks=pytest.mark.slow)
REMOTE = ["s3", AZURE, "plain_ftp", "active_ftp", "ftps", "ftp_tls_active", "sftp", "old_sftp"]
FIELD = "query.format[1].destination"

pytestmark = pytest.mark.attribute(
    "format[].destination",
    "format[].destination.url",
    "format[].destination.key",
    "format[].destination.secret",
)


@pytest.fixture(params=[*REMOTE, "local"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=REMOTE)
def remote(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film"
    path.write_bytes(os.urandom(300_000))
    return path


@pytest.fixture
def package(tmp_path):
    made = tmp_path / "package"
    for name in ("main.m3u8", "low/index.m3u8", "low/1.ts", "low/2.ts", "ü ä+&%.ts"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(name.encode())
    return made


async def test_a_file_arrives_whole(server, wanted, reach, film):
    stored = await deliver(film, None, wanted(server.at("a b/film.mp4")), FIELD, reach)
    assert server.read("a b/film.mp4") == film.read_bytes()
    assert server.names() == ["a b/film.mp4"]
    assert stored["url"] == server.url + "a b/film.mp4"
    assert stored["storage"]["format"] == "mp4"


async def test_again_is_the_same(server, wanted, reach, film):
    await deliver(film, None, wanted(server.at("film.mp4")), FIELD, reach)
    film.unlink()  # the first may share its bytes
    film.write_bytes(b"shorter")
    await deliver(film, None, wanted(server.at("film.mp4")), FIELD, reach)
    assert server.read("film.mp4") == b"shorter"
    assert server.names() == ["film.mp4"]


async def test_an_empty_file_is_a_file(server, wanted, reach, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    await deliver(tmp_path / "empty", None, wanted(server.at("empty.txt")), FIELD, reach)
    assert server.names() == ["empty.txt"]
    assert server.read("empty.txt") == b""


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_folder_arrives(server, wanted, reach, package, slash):
    stored = await deliver(package, "main.m3u8", wanted(server.at(f"x/hls{slash}")), FIELD, reach)
    assert {name: server.read(name) for name in server.names()} == {
        f"x/hls/{name}": name.encode()
        for name in ("main.m3u8", "low/index.m3u8", "low/1.ts", "low/2.ts", "ü ä+&%.ts")
    }
    assert stored["url"] == f"{server.url}x/hls/main.m3u8"


async def test_progress_reaches_the_whole(server, wanted, reach, package):
    told = []
    sent = deliver(
        package, "main.m3u8", wanted(server.at("p")), FIELD, reach, lambda *news: told.append(news)
    )
    await sent
    total = sum(path.stat().st_size for path in package.rglob("*") if path.is_file())
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


async def test_broken_connections_are_made_again(remote, wanted, reach, film):
    breaker = Breaker(remote.port, 2)
    async with breaker as port:
        sent = remote.at("film.mp4")
        sent["url"] = sent["url"].replace(f":{remote.port}/", f":{port}/")
        if "tcp_port" in sent:
            sent["tcp_port"] = port
        await deliver(film, None, wanted(sent), FIELD, reach)
        assert breaker.broken == 2
    assert remote.read("film.mp4") == film.read_bytes()


async def test_a_server_that_is_not_there(remote, wanted, reach, film, unused_tcp_port):
    sent = remote.at("film.mp4")
    sent["url"] = sent["url"].replace(f":{remote.port}/", f":{unused_tcp_port}/")
    if "tcp_port" in sent:
        sent["tcp_port"] = unused_tcp_port
    with pytest.raises(NotStored, match="connection failed") as caught:
        await deliver(film, None, wanted(sent), FIELD, reach)
    scheme = remote.url.partition(":")[0]
    assert str(caught.value).startswith(f"{FIELD}: can't store on {scheme}://127.0.0.1")
    assert "film" not in str(caught.value)


async def test_wrong_secrets_are_told_and_not_shown(remote, wanted, reach, film, request):
    if remote.url.startswith("s3"):
        pytest.skip("moto looks at no signatures: test_s3 compares them with botocore's")
    with pytest.raises(NotStored, match="it refuses the key or the secret") as caught:
        await deliver(film, None, wanted(remote.at("film.mp4", secret=WRONG)), FIELD, reach)
    text = repr(caught.value) + repr(caught.value.__cause__)
    assert WRONG not in text
    assert remote.key not in text
    assert remote.names() == []


async def test_cancelled_leaves_nothing(remote, wanted, reach, tmp_path):
    film = tmp_path / "long"
    film.write_bytes(bytes(PART + 1))
    begun = asyncio.Event()
    sending = asyncio.create_task(
        deliver(film, None, wanted(remote.at("film.mp4")), FIELD, reach, lambda *_: begun.set())
    )
    await asyncio.wait([sending, asyncio.create_task(begun.wait())], return_when="FIRST_COMPLETED")
    assert sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert remote.names() == []
