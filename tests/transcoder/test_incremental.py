"""Ladders that grow and shrink over several jobs (``incremental_tag``)."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import m3u8
import pytest

from orchestrator.transcoder.ports import Encoded, MediaError, Produced
from tests.media import coded_clip
from tests.transcoder.captions import captioned_clip
from tests.transcoder.encodes import Listener, encode, inputs
from tests.transcoder.manifests import check_master, check_mpd
from tests.transcoder.packaging.media import files_in

pytestmark = pytest.mark.attribute(
    "format[].incremental_tag", "status.returns.status.videos[].meta.incremental_tag"
)

LOW, HIGH, TOP = {"height": 60}, {"height": 90, "tag": "high"}, {"height": 120}
ASKED = {
    "output": "advanced_dash",
    "create_m3u8_playlist": 1,
    "segment_duration": 1,
    "incremental_tag": "auto",
    "destination": {"url": "s3://host/bucket/film", "key": "k", "secret": "s"},
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coded_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", size="160x120", sound=2)


class House:
    """Jobs one after the other, all stored at one place."""

    def __init__(self, clip: Path, home: Path) -> None:
        self._clip, self._home = clip, home
        self.place = home / "place"
        self.place.mkdir()
        self.earlier: dict[str, Any] = {}
        self.tag: str | None = None
        self._jobs = 0

    async def told(
        self, *streams: object, listener: Listener | None = None, **more: Any
    ) -> Encoded:
        folder = self._home / str(self._jobs)
        folder.mkdir()
        self._jobs += 1
        query = {name: more.pop(name) for name in ("refresh_playlist",) if name in more}
        asked = {**ASKED, "stream": streams, **({"incremental_tag": self.tag} if self.tag else {})}
        source, assets = more.pop("source", self._clip), more.pop("assets", {})
        asked = {name: each for name, each in {**asked, **more}.items() if each is not None}
        given = replace(inputs(source, assets=assets), earlier=self.earlier)
        return await encode(given, folder, asked, listener=listener, **query)

    async def job(self, *streams: object, **more: Any) -> Produced:
        """One job; its facts are kept as JSON, its files stored."""
        (made,) = (await self.told(*streams, **more)).outputs
        self.tag = made.facts["incremental_tag"]
        self.earlier[self.tag] = json.loads(json.dumps(made.facts))
        shutil.copytree(made.path, self.place, dirs_exist_ok=True)
        return made

    def rungs(self, name: str = "playlist.m3u8") -> list[str]:
        return sorted(each.uri for each in m3u8.load(str(self.place / name)).playlists)


@pytest.fixture
def house(clip: Path, tmp_path: Path) -> House:
    return House(clip, tmp_path)


async def test_only_new_rungs_are_encoded(house: House) -> None:
    first = await house.job(LOW)
    listener = Listener()
    second = await house.job(HIGH, LOW, listener=listener)
    assert files_in(second.path, "*.m4s") == ["video_2/segment_1.m4s", "video_2/segment_2.m4s"]
    assert second.facts["incremental_tag"] == first.facts["incremental_tag"]
    check_master(house.place, "playlist.m3u8", 50)
    check_mpd(house.place, "playlist.mpd", 50, 2)
    high, low = second.members
    assert (low.tag, low.meta) == ("video-0-0-1", first.members[0].meta)
    assert (low.size, low.entry) == (first.members[0].size, "video_1/chunklist.m3u8")
    assert (high.user_tag, high.meta["height"]) == ("high", 90)
    assert high.meta["incremental_tag"] == house.tag
    assert all(each["video-0-0-1"] in (0, 100) for each in listener.told)
    assert listener.told[-1] == {"video-0-0-0": 100, "video-0-0-1": 100}


@pytest.mark.slow
async def test_a_dropped_rung_is_unlinked_and_its_place_never_taken(house: House) -> None:
    await house.job(LOW, HIGH)
    kept = (house.place / "video_1/segment_1.m4s").read_bytes()
    await house.job(HIGH)
    assert house.rungs() == ["video_2/chunklist.m3u8"]
    assert "video_1" not in (house.place / "playlist.mpd").read_text()
    third = await house.job(HIGH, LOW, TOP)
    assert house.rungs() == [f"video_{number}/chunklist.m3u8" for number in (2, 3, 4)]
    assert third.facts["used"] == {"video": 4, "audio": 1}
    assert (house.place / "video_1/segment_1.m4s").read_bytes() == kept


@pytest.mark.slow
async def test_dropping_alone_encodes_nothing(house: House) -> None:
    await house.job(LOW, HIGH)
    made = await house.job(LOW)
    assert files_in(made.path) == ["playlist.m3u8", "playlist.mpd"]
    assert [each.tag for each in made.members] == ["video-0-0-0"]
    check_master(house.place, "playlist.m3u8", 50)


@pytest.mark.parametrize(
    ("stream", "more", "new"),
    [
        ({"height": 60, "tag": "x", "chunklist_name": "y"}, {}, []),
        pytest.param({"size": "80x60"}, {}, [], marks=pytest.mark.slow),
        ({"height": 60, "quality": 30}, {}, ["video_2"]),
        pytest.param({"height": 60, "audio_bitrate": 96}, {}, ["audio_2"], marks=pytest.mark.slow),
        pytest.param(
            {"height": 60, "video_codec": "libx265"}, {}, ["video_2"], marks=pytest.mark.slow
        ),
        pytest.param(
            {"height": 60}, {"segment_duration": 2}, ["audio_2", "video_2"], marks=pytest.mark.slow
        ),
        pytest.param(
            {"height": 60}, {"duration": 1}, ["audio_2", "video_2"], marks=pytest.mark.slow
        ),
        pytest.param(
            {"height": 60},
            {"create_m3u8_playlist": 0},
            ["audio_2", "video_2"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["names", "size", "quality", "sound", "codec", "segments", "part", "manifests"],
)
async def test_what_makes_a_rendition_another(
    house: House, stream: dict[str, Any], more: dict[str, Any], new: list[str]
) -> None:
    await house.job(LOW)
    made = await house.job(stream, **more)
    found = sorted({name.split("/")[0] for name in files_in(made.path, "*.m4s")})
    assert found == new


@pytest.mark.slow
async def test_a_new_sound_joins_a_known_picture(house: House) -> None:
    await house.job(LOW)
    await house.job({**LOW, "audio_bitrate": 96})
    master = check_master(house.place, "playlist.m3u8", 50)
    assert [each.uri for each in master.media] == ["audio_2/chunklist.m3u8"]


@pytest.mark.slow
async def test_subtitles_keep_their_places_and_are_made_again(house: House, tmp_path: Path) -> None:
    urls = {name: f"https://texts.test/{name}.srt" for name in ("en", "de")}
    assets = {url: tmp_path / f"{name}.srt" for name, url in urls.items()}

    def texts(*names: str) -> dict[str, Any]:
        return {"sources": [{"source": urls[name], "language": name} for name in names]}

    for path in assets.values():
        path.write_text("1\n00:00:00,200 --> 00:00:01,000\nfirst\n")
    await house.job(LOW, subtitles=texts("en", "de"), assets=assets)
    assets[urls["de"]].write_text("1\n00:00:00,200 --> 00:00:01,000\nmended\n")
    made = await house.job(LOW, subtitles=texts("de"), assets=assets)
    master = m3u8.load(str(house.place / "playlist.m3u8"))
    found = [(each.language, each.uri) for each in master.media if each.type == "SUBTITLES"]
    assert found == [("de", "text_2/chunklist.m3u8")]
    assert "mended" in (house.place / "text_2/segment_1.vtt").read_text()
    assert "first" in (house.place / "text_1/segment_1.vtt").read_text()
    assert made.facts["used"]["text"] == 2


@pytest.mark.slow
async def test_captions_are_told_of_again(house: House, tmp_path: Path) -> None:
    source = captioned_clip(tmp_path / "source.mp4", "HELLO")
    asked = {"source": source, "subtitles": {"copy": 1}}
    await house.job({"height": 64}, {"height": 48}, **asked)
    await house.job({"height": 48}, **asked)
    assert 'INSTREAM-ID="CC1"' in (house.place / "playlist.m3u8").read_text()


@pytest.mark.slow
async def test_with_a_playlist_that_is_refreshed(house: House) -> None:
    await house.job(LOW)
    listener = Listener()
    await house.job(TOP, HIGH, LOW, listener=listener, refresh_playlist=1)
    seen = [[each.tag[-1] for each in made.members] for made in listener.landings]
    assert seen == [["1", "2"], ["0", "1", "2"]]


@pytest.mark.slow
async def test_sound_alone(house: House) -> None:
    hls = {**ASKED, "output": "hls_audio"}
    del hls["create_m3u8_playlist"]
    folder = house.place.parent / "sound"
    folder.mkdir()
    (first,) = (
        await encode(house._clip, folder, {**hls, "stream": [{"audio_bitrate": 32}]})
    ).outputs
    tag = first.facts["incremental_tag"]
    later = replace(inputs(house._clip), earlier={tag: first.facts})
    streams = [{"audio_bitrate": 96}, {"audio_bitrate": 32}]
    (folder / "2").mkdir()
    told = await encode(later, folder / "2", {**hls, "incremental_tag": tag, "stream": streams})
    made = told.outputs[0]
    assert {name.split("/")[0] for name in files_in(made.path, "*.ts")} == {"audio_2"}
    assert [each.entry for each in made.members] == [
        "audio_2/chunklist.m3u8",
        "audio_1/chunklist.m3u8",
    ]


@pytest.mark.slow
async def test_a_known_rendition_is_never_written_over(house: House) -> None:
    """In one folder the names are all that tells renditions apart."""
    flat = {"output": "advanced_hls", "single_folder": 1, "create_m3u8_playlist": None}
    await house.job({**LOW, "chunklist_name": "a.m3u8"}, **flat)
    with pytest.raises(MediaError, match=r"chunklist_name: two renditions .* the same name"):
        await house.job({**HIGH, "chunklist_name": "a.m3u8"}, LOW, **flat)
    made = await house.job({**HIGH, "chunklist_name": "b.m3u8"}, LOW, **flat)
    assert [each.entry for each in made.members] == ["b.m3u8", "a.m3u8"]
    check_master(house.place, "playlist.m3u8", 50)


@pytest.mark.slow
async def test_what_can_not_be_gone_on_with(house: House, tmp_path: Path) -> None:
    await house.job(LOW)
    elsewhere = {"url": "s3://host/bucket/other", "key": "k", "secret": "s"}
    with pytest.raises(MediaError, match="at another destination"):
        await house.job(LOW, destination=elsewhere)
    longer = coded_clip(tmp_path / "longer.mp4", size="160x120", sound=2, seconds=2.8, rate="20")
    long = coded_clip(tmp_path / "long.mp4", size="160x120", seconds=6, rate="10")
    assert await house.told(LOW, source=longer)
    with pytest.raises(MediaError, match=r"2\.0 s long.*6\.0 s.*another tag"):
        await house.job(LOW, source=long)
    told = await house.told(LOW, destination=())
    assert "needs a destination" in told.warnings[0].message
    assert files_in(told.outputs[0].path, "video_1/*.m4s")
