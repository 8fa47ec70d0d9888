"""Subtitles and captions: read back from what comes out, with their times."""

import re
from pathlib import Path

import pytest

from orchestrator.transcoder.languages import shortest, three_letters
from orchestrator.transcoder.ports import Encoded, MediaError
from orchestrator.transcoder.subtitling import decoded
from tests.media import coded_clip, ffmpeg, probed
from tests.sample import sampled
from tests.transcoder.captions import captioned_clip
from tests.transcoder.encodes import encode, inputs

SRT = """\
1
00:00:00,500 --> 00:00:01,000
Héllo <b>you</b>

2
00:00:01,500 --> 00:00:02,000
Second
"""
ASS = """\
[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour
Style: Default,Arial,20,&H0000FFFF
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.50,0:00:02.00,Default,,0,0,0,,Zwei,\\Nund {\\i1}drei{\\i0}
Dialogue: 0,0:00:00.50,0:00:01.00,Default,,0,0,0,,{\\pos(1,2)}Eins
Dialogue: 0,0:00:00.10,0:00:00.40,Default,,0,0,0,,{\\p1}m 0 0 l 100 0 100 100{\\p0}
"""
TINY = {"size": "64x48", "quality": 30}
MP4 = {"output": "mp4", **TINY}
WEBM = {"output": "webm", "video_codec": "libvpx", **TINY}
ENGLISH = {"source": "http://host/en.srt", "language": "en"}
GERMAN = {"source": "http://host/de.ass", "language": "ger"}
BOTH = {"subtitles": {"sources": [ENGLISH, GERMAN]}}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("subtitles")


@pytest.fixture(scope="module")
def clip(clips: Path) -> Path:
    return coded_clip(clips / "clip.mp4", sound=1, size="96x64")


@pytest.fixture(scope="module")
def assets(clips: Path) -> dict[str, Path]:
    files = {ENGLISH["source"]: clips / "en.srt", GERMAN["source"]: clips / "de.ass"}
    files[ENGLISH["source"]].write_text(SRT, encoding="utf-8")
    files[GERMAN["source"]].write_text(ASS, encoding="utf-8")
    return files


@pytest.fixture(scope="module")
def subtitled(clips: Path, clip: Path) -> Path:
    """A source with text in two languages, the second with a title."""
    path, first, second = clips / "own.mkv", clips / "first.srt", clips / "second.srt"
    first.write_text("1\n00:00:00,500 --> 00:00:01,500\nOwn\n")
    second.write_text("1\n00:00:00,100 --> 00:00:00,300\nEigen\n")
    ffmpeg(
        *("-i", clip, "-i", first, "-i", second, "-map", "0", "-map", "1", "-map", "2"),
        *("-c", "copy", "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=ger"),
        *("-metadata:s:s:1", "title=Schilder", path),
    )
    return path


def cues(path: Path, track: int = 0) -> list[tuple[float, float, str]]:
    """Start, end and text of each cue of a track of a file."""
    text = ffmpeg("-i", path, "-map", f"0:s:{track}", "-f", "srt", "-").decode()
    found = re.findall(r"(\d\d:\d\d:\d\d,\d+) --> (\S+)\n(.*?)(?:\n\n|\n*\Z)", text, re.DOTALL)
    return [(seconds(start), seconds(end), words) for start, end, words in found]


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def near(start: float, end: float, words: str) -> tuple[object, object, str]:
    return pytest.approx(start, abs=0.002), pytest.approx(end, abs=0.002), words


def tracks(path: Path) -> list[tuple[str, str]]:
    found = [each for each in probed(path)["streams"] if each["codec_type"] == "subtitle"]
    return [(each["codec_name"], each["tags"].get("language", "und")) for each in found]


def words(made: Encoded) -> str:
    return " ".join(each.message for each in made.warnings)


# --- in files ----------------------------------------------------------------


@pytest.mark.attribute(
    "format[].subtitles",
    "format[].subtitles.sources",
    "format[].subtitles.sources[].source",
    "format[].subtitles.sources[].language",
)
@pytest.mark.slow
async def test_files_of_subtitles_become_tracks_with_their_languages(clip, assets, tmp_path):
    made = await encode(inputs(clip, assets=assets), tmp_path, {**MP4, **BOTH}, {**WEBM, **BOTH})
    codecs = ("mov_text", "webvtt")
    for each, codec in zip(made.outputs, codecs, strict=True):
        assert tracks(each.path) == [(codec, "eng"), (codec, "deu")]
        english, german = cues(each.path), cues(each.path, 1)
        assert english == [near(0.5, 1.0, "Héllo <b>you</b>"), near(1.5, 2.0, "Second")]
        assert german == [near(0.5, 1.0, "Eins"), near(1.5, 2.0, "Zwei,\nund <i>drei</i>")]
    assert words(made).count("styling of .ass") == 1


@pytest.mark.parametrize("container", ["mp4", "ts"])
@pytest.mark.slow
async def test_a_part_of_the_film_has_its_own_subtitles(clips, clip, assets, container, tmp_path):
    source = clip
    if container == "ts":
        source = clips / "clip.ts"
        ffmpeg("-i", clip, "-c", "copy", source)
    part = {**MP4, **BOTH, "start_time": 0.8, "duration": 0.9}
    made = await encode(inputs(source, assets=assets), tmp_path, part)
    # What was on screen already is there from the beginning.
    expected = [(0.0, 0.2, "Héllo <b>you</b>"), (0.7, 0.9, "Second")]
    assert cues(made.outputs[0].path) == [near(*each) for each in expected]
    early = {**MP4, **BOTH, "duration": 0.2}
    made = await encode(inputs(source, assets=assets), tmp_path, early)
    assert cues(made.outputs[0].path) == []


@pytest.mark.attribute("format[].subtitles_copy")
@pytest.mark.slow
async def test_the_sources_own_are_kept_unless_they_are_not_wanted(subtitled, assets, tmp_path):
    given = inputs(subtitled, assets=assets)
    english = {"subtitles": {"sources": [ENGLISH]}}
    asked = [MP4, {**WEBM, **english}, {**MP4, "subtitles_copy": 0}]
    kept, more, without = (each.path for each in (await encode(given, tmp_path, *asked)).outputs)
    assert tracks(kept) == [("mov_text", "eng"), ("mov_text", "deu")]
    assert cues(kept) == [near(0.5, 1.5, "Own")]
    assert cues(kept, 1) == [near(0.1, 0.3, "Eigen")]
    assert tracks(more) == [("webvtt", "eng"), ("webvtt", "eng"), ("webvtt", "deu")]
    assert [each["tags"].get("title") for each in probed(more)["streams"]][-1] == "Schilder"
    assert tracks(without) == []


async def test_subtitles_that_are_images_are_left_out_and_that_is_said(clips, clip, tmp_path):
    source = clips / "images.mkv"
    text = clips / "text.srt"
    text.write_text("1\n00:00:00,100 --> 00:00:01,000\nA\n")
    blank = ("-f", "lavfi", "-i", "color=c=black@0:s=96x64:d=0.1,format=rgba")
    burn = clips / "one.sup"
    burn.write_bytes(_pgs())
    ffmpeg(
        "-i",
        clip,
        *blank[:0],
        "-f",
        "sup",
        "-i",
        burn,
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
        source,
    )
    made = await encode(source, tmp_path, MP4)
    assert tracks(made.outputs[0].path) == []
    assert "hdmv_pgs_subtitle) are no text" in words(made)


def _pgs() -> bytes:
    """A display set of PGS that shows nothing: its composition, its windows, its end."""

    def segment(kind: int, body: bytes) -> bytes:
        times = (9000).to_bytes(4, "big") + bytes(4)
        return b"PG" + times + bytes([kind]) + len(body).to_bytes(2, "big") + body

    composition = bytes([0, 96, 0, 64, 16, 0, 0, 128, 0, 0, 0])
    return segment(0x16, composition) + segment(0x17, b"\0") + segment(0x80, b"")


# --- for streaming -----------------------------------------------------------


@pytest.mark.attribute(
    "format[].subtitles", "format[].subtitles.sources[].language", "format[].subtitles_copy"
)
@pytest.mark.parametrize(
    "output", sampled(["advanced_hls", "advanced_dash", "webm_dash"], "advanced_hls")
)
async def test_subtitles_are_renditions_of_a_ladder(subtitled, assets, output, tmp_path):
    codec = {"video_codec": "libvpx"} if output == "webm_dash" else {}
    ladder = {"output": output, "segment_duration": 1, "stream": [{**TINY, **codec}], **BOTH}
    made = await encode(inputs(subtitled, assets=assets), tmp_path, ladder)
    (one,) = made.outputs
    master = (one.path / str(one.entry)).read_text()
    if output == "advanced_hls":
        rows = [line for line in master.splitlines() if "TYPE=SUBTITLES" in line]
        languages = [re.findall('LANGUAGE="(.*?)"', row)[0] for row in rows]
        assert 'NAME="Schilder"' in rows[3]
        assert 'SUBTITLES="subtitles"' in master
        playlists = [one.path / re.findall('URI="(.*?)"', row)[0] for row in rows]
        first = playlists[0].read_text()
        names = [line for line in first.splitlines() if line and line[0] != "#"]
        assert len(names) == 2
        texts = [(playlists[0].parent / name).read_text() for name in names]
        assert ["Héllo" in text for text in texts] == [True, False]
        assert ["Second" in text for text in texts] == [False, True]
    else:
        sets = re.findall(r'<AdaptationSet[^>]*contentType="text"[^>]*>', master)
        languages = [re.findall('lang="(.*?)"', each)[0] for each in sets]
        whole = [path.read_text() for path in one.path.rglob("*.vtt")]
        assert sum("Second" in text for text in whole) == 1
        languages = sorted(languages, reverse=True)
    assert languages in (["en", "de", "en", "de"], ["en", "en", "de", "de"])


# --- hostile and odd files ---------------------------------------------------

UMLAUTS = "1\n00:00:00,000 --> 00:00:01,000\nGrüße, Ωmega\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_encodings_are_told_apart(encoding):
    data = UMLAUTS.encode(encoding)
    mark = {"utf-16-le": b"", "utf-16-be": b""}.get(encoding, b"")
    assert decoded(mark + data) == (UMLAUTS, True)


def test_anything_else_is_read_as_western_and_that_is_not_certain():
    assert decoded("Grüße – ok".encode("cp1252")) == ("Grüße – ok", False)
    assert decoded(b"\x81\xfc") == ("\x81ü", False)


async def test_a_guessed_encoding_is_said(clip, clips, tmp_path):
    western = clips / "western.srt"
    western.write_bytes(b"1\r\n00:00:00,000 --> 00:00:01,000\r\nGr\xfc\xdfe\r\n")
    asked = {**MP4, "subtitles": {"sources": [ENGLISH]}}
    made = await encode(inputs(clip, assets={ENGLISH["source"]: western}), tmp_path, asked)
    assert cues(made.outputs[0].path)[0][2] == "Grüße"
    assert "format[0].subtitles.sources[0].source: it is not UTF-8" in words(made)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "neither .srt nor .ass"),
        (b"\x00" * 4000, "neither .srt nor .ass"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "neither .srt nor .ass"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "neither .srt nor .ass"),
        (b"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHi\n", "neither .srt nor .ass"),
        (b"[Script Info]\nTitle: no events\n", "no subtitles in it|can't be used|damaged"),
        (b"x" * ((10 << 20) + 1), "larger than 10 MB"),
    ],
    ids=["empty", "nulls", "playlist", "concat", "vtt", "no events", "huge"],
)
async def test_files_that_are_no_subtitles_are_refused_by_field(
    clip, clips, content, told, tmp_path
):
    bad = clips / "bad.srt"
    bad.write_bytes(content)
    asked = {**MP4, "subtitles": {"sources": [ENGLISH]}}
    with pytest.raises(
        MediaError, match=rf"format\[0\]\.subtitles\.sources\[0\]\.source: .*({told})"
    ):
        await encode(inputs(clip, assets={ENGLISH["source"]: bad}), tmp_path, asked)
    assert not list(tmp_path.glob("subtitles-*"))


async def test_a_soft_output_is_lost_alone(clip, clips, tmp_path):
    bad = clips / "bad.srt"
    bad.write_bytes(b"nothing")
    soft = {**MP4, "subtitles": {"sources": [ENGLISH]}, "allow_soft_fail": 1}
    given = inputs(clip, assets={ENGLISH["source"]: bad})
    made = await encode(given, tmp_path, soft, MP4)
    assert [each.tag for each in made.outputs] == ["video-0-1"]


def test_codes_of_languages():
    assert [three_letters(code) for code in ("en", "en-US", "ger", "fre", "deu", "xyz", "q")] == [
        *("eng", "eng", "deu", "fra", "deu", "xyz", "und")
    ]
    assert [shortest(code) for code in ("eng", "ger", "de", "pt-BR", "por-BR", "fil")] == [
        *("en", "de", "de", "pt-BR", "pt-BR", "fil")
    ]


# --- captions in the picture -------------------------------------------------


def captions(path: Path) -> str:
    """What a decoder of EIA-608 reads in a file's picture."""
    name = str(path).replace(":", r"\:")
    graph = f"movie={name}[out0+subcc]"
    return ffmpeg("-f", "lavfi", "-i", graph, "-map", "0:s", "-f", "srt", "-").decode()


@pytest.mark.attribute("format[].subtitles.copy")
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
async def test_captions_are_copied_when_they_are_asked_for(clips, codec, tmp_path):
    source = captioned_clip(clips / f"captions-{codec}.mp4", "HELLO WORLD")
    assert "HELLO WORLD" in captions(source)
    asked = {**MP4, "video_codec": codec}
    made = await encode(source, tmp_path, {**asked, "subtitles": {"copy": 1}}, asked)
    assert "HELLO WORLD" in captions(made.outputs[0].path)
    assert "HELLO" not in captions(made.outputs[1].path)


@pytest.mark.attribute("format[].subtitles.copy")
@pytest.mark.slow
async def test_captions_are_in_ladders_too_and_other_codecs_say_that_they_cannot(clips, tmp_path):
    source = captioned_clip(clips / "captions.mp4", "HELLO WORLD")
    copied = {"subtitles": {"copy": 1}}
    ladder = {"output": "advanced_hls", "fmp4": 1, "stream": [TINY], "separate_audio": 1}
    made = await encode(source, tmp_path, {**ladder, **copied}, {**WEBM, **copied}, ladder)
    told, _, plain = ((each.path / (each.entry or "")) for each in made.outputs)
    assert 'INSTREAM-ID="CC1"' in told.read_text()
    assert "CLOSED-CAPTIONS=NONE" in plain.read_text()
    folder = made.outputs[0].path / "video_1"
    joined = tmp_path / "joined.mp4"
    parts = sorted(folder.glob("*.m4s")) or sorted(folder.glob("chunk*.mp4"))
    head = list(folder.glob("*init*"))
    joined.write_bytes(b"".join(path.read_bytes() for path in (*head, *parts)))
    assert "HELLO WORLD" in captions(joined)
    assert "libvpx can't hold EIA-608/708" in words(made)
