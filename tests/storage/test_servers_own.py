"""What is one scheme's own: Azure's headers, FTP's TLS and folders, SSH host keys."""

import os
import ssl
from dataclasses import replace

import pytest

from orchestrator.storage import NotStored, deliver
from orchestrator.storage.parts import PART
from tests.storage.servers import KEY, SECRET, folder, sftp_server

FIELD = "query.format[0].destination"


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film"
    path.write_bytes(os.urandom(100_000))
    return path


@pytest.mark.attribute("format[].destination.cache_control")
@pytest.mark.slow
@pytest.mark.parametrize("size", [3, PART + 1])
async def test_azure_has_the_headers(azblob, azure, wanted, reach, tmp_path, size):
    film = tmp_path / "film"
    film.write_bytes(os.urandom(size))
    sent = wanted(azblob.at("film.mp4", cache_control="max-age=60"))
    stored = await deliver(film, None, sent, FIELD, reach)
    found = azure.container.get_blob_client("film.mp4").get_blob_properties().content_settings
    assert (found.content_type, found.cache_control) == ("video/mp4", "max-age=60")
    assert azblob.read("film.mp4") == film.read_bytes()
    assert stored["storage"] == {
        "type": "azblob",
        "bucket": "films",
        "host": f"127.0.0.1:{azblob.port}",
        "key": "film.mp4",
        "format": "mp4",
    }


@pytest.mark.slow
async def test_a_container_that_is_not_there(azblob, wanted, reach, film):
    sent = azblob.at("film.mp4")
    sent["url"] = sent["url"].replace("/films/", "/nowhere/")
    with pytest.raises(NotStored, match="there is no container of that name"):
        await deliver(film, None, wanted(sent), FIELD, reach)


@pytest.mark.attribute(
    "format[].destination.is_passive",
    "format[].destination.use_tls",
    "format[].destination.tcp_port",
)
@pytest.mark.parametrize("passive", [1, 0])
async def test_a_server_that_wants_tls_gets_it_when_it_is_asked_for(
    ftp_tls_active, wanted, reach, film, passive
):
    server = ftp_tls_active
    sent = server.at("film.mp4", is_passive=passive, tcp_port=server.port)
    with pytest.raises(NotStored, match="can't store on ftp://"):
        await deliver(film, None, wanted({**sent, "use_tls": 0}), FIELD, reach)
    await deliver(film, None, wanted(sent), FIELD, reach)
    assert server.read("film.mp4") == film.read_bytes()


async def test_a_certificate_that_nobody_signed_is_refused(ftps, wanted, reach, film):
    strict = replace(reach, tls=ssl.create_default_context())
    with pytest.raises(NotStored, match="its certificate can't be trusted"):
        await deliver(film, None, wanted(ftps.at("film.mp4")), FIELD, strict)
    assert ftps.names() == []


async def test_a_login_that_may_only_read(plain_ftp, wanted, reach, film):
    sent = plain_ftp.at("film.mp4", key="guest")
    with pytest.raises(NotStored, match=r"the key may not write there \(550\)"):
        await deliver(film, None, wanted(sent), FIELD, reach)


async def test_a_folder_in_the_way(sftp, wanted, reach, film, tmp_path):
    (tmp_path / "sftp" / "film.mp4").mkdir()
    with pytest.raises(NotStored, match="can't store on sftp://"):
        await deliver(film, None, wanted(sftp.at("film.mp4")), FIELD, reach)
    assert sftp.names() == []


async def test_a_host_key_is_kept_and_no_other_taken(wanted, reach, film, tmp_path):
    root = tmp_path / "sftp"
    root.mkdir()
    files = folder(root)
    async with await sftp_server(root) as server:
        port = server.get_port()
        sent = wanted({"url": f"sftp://127.0.0.1:{port}/a.mp4", "key": KEY, "secret": SECRET})
        await deliver(film, None, sent, FIELD, reach)
        await deliver(film, None, sent, FIELD, reach)
    known = reach.known_hosts.read_text().splitlines()
    assert len(known) == 1
    assert known[0].startswith(f"[127.0.0.1]:{port} ssh-ed25519 ")
    for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256"):
        (root / "a.mp4").unlink(missing_ok=True)
        async with await sftp_server(root, port=port, key=kind):
            with pytest.raises(NotStored, match="its host key is not the one"):
                await deliver(film, None, sent, FIELD, reach)
        assert files["names"]() == []
    assert reach.known_hosts.read_text().splitlines() == known
