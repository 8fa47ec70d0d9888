"""Verification of real HLS, DASH and CMAF outputs, of sprites and of transcripts."""

import asyncio
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import VerificationFailed
from orchestrator.model.items import Attempt, Item, Output
from orchestrator.model.states import State
from orchestrator.query.expected import Expectations
from orchestrator.services.verify import OutputVerifier
from orchestrator.transcoder.ports import Produced
from orchestrator.wiring.verification import FfmpegProber
from tests.media import coded_clip, ffmpeg, toolchain
from tests.transcoder.encodes import encode

KEY = "00112233445566778899aabbccddeeff"


def stream(height: int, **more: Any) -> dict[str, Any]:
    size = f"{height * 4 // 3}x{height}"
    return {"size": size, "keyframe": "1s", "tag": f"{height}p", "video_codec": "libx264", **more}


STREAMS = [stream(48), stream(24)]
COMMON = {"segment_duration": 1, "stream": STREAMS}
#: Seen twice as wide as high, in pixels that are not square.
WIDE = {"segment_duration": 1, "stream": [{**stream(48), "size": "64x48", "aspect_ratio": "2:1"}]}
LOCK = {"key": KEY, "iv": KEY, "key_url": "https://keys.example/k"}
FORMATS: dict[str, dict[str, Any]] = {
    "ts": {"output": "advanced_hls", **COMMON, "i_frames_only": 1},
    "joined": {"output": "advanced_hls", **COMMON, "separate_audio": 0, "single_folder": 1},
    "cmaf": {"output": "advanced_dash", **COMMON, "create_m3u8_playlist": 1},
    "sound": {"output": "hls_audio", "segment_duration": 1, "stream": [{"tag": "s"}], "fmp4": 1},
    "aes": {
        "output": "advanced_hls",
        **COMMON,
        "encryption": LOCK,
    },
    "wide": {"output": "advanced_hls", **WIDE},
    "wide aes": {"output": "advanced_hls", **WIDE, "encryption": LOCK},
}


@dataclass(frozen=True)
class Made:
    """What was made of a clip of 2 seconds."""

    source: Path
    outputs: dict[str, Produced]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("ladders")
    source = coded_clip(folder / "source.mp4", seconds=2, sound=1, size="128x96", rate="10")
    encoded = asyncio.run(encode(source, folder, *FORMATS.values()))
    return Made(source, dict(zip(FORMATS, encoded.outputs, strict=True)))


def told(output: Produced, folder: Path) -> list[Output]:
    """As a collector leaves them: the first has the size of all that was collected."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    return [
        Output(
            f"{each.kind}-0-0-{place}",
            each.kind,
            f"/v1/download/k/{folder.name}/{output.entry}",
            user_tag=each.user_tag,
            path=str(folder),
            size=None if place else size,
        )
        for place, each in enumerate(output.members)
    ]


@dataclass
class Verify:
    """Verifies a copy of a ladder that was changed before it was collected."""

    made: Made
    folder: Path

    async def __call__(
        self,
        name: str,
        change: Callable[[Path], object] = lambda _: None,
        *,
        wanted: dict[str, Any] | None = None,
        decode: bool = False,
        level: str = "probe",
    ) -> tuple[str, ...]:
        output = self.made.outputs[name]
        copy = self.folder / name
        shutil.copytree(output.path, copy, dirs_exist_ok=True)
        change(copy)
        item = Item(
            *(1, "key", State.COLLECTING, str(self.made.source)),
            attempt=Attempt(1, "s", "", "", duration=2.0),
        )
        prober = FfmpegProber(toolchain()) if level != "size" else None
        expectations = Expectations({"format": [wanted or FORMATS[name]]})
        verifier = OutputVerifier(expectations, prober, decode=decode, tolerance=0.3)
        return await verifier.verify(item, told(output, copy))


@pytest.fixture
def verify(made: Made, tmp_path: Path) -> Verify:
    return Verify(made, tmp_path)


@pytest.mark.parametrize("name", [name for name in FORMATS if not name.endswith("aes")])
async def test_every_rendition_of_a_good_one(verify: Verify, name: str) -> None:
    assert await verify(name, decode=True) == ()
    assert await verify(name, level="size") == ()


@pytest.mark.parametrize("name", ["wide", "wide aes"])
async def test_a_frame_is_told_of_as_it_is_shown(verify: Verify, name: str) -> None:
    await verify(name)
    assert "RESOLUTION=96x48" in (verify.folder / name / "playlist.m3u8").read_text()
    for told in ("RESOLUTION=64x96", "RESOLUTION=192x96"):
        with pytest.raises(VerificationFailed):
            await verify(name, edited("playlist.m3u8", "RESOLUTION=96x48", told))


async def test_a_protected_one_is_as_long_and_as_large_as_it_should_be(verify: Verify) -> None:
    (note,) = await verify("aes", decode=True)
    assert "it is protected" in note
    with pytest.raises(VerificationFailed, match="expected 96x72"):
        await verify("aes", wanted={**FORMATS["aes"], "stream": [stream(72), stream(24)]})
    with pytest.raises(VerificationFailed, match="there is none"):
        await verify("aes", removed("video_1/segment_2.ts"))


def removed(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def written(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def edited(name: str, old: str, new: str) -> Callable[[Path], object]:
    """With ``old``, a pattern, replaced by ``new`` wherever it is."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert re.search(old, text, re.DOTALL), text
        (folder / name).write_text(re.sub(old, new, text, flags=re.DOTALL))

    return change


def damaged(name: str) -> Callable[[Path], object]:
    """With noise in the middle of a segment."""

    def change(folder: Path) -> None:
        data = (folder / name).read_bytes()
        middle = len(data) // 2
        (folder / name).write_bytes(
            data[:middle] + os.urandom(middle // 2) + data[middle * 3 // 2 :]
        )

    return change


SIZE_FAULTS = {
    "a segment is gone": (
        "ts",
        removed("video_2/segment_2.ts"),
        "video_2/segment_2.ts: expected a file",
    ),
    "a segment is empty": ("cmaf", written("video_1/segment_1.m4s", b""), "it is empty"),
    "an initialization is gone": ("cmaf", removed("audio_1/segment_init.mp4"), "there is none"),
    "a playlist is gone": (
        "ts",
        removed("video_1/chunklist.m3u8"),
        "chunklist.m3u8: expected a file",
    ),
    "an I-frame playlist is gone": ("ts", removed("video_1/chunklist_iframes.m3u8"), "a file"),
    "the other master is gone": (
        "cmaf",
        removed("playlist.m3u8"),
        "playlist.m3u8: expected a file",
    ),
    "the master is no playlist": ("ts", written("playlist.m3u8", b"<html>"), "#EXTM3U is missing"),
    "the manifest is no XML": ("cmaf", written("playlist.mpd", b"<MPD"), "can't be read as XML"),
    "something leads out": (
        "ts",
        edited("video_1/chunklist.m3u8", "segment_1", "../../x"),
        "outside",
    ),
}


@pytest.mark.parametrize("level", ["size", "probe"])
@pytest.mark.parametrize("fault", SIZE_FAULTS)
async def test_files_that_are_not_all_there(verify: Verify, fault: str, level: str) -> None:
    name, change, words = SIZE_FAULTS[fault]
    with pytest.raises(VerificationFailed, match=words):
        await verify(name, change, level=level)


def without_rung(folder: Path) -> None:
    edited("playlist.m3u8", r"#EXT-X-STREAM-INF[^\n]*\nvideo_2[^\n]*\n", "")(folder)
    for file in folder.glob("video_2*"):
        file.unlink()


PROBE_FAULTS = {
    "a rendition is not named": (
        *("joined", without_rung),
        "expected 2 renditions, as the service told; there are 1",
    ),
    "it is too short": (
        *("ts", edited("video_2/chunklist.m3u8", r"#EXTINF[^\n]*\nsegment_2.ts\n", "")),
        r"video_2/chunklist.m3u8: expected 2\.00 s; it is 1\.0",
    ),
    "it is not finished": (
        *("joined", edited("video_1.m3u8", "#EXT-X-ENDLIST\n", "")),
        "ENDLIST is missing",
    ),
    "a playlist lies of the frame": (
        *("ts", edited("playlist.m3u8", "RESOLUTION=64x48", "RESOLUTION=640x480")),
        "expected 640x480, as its playlist says; it is 64x48",
    ),
    "segments hold something else": (
        *("ts", written("video_1/segment_1.ts", b"<html>gone</html>" * 100)),
        "expected a segment of chunklist.m3u8",
    ),
}


@pytest.mark.parametrize("fault", PROBE_FAULTS)
async def test_what_is_there_is_not_what_it_should_be(verify: Verify, fault: str) -> None:
    name, change, words = PROBE_FAULTS[fault]
    with pytest.raises(VerificationFailed, match=words):
        await verify(name, change)


@pytest.mark.parametrize(
    ("streams", "words"),
    [
        ([stream(72), stream(24)], "expected 96x72; it is 64x48"),
        ([stream(48, video_codec="libx265"), stream(24)], "expected hevc; it holds h264"),
    ],
)
async def test_what_was_asked_for(verify: Verify, streams: list[Any], words: str) -> None:
    for name in ("ts", "cmaf"):
        with pytest.raises(VerificationFailed, match=words):
            await verify(name, wanted={**FORMATS[name], "stream": streams})


async def test_the_codec_of_sound_beside_the_picture(verify: Verify) -> None:
    streams = [{"tag": "48p", "audio_codec": "libopus"}, {"tag": "24p"}]
    with pytest.raises(VerificationFailed, match="expected opus; it holds aac"):
        await verify("ts", wanted={"output": "webm_dash", "stream": streams})


@pytest.mark.parametrize(("name", "file"), [("ts", "segment_2.ts"), ("cmaf", "segment_2.m4s")])
async def test_damage_inside_shows_when_it_is_decoded(verify: Verify, name: str, file: str) -> None:
    change = damaged(f"video_1/{file}")
    assert await verify(name, change) == ()
    with pytest.raises(VerificationFailed, match="the decoder complains"):
        await verify(name, change, decode=True)


async def test_changed_since_it_was_collected(made: Made, tmp_path: Path) -> None:
    copy = shutil.copytree(made.outputs["ts"].path, tmp_path / "ts")
    outputs = told(made.outputs["ts"], copy)
    segment = copy / "video_1/segment_1.ts"
    segment.write_bytes(segment.read_bytes() + b"x" * 188)
    verifier = OutputVerifier(Expectations({"format": [FORMATS["ts"]]}), None)
    item = Item(1, "key", State.COLLECTING, None)
    with pytest.raises(VerificationFailed, match="bytes, as collected"):
        await verifier.verify(item, outputs)


async def test_names_that_the_list_of_the_decoder_takes_otherwise(
    verify: Verify, tmp_path: Path
) -> None:
    verify.folder = tmp_path / "it's a \\ 'folder' \u00e9"
    assert await verify("ts", decode=True) == ()


# --- sprites and transcripts -------------------------------------------------------


def sprite(folder: Path, area: str) -> Output:
    folder.mkdir()
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x48", "-frames:v", "1", folder / "sprite.png")
    cue = "00:00:00.000 --> 00:00:01.000\nsprite.png#xywh={}\n"
    (folder / "t.vtt").write_text(
        "\n".join(["WEBVTT\n", cue.format("0,0,32,24"), cue.format(area)])
    )
    size = sum(file.stat().st_size for file in folder.iterdir())
    return Output("image-0-0", "image", "/t/t.vtt", path=str(folder), size=size)


@pytest.mark.parametrize(
    ("area", "good"),
    [("32,24,32,24", True), ("33,24,32,24", False), ("0,25,32,24", False), ("0,0,0,24", False)],
)
async def test_parts_of_a_sprite_are_inside_it(tmp_path: Path, area: str, good: bool) -> None:
    output = sprite(tmp_path / "t", area)
    wanted = {"output": "thumbnails", "sprite": 1, "columns": 2, "image_format": "png"}
    verifier = OutputVerifier(Expectations({"format": [wanted]}), FfmpegProber(toolchain()))
    item = Item(1, "key", State.COLLECTING, None)
    if good:
        assert await verifier.verify(item, [output]) == ()
    else:
        with pytest.raises(VerificationFailed, match=r"expected an image that has .*; it is 64x48"):
            await verifier.verify(item, [output])


async def test_a_transcript(tmp_path: Path) -> None:
    wanted = {"output": "speech_to_text", "srt": 0, "vtt": 0, "translate_languages": ["en"]}
    (tmp_path / "transcript.txt").write_text("Hello")
    (tmp_path / "timestamps.json").write_text("{}")
    output = Output("text-0-0", "text", "/t/transcript.txt", path=str(tmp_path))
    verifier = OutputVerifier(Expectations({"format": [wanted]}), FfmpegProber(toolchain()))
    item = Item(1, "key", State.COLLECTING, None)
    assert await verifier.verify(item, [output]) == (
        "text-0-0: transcript-en.txt is not there: the service did not make this translation",
        "text-0-0: timestamps-en.json is not there: the service did not make this translation",
    )
    (tmp_path / "transcript.txt").write_text("")
    notes = await verifier.verify(item, [output])
    assert "transcript.txt is empty: nothing was heard" in notes[0]
    (tmp_path / "timestamps.json").write_text("{")
    with pytest.raises(VerificationFailed, match=r"timestamps\.json: expected a JSON document"):
        await verifier.verify(item, [output])
    (tmp_path / "timestamps.json").unlink()
    with pytest.raises(VerificationFailed, match=r"timestamps\.json: expected a file"):
        await verifier.verify(item, [output])
