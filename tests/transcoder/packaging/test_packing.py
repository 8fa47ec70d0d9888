"""What can't be packaged is refused with a word on why; names stay names."""

import pytest

from orchestrator.transcoder.packaging import (
    Aes128,
    Caption,
    Cenc,
    FairPlay,
    Packing,
    Track,
    from_hex,
)
from orchestrator.transcoder.ports import MediaError

KEY = bytes(16)
AES, FPS = Aes128(KEY, KEY, "https://keys.test/1"), FairPlay(KEY, KEY, "skd://fps.test/1")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hls": None}, "HLS or a DASH"),
        ({"dash": "a.mpd"}, "not TS"),
        ({"container": "webm"}, "WebM"),
        ({"segment_duration": 0}, "segment_duration"),
        ({"dash": "a.mpd", "container": "mp4", "protection": AES}, "encryption .*cenc_drm"),
        ({"dash": "a.mpd", "container": "mp4", "protection": FPS}, "fps_drm .*cenc_drm"),
        ({"hls": "../a.m3u8"}, "playlist_name"),
        ({"hls": ".hidden"}, "playlist_name"),
        ({"hls": "a" * 300}, "playlist_name"),
    ],
)
def test_refusals(fields: dict[str, object], said: str) -> None:
    with pytest.raises(MediaError, match=said):
        Packing(**fields)


@pytest.mark.attribute("format[].stream[].chunklist_name")
@pytest.mark.parametrize(
    "name", ["", "a/b", "..", "a\nb", 'a"b', "a$Number$b", "a,b", "c:d", "x%41"]
)
def test_names_that_are_none(name: str, tmp_path: object) -> None:
    with pytest.raises(MediaError, match="chunklist_name"):
        Track(tmp_path, "video", 1, chunklist_name=name)


@pytest.mark.parametrize("url", ["", "no scheme", 'https://a/"b', "https://a/\nb", "http://[::1"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(MediaError, match=r"encryption\.key_url"):
        Aes128(KEY, KEY, url)


def test_lengths_are_checked_without_telling_the_value() -> None:
    secret = bytes.fromhex("deadbeef")
    for make in (
        lambda: Aes128(secret, KEY, "https://k.test/"),
        lambda: Aes128(KEY, secret, "https://k.test/"),
        lambda: FairPlay(secret, KEY, "skd://k"),
        lambda: Cenc(secret, KEY, b"x"),
        lambda: Cenc(KEY, secret, b"x"),
        lambda: Cenc(KEY, KEY, b"x", iv=secret),
        lambda: Cenc(KEY, KEY, b""),
        lambda: from_hex("deadbeefx", "encryption.key"),
    ):
        with pytest.raises(MediaError) as caught:
            make()
        assert "deadbeef" not in str(caught.value)


def test_hexadecimal_digits() -> None:
    """Key ids come as UUIDs, too."""
    assert from_hex("00112233-4455-6677-8899-aabbccddeeff", "key_id").hex().startswith("001122")
    assert from_hex("0xFF", "iv") == b"\xff"


@pytest.mark.parametrize("channel", ["CC5", "SERVICE0", "SERVICE64", "cc1", ""])
def test_caption_channels(channel: str) -> None:
    with pytest.raises(MediaError, match="CC1 to CC4"):
        Caption(channel)
