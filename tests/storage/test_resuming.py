"""Going on with files: servers that know less than others, and what is left behind."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from orchestrator.query import Destination
from orchestrator.storage import Passing, Reach, Resumable, Sending, open_place
from tests.storage.servers import KEY, SECRET, Server, ftp_server

DATA = bytes(range(256)) * 4096 * 20  # 20 MiB: three parts of S3


async def blocks(data: bytes, step: int = 300_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), step):
        yield data[start : start + step]


Wanted = Callable[[dict[str, Any]], Destination]


@pytest.fixture(params=["plain_ftp", "active_ftp", "ftps", "sftp", "old_sftp", "s3"])
def server(request: Any) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


async def test_each_try_goes_on_where_the_last_one_stopped(
    server: Server, wanted: Wanted, reach: Reach
) -> None:
    sending = Sending("in/film.mov", len(DATA))
    async with open_place(wanted(server.at("")), reach) as place:
        assert isinstance(place, Resumable)
        sending = Sending(sending.path, sending.size, handle=await place.begin(sending))
        step = 8 * 2**20
        await place.append(sending, 0, blocks(DATA[:step]))
        assert await place.arrived(sending) == step
        assert "in/film.mov" not in server.names()
        with pytest.raises(Passing, match="not all of the file"):
            await place.finish(sending)
    async with open_place(wanted(server.at("")), reach) as place:  # another process
        assert isinstance(place, Resumable)
        assert await place.arrived(sending) == step
        await place.append(sending, step, blocks(DATA[step:]))
        for _ in range(2):
            await place.finish(sending)
            assert await place.arrived(sending) == len(DATA)
        assert server.names() == ["in/film.mov"]
        assert server.read("in/film.mov") == DATA
        await place.remove(sending)
        assert server.names() == []
        assert await place.arrived(sending) is None


async def test_a_file_of_another_size_is_not_gone_on_with(
    plain_ftp: Server, wanted: Wanted, reach: Reach
) -> None:
    async with open_place(wanted(plain_ftp.at("")), reach) as place:
        assert isinstance(place, Resumable)
        await place.append(Sending("film.mov", 100), 0, blocks(b"x" * 100))
        assert await place.arrived(Sending("film.mov", 50)) is None


async def test_a_server_without_rest_appends(
    tmp_path: Any, wanted: Wanted, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyftpdlib.handlers import FTPHandler

    commands: list[str] = []

    def no_rest(self: Any, line: str) -> None:
        self.respond("502 REST is not for here.")

    def appends(self: Any, path: str, mode: str = "a") -> Any:
        commands.append("APPE")
        return stor(self, path, mode="a")

    stor = FTPHandler.ftp_STOR
    monkeypatch.setattr(FTPHandler, "ftp_REST", no_rest)
    monkeypatch.setattr(FTPHandler, "ftp_APPE", appends)
    with ftp_server(tmp_path) as port:
        there = {"url": f"ftp://127.0.0.1:{port}/"}
        async with open_place(wanted({**there, "key": KEY, "secret": SECRET}), reach) as place:
            assert isinstance(place, Resumable)
            sending = Sending("film.mov", 1000)
            await place.append(sending, 0, blocks(DATA[:600]))
            await place.append(sending, 600, blocks(DATA[600:1000]))
            await place.finish(sending)
    assert commands == ["APPE"]
    assert (tmp_path / "film.mov").read_bytes() == DATA[:1000]


async def test_a_server_that_tells_no_sizes_begins_again(
    plain_ftp: Server, wanted: Wanted, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyftpdlib.handlers import FTPHandler

    monkeypatch.setattr(
        FTPHandler, "ftp_SIZE", lambda self, _: self.respond("502 SIZE is not for here.")
    )
    async with open_place(wanted(plain_ftp.at("")), reach) as place:
        assert isinstance(place, Resumable)
        sending = Sending("film.mov", 1000)
        await place.append(sending, 0, blocks(DATA[:1000]))
        assert await place.arrived(sending) is None
        await place.finish(sending)
        assert plain_ftp.read("film.mov") == DATA[:1000]
        await place.remove(sending)
    assert plain_ftp.names() == []
