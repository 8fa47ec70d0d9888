"""HLS playlists as others write them, beside a reader that others wrote."""

from contextlib import suppress

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.errors import OutputMissing
from orchestrator.services.streaming.hls import Listed, Master, Media, read_playlist

MASTER = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English, main",URI="audio/en.m3u8",DEFAULT=YES
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="x",URI="text/en.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="CC1",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,AUDIO="a"
low.m3u8?x=1,2
#EXT-X-STREAM-INF:BANDWIDTH=2,RESOLUTION=1280x720
# a comment

high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3,CODECS="mp4a.40.2"
audio/only.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3
unknown.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,URI="low_i.m3u8"
"""

MEDIA = """\ufeff#EXTM3U\r
#EXT-X-TARGETDURATION:4\r
#EXT-X-MAP:URI="init.mp4"\r
#EXT-X-KEY:METHOD=AES-128,URI="https://keys/k",IV=0x01\r
#EXTINF:4.000,a title\r
1.m4s\r
#EXTINF:4,\r
#EXT-X-BYTERANGE:10@0\r
2.m4s\r
#EXTINF:.5,\r
"""


def test_a_master() -> None:
    assert read_playlist(MASTER.encode()) == Master(
        (
            Listed("audio/en.m3u8", "audio"),
            Listed("text/en.m3u8", "subtitle"),
            Listed("low.m3u8?x=1,2", "video", (640, 360)),
            Listed("high.m3u8", "video", (1280, 720)),
            Listed("audio/only.m3u8", "audio"),
            Listed("unknown.m3u8", ""),
            Listed("low_i.m3u8", "i-frames", (640, 360)),
        )
    )


def test_a_media_playlist() -> None:
    text = MEDIA.replace("#EXTINF:.5,\r\n", "#EXTINF:3.25,\n#EXT-X-BYTERANGE:5@10\n2.m4s\n")
    assert read_playlist(text.encode()) == Media(
        ("init.mp4", "1.m4s", "2.m4s"), frozenset({"init.mp4"}), 11.25, protected=True, ended=False
    )
    clear = text.replace("METHOD=AES-128", "METHOD=NONE") + "#EXT-X-ENDLIST\n"
    found = read_playlist(clear.encode())
    assert isinstance(found, Media)
    assert (found.protected, found.ended) == (False, True)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "#EXTM3U is missing"),
        (b"<html>", "#EXTM3U is missing"),
        (b"#EXTM3U\n\xff", "not text"),
        (b"#EXTM3U\n", "names no segment"),
        (b'#EXTM3U\n#EXT-X-MAP:URI="i"\n', "names no segment"),
        (b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", "names no media playlist"),
        (b"#EXTM3U\n#EXTINF:nan,\na.ts\n", "'nan' seconds"),
        (b"#EXTM3U\n#EXTINF:-1,\na.ts\n", "'-1' seconds"),
    ],
)
def test_what_is_none(data: bytes, words: str) -> None:
    with pytest.raises(OutputMissing, match=words):
        read_playlist(data)


NAMES = st.text("abc/._-%0123", min_size=1, max_size=12).filter(lambda name: name.strip())


@given(st.lists(st.tuples(st.integers(1, 99_999), NAMES), min_size=1, max_size=20))
def test_the_same_as_another_reader(segments: list[tuple[int, str]]) -> None:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:100"]
    for millis, name in segments:
        lines += [f"#EXTINF:{millis / 1000:.3f},", name]
    text = "\n".join(lines)
    found, other = read_playlist(text.encode()), m3u8.loads(text)
    assert isinstance(found, Media)
    assert list(found.files) == list(dict.fromkeys(each.uri for each in other.segments))
    assert found.seconds == pytest.approx(sum(each.duration for each in other.segments))


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"#EXTM3U\n{text}".encode())
)
def test_anything_is_understood_or_refused(data: bytes) -> None:
    with suppress(OutputMissing):
        read_playlist(data)
