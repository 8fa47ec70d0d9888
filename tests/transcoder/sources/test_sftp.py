"""sftp, against a server in this process."""

import pytest

from orchestrator.transcoder.ports import MediaError
from tests.transcoder.sources.file_servers import LOGIN, Breaks, sftp_server
from tests.transcoder.sources.servers import FILM


@pytest.fixture
def root(tmp_path):
    (tmp_path / "files" / "in dir").mkdir(parents=True)
    (tmp_path / "files" / "in dir" / "film.mp4").write_bytes(FILM)
    return tmp_path / "files"


async def failed(sources, folder, url) -> str:
    with pytest.raises(MediaError) as caught:
        await sources.fetch("task", url, folder)
    assert "p@ss" not in str(caught.value)
    return str(caught.value)


async def test_a_file_is_fetched_and_gone_on_with_after_a_break(root, sources, folder):
    breaks = Breaks(times=1, after=2_500_000)
    async with sftp_server(root, breaks) as port:
        path = await sources.fetch(
            "task", f"sftp://{LOGIN}@127.0.0.1:{port}/in%20dir/film.mp4", folder
        )
    assert path.read_bytes() == FILM
    assert breaks.times == 0
    assert breaks.restarts.count(0) == 1  # the second try did not begin at the start


async def test_a_path_may_begin_where_the_login_leads(root, sources, folder):
    async with sftp_server(root, Breaks()) as port:
        url = f"sftp://{LOGIN}@127.0.0.1:{port}/~/in%20dir/film.mp4"
        assert (await sources.fetch("task", url, folder)).read_bytes() == FILM


async def test_what_can_not_be_read_is_said_at_once(root, make, folder):
    async with sftp_server(root, Breaks()) as port:
        at = f"127.0.0.1:{port}"
        wrong = await failed(make(), folder, f"sftp://me%40home:p%40ss@{at}/in%20dir/film.mp4")
        assert "refuses the user name or the password" in wrong
        assert "not there" in await failed(make(), folder, f"sftp://{LOGIN}@{at}/none.mp4")
        assert "can't be downloaded" in await failed(
            make(), folder, f"sftp://{LOGIN}@{at}/in%20dir"
        )
        large = f"sftp://{LOGIN}@{at}/in%20dir/film.mp4"
        assert "more than the 5 bytes" in await failed(make(max_bytes=5), folder, large)


async def test_a_host_key_is_kept_and_no_other_taken(root, make, folder, tmp_path):
    known = tmp_path / "met"
    async with sftp_server(root, Breaks()) as port:
        url = f"sftp://{LOGIN}@127.0.0.1:{port}/in%20dir/film.mp4"
        for _ in range(2):
            path = await make(known_hosts=known).fetch("task", url, folder)
            assert path.read_bytes() == FILM
            path.unlink()
    lines = known.read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"[127.0.0.1]:{port} ssh-ed25519 ")
    for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256"):
        async with sftp_server(root, Breaks(), port=port, key=kind):
            told = await failed(make(known_hosts=known), folder, url)
        assert "its host key is not the one that it showed before" in told
    assert known.read_text().splitlines() == lines
