"""The jobs that make HLS and DASH: one run of each on a short film, decoded to its end."""

import asyncio
import base64
import os
import subprocess
from pathlib import Path

import m3u8
import pytest
from lxml import etree

from tests.jobs.conftest import files_in
from tests.transcoder.packaging.media import decoded_frames, sound_seconds

#: Of the rungs that the jobs name, those that a film of 640x360 can fill.
RUNGS = {(640, 360), (426, 240)}

_MPD = {"d": "urn:mpeg:dash:schema:mpd:2011", "cenc": "urn:mpeg:cenc:2013"}


def ladder(made: Path, name: str) -> Path:
    """The only folder of a film's outputs that has a master playlist called so."""
    return min(made.rglob(name), key=lambda path: len(path.parts))


def check_hls(master: Path) -> m3u8.M3U8:
    """Its picture and its sound are whole, and it names each rung."""
    assert sound_seconds(master) == pytest.approx(2.0, abs=0.1)
    listed = m3u8.load(str(master))
    # Of a master playlist ffmpeg reads the other rungs too, and stumbles over what it skips.
    assert [decoded_frames(master.parent / each.uri) for each in listed.playlists] == [50, 50]
    assert {each.stream_info.resolution for each in listed.playlists} == RUNGS
    return listed


def check_dash(master: Path, *options: str) -> etree._Element:
    """The same for a manifest of DASH."""
    assert decoded_frames(master, *options) == 50
    assert sound_seconds(master, *options) == pytest.approx(2.0, abs=0.1)
    root = etree.parse(master).getroot()
    found = root.iterfind(".//d:Representation[@width]", _MPD)
    assert {(int(each.get("width")), int(each.get("height"))) for each in found} == RUNGS
    return root


@pytest.mark.slow
async def test_hls_has_its_rungs_the_sound_once_and_playlists_of_keyframes(library, films):
    made = await library.made("hls", films)
    listed = check_hls(ladder(made, "playlist.m3u8"))
    assert [each.type for each in listed.media] == ["AUDIO"]
    keyframes = [each.iframe_stream_info.resolution for each in listed.iframe_playlists]
    assert set(keyframes) == RUNGS


@pytest.mark.slow
async def test_dash_has_its_rungs(library, films):
    made = await library.made("dash", films)
    check_dash(ladder(made, "playlist.mpd"))


@pytest.mark.slow
async def test_cmaf_has_two_manifests_of_the_same_segments(library, films):
    made = await library.made("cmaf", films)
    folder = ladder(made, "playlist.mpd").parent
    check_dash(folder / "playlist.mpd")
    check_hls(folder / "playlist.m3u8")
    assert not list(folder.rglob("*.ts"))


@pytest.mark.slow
async def test_aes_opens_with_the_key_from_its_address_alone(library, films, site, monkeypatch):
    key = bytes(range(16))
    monkeypatch.setenv("AES_KEY", key.hex())
    monkeypatch.setenv("AES_IV", bytes(16).hex())
    made = await library.made("aes", films)
    master = ladder(made, "playlist.m3u8")
    with pytest.raises((AssertionError, subprocess.CalledProcessError)):
        await asyncio.to_thread(check_hls, master)  # the key's server is in this loop
    (site / "aes.key").write_bytes(key)
    await asyncio.to_thread(check_hls, master)
    assert key.hex().encode() not in _everything(library.folder)


@pytest.mark.slow
async def test_drm_opens_with_its_key_and_names_the_licence(library, films, monkeypatch):
    key = os.urandom(16)
    monkeypatch.setenv("DRM_KEY", key.hex())
    monkeypatch.setenv("DRM_KEY_ID", "01234567-89ab-cdef-0123-456789abcdef")
    monkeypatch.setenv("DRM_PSSH", base64.b64encode(b"what a provider gives").decode())
    made = await library.made("drm", films)
    root = check_dash(ladder(made, "playlist.mpd"), "-cenc_decryption_key", key.hex())
    kids = {
        each.get(f"{{{_MPD['cenc']}}}default_KID")
        for each in root.iterfind(".//d:ContentProtection[@value='cenc']", _MPD)
    }
    assert kids == {"01234567-89ab-cdef-0123-456789abcdef"}
    assert b"https://example.com/licence" in etree.tostring(root)
    assert key.hex().encode() not in _everything(library.folder)


def _everything(folder: Path) -> bytes:
    """All that is on the disk after a run."""
    return b"\n".join((folder / name).read_bytes() for name in files_in(folder))
