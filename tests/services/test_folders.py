"""Outputs of many files come whole: playlists last, nothing twice, nothing from elsewhere."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import OutputMissing
from orchestrator.model.items import Output
from orchestrator.query.expected import Expectations
from orchestrator.services.collect import HttpCollector
from orchestrator.services.disk_room import DiskRoom
from orchestrator.services.folder_output import folder_url, is_folder
from orchestrator.services.http import Http
from tests.services.contract_collector import item_of
from tests.services.served_files import Files, inside, serving

MASTER = """#EXTM3U
#EXT-X-SESSION-KEY:METHOD=AES-128,URI="key.bin"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="audio_1/list.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="s",URI="text_1/list.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=64x48,AUDIO="a"
video_1/list.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2,RESOLUTION=32x24,AUDIO="a"
video_2/list.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="video_1/frames.m3u8"
"""

RENDITIONS = ("audio_1", "text_1", "video_1", "video_2")
SEGMENTS = 4


def media(*segments: str, end: str = "#EXT-X-ENDLIST\n") -> str:
    lines = "".join(f"#EXTINF:1,\n{segment}\n" for segment in segments)
    return (
        '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n'
        f'#EXT-X-KEY:METHOD=AES-128,URI="../key.bin"\n{lines}{end}'
    )


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Files]:
    async with serving(tmp_path / "served") as served:
        yield served


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as client:
        yield client


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "collected"


def collector_of(
    http: Http, files: Files, target: Path, *formats: dict[str, Any], room: DiskRoom | None = None
) -> HttpCollector:
    return HttpCollector(
        http,
        files.url,
        lambda _, output: target / (output.user_tag or output.tag),
        expectations=Expectations({"format": list(formats)}),
        room=room,
    )


def ladder(files: Files, master: str = MASTER) -> tuple[Output, ...]:
    """An HLS output of two streams, as a status tells of them."""
    for name in RENDITIONS:
        segments = [f"{number}.m4s" for number in range(SEGMENTS)]
        files.offer(f"t/hls/{name}/list.m3u8", media(*segments).encode())
        files.offer(f"t/hls/{name}/init.mp4", b"init")
        for number, segment in enumerate(segments):
            files.offer(f"t/hls/{name}/{segment}", name.encode() * (number + 1))
    files.offer("t/hls/video_1/frames.m3u8", media("0.m4s", "0.m4s", "2.m4s").encode())
    files.offer("t/hls/key.bin", b"0123456789abcdef")
    files.offer("t/hls/master.m3u8", master.encode())
    streams = (Output(f"video-0-0-{n}", "video", "/t/hls/master.m3u8") for n in range(2))
    return tuple(replace(each, size=300, user_tag="ladder", duration=4) for each in streams)


def made(files: Files) -> list[str]:
    """What should be collected of it."""
    return [name for name in inside(files.folder / "t/hls") if name != "key.bin"]


async def collect(
    collector: HttpCollector, outputs: Sequence[Output], since: float = 0
) -> tuple[Output, ...]:
    return await collector.collect(item_of(since), outputs, lambda *_: None)


async def test_a_ladder_is_one_folder(http: Http, files: Files, target: Path) -> None:
    outputs = ladder(files)
    counts: list[tuple[int, int | None]] = []
    collector = collector_of(http, files, target)
    done = await collector.collect(item_of(), outputs, lambda *count: counts.append(count))
    assert inside(target / "ladder") == made(files)
    for name in made(files):
        assert (target / "ladder" / name).read_bytes() == (
            files.folder / "t/hls" / name
        ).read_bytes()
    size = sum((target / "ladder" / name).stat().st_size for name in made(files))
    assert [(each.path, each.size) for each in done] == [
        (str(target / "ladder"), size),
        (str(target / "ladder"), None),
    ]
    assert [replace(each, path=None, size=300) for each in done] == list(outputs)
    assert counts[-1] == (size, size)
    asked = files.paths()
    assert len(asked) == len(set(asked)) == len(made(files))


async def test_several_segments_at_once_and_no_more(http: Http, files: Files, target: Path) -> None:
    outputs = ladder(files)
    files.held, files.full = ".m4s", 6
    call = asyncio.create_task(collect(collector_of(http, files, target), outputs))
    await files.holding.wait()
    files.release.set()
    await call
    assert files.most == 6


async def test_again_only_lists_are_read(http: Http, files: Files, target: Path) -> None:
    outputs = ladder(files)
    collector = collector_of(http, files, target)
    first = await collect(collector, outputs)
    files.paths()
    assert await collect(collector, outputs) == first
    assert sorted(files.paths()) == sorted(
        f"/t/hls/{name}" for name in made(files) if name.endswith(".m3u8")
    )
    await collect(collector, outputs, since=time.time() + 60)
    assert len(files.paths()) == len(made(files))


async def test_stopped_in_the_middle_it_goes_on(http: Http, files: Files, target: Path) -> None:
    outputs = ladder(files)
    files.held = "video_1/2.m4s"
    collector = collector_of(http, files, target)
    call = asyncio.create_task(collect(collector, outputs))
    await files.holding.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    there = [name for name in inside(target / "ladder") if not name.endswith(".part")]
    assert there
    assert not any(name.endswith(".m3u8") for name in there)
    files.held = None
    files.paths()
    await collect(collector, outputs)
    assert inside(target / "ladder") == made(files)
    assert not {f"/t/hls/{name}" for name in there} & set(files.paths())


async def test_a_segment_that_is_gone_leaves_no_playlist(
    http: Http, files: Files, target: Path
) -> None:
    outputs = ladder(files)
    (files.folder / "t/hls/video_2/3.m4s").unlink()
    with pytest.raises(OutputMissing, match=r"video_2/3\.m4s"):
        await collect(collector_of(http, files, target), outputs)
    assert not [name for name in inside(target) if name.endswith(".m3u8")]


@pytest.mark.parametrize(
    "master",
    [
        MASTER.replace("video_2/list.m3u8", "../other/list.m3u8"),
        MASTER.replace("video_2/list.m3u8", "http://127.0.0.1:9/list.m3u8"),
        MASTER.replace("video_2/list.m3u8", "/etc/list.m3u8"),
        MASTER.replace("video_2/list.m3u8", "master.m3u8"),
        MASTER.replace("video_2/list.m3u8", "./second.m3u8"),
    ],
)
async def test_nothing_from_elsewhere_and_no_circles(
    http: Http, files: Files, target: Path, master: str
) -> None:
    outputs = ladder(files, master)
    files.offer("t/hls/second.m3u8", MASTER.encode())
    files.offer("t/other/list.m3u8", media("0.m4s").encode())
    with pytest.raises(OutputMissing):
        await collect(collector_of(http, files, target), outputs)
    assert inside(target) == []
    assert not any(path.startswith(("/t/other", "/etc")) for path in files.paths())


async def test_a_segment_elsewhere(http: Http, files: Files, target: Path) -> None:
    outputs = ladder(files)
    files.offer("t/hls/video_1/list.m3u8", media("0.m4s", "../../../secret").encode())
    files.offer("secret", b"secret")
    with pytest.raises(OutputMissing, match=r"video_1/list\.m3u8 names a file outside"):
        await collect(collector_of(http, files, target), outputs)
    files.offer("t/hls/video_1/list.m3u8", media("0.m4s", "list.m3u8").encode())
    with pytest.raises(OutputMissing, match="as a segment"):
        await collect(collector_of(http, files, target), outputs)
    assert inside(target) == []


async def test_absolute_addresses_under_the_same_prefix(
    http: Http, files: Files, target: Path
) -> None:
    outputs = ladder(files, MASTER.replace("video_2/", f"{files.url}/t/hls/video_2/"))
    await collect(collector_of(http, files, target), outputs)
    assert inside(target / "ladder") == made(files)


MPD = """<MPD mediaPresentationDuration="PT3S"><Period>
<AdaptationSet contentType="video"><SegmentTemplate duration="1" media="video_1/$Number$.m4s"
 startNumber="0" initialization="video_1/init.mp4"/><Representation id="v"/></AdaptationSet>
<AdaptationSet contentType="audio"><SegmentTemplate media="audio_1/$Time$.m4s">
<SegmentTimeline><S t="1" d="1" r="2"/></SegmentTimeline></SegmentTemplate>
<Representation id="a"/></AdaptationSet></Period></MPD>"""

DASH_FILES = [
    *(f"audio_1/{time}.m4s" for time in (1, 2, 3)),
    "master.mpd",
    *(f"video_1/{number}.m4s" for number in (0, 1, 2)),
    "video_1/init.mp4",
]


async def test_dash(http: Http, files: Files, target: Path) -> None:
    ladder(files)
    output = replace(files.offer("t/hls/master.mpd", MPD.encode()), user_tag="d")
    (done,) = await collect(collector_of(http, files, target), [output])
    assert inside(target / "d") == DASH_FILES
    assert done.size == sum((target / "d" / name).stat().st_size for name in DASH_FILES)


async def test_cmaf_has_a_master_of_each_kind(http: Http, files: Files, target: Path) -> None:
    ladder(files)
    files.offer("t/hls/playlist.m3u8", MASTER.encode())
    output = replace(files.offer("t/hls/master.mpd", MPD.encode()), user_tag="d")
    wanted = {
        "output": "advanced_dash",
        "create_m3u8_playlist": 1,
        "playlist_name": "master.mpd",
    }
    await collect(collector_of(http, files, target, wanted), [output])
    names = {name for name in made(files) if not name.startswith("master.")}
    assert set(inside(target / "d")) == names | {"master.mpd"}
    asked = files.paths()
    assert len(asked) == len(set(asked))
    (files.folder / "t/hls/playlist.m3u8").unlink()
    with pytest.raises(OutputMissing, match=r"playlist\.m3u8"):
        await collect(collector_of(http, files, target, wanted), [output])


SPEECH = {"output": "speech_to_text", "json": 0, "vtt": 0, "translate_languages": ["en", "es"]}


@pytest.mark.parametrize("url", ["/t/speech/transcript.txt", "/t/speech/", "/t/speech"])
async def test_a_transcript_is_a_folder(http: Http, files: Files, target: Path, url: str) -> None:
    for name, data in (
        ("transcript.txt", b""),
        ("subtitles.srt", b"1"),
        ("transcript-es.txt", b"2"),
    ):
        files.offer(f"t/speech/{name}", data)
    output = Output("text-0-0", "text", url, user_tag="speech", size=1)
    (done,) = await collect(collector_of(http, files, target, SPEECH), [output])
    assert inside(target / "speech") == ["subtitles.srt", "transcript-es.txt", "transcript.txt"]
    assert (done.path, done.size) == (str(target / "speech"), 2)
    (files.folder / "t/speech/subtitles.srt").unlink()
    with pytest.raises(OutputMissing, match=r"subtitles\.srt"):
        await collect(collector_of(http, files, target, SPEECH), [output], time.time() + 60)


async def test_a_text_that_is_no_transcript_is_one_file(
    http: Http, files: Files, target: Path
) -> None:
    output = replace(files.offer("t/other.txt", b"text", kind="text"), tag="text-0-0", user_tag="x")
    await collect(collector_of(http, files, target, SPEECH), [output])
    assert (target / "x").read_bytes() == b"text"


async def test_room_for_all_streams_of_a_ladder(http: Http, files: Files, target: Path) -> None:
    outputs = ladder(files)
    room = DiskRoom()
    collector = collector_of(http, files, target, room=room)
    assert await collector.hold(item_of(), [replace(each, size=2**60) for each in outputs])
    assert await collector.hold(item_of(), outputs) is None
    await collect(collector, outputs)
    free = await collector.hold(item_of(), outputs)
    assert free is None


async def test_folders_on_the_services_own_disk(http: Http, files: Files, target: Path) -> None:
    streams = [Output(f"video-0-0-{n}", "video", "file:///srv/a%20b/m.m3u8") for n in range(2)]
    done = await collect(collector_of(http, files, target), streams)
    assert [each.path for each in done] == ["/srv/a b", "/srv/a b"]


def test_which_outputs_are_folders() -> None:
    def text(url: str) -> Output:
        return Output("text-0-0", "text", url)

    assert is_folder(Output("video-0-0", "video", "/t/master.M3U8?sig=1"))
    assert is_folder(Output("audio-0-0", "audio", "/t/a.mpd"))
    assert is_folder(text("/t/a.txt?sig=1"), ("a.txt",))
    assert folder_url(text("http://h/t/a%20b.txt?sig=1"), ("a b.txt",)) == "http://h/t"
    assert not is_folder(text("/t/b.txt"), ("a.txt",))
    assert not is_folder(text("/t/a"), ())
