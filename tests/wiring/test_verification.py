"""Verification of real files, with ffprobe and ffmpeg: the good pass, the broken are named."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import Transient, VerificationFailed
from orchestrator.model.items import Attempt, Item, Output
from orchestrator.model.states import State
from orchestrator.query import load_job
from orchestrator.query.expected import Expectations
from orchestrator.query.request import parse_query
from orchestrator.services.verify import Found, OutputVerifier
from orchestrator.settings import CollectConfig, QencodeService, TranscoderService
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.wiring.verification import FfmpegProber, build_verifier
from tests.media import coded_clip, ffmpeg, toolchain
from tests.services.contract_verifier import VerifierContract
from tests.transcoder.encodes import Listener, inputs

MP4 = {"output": "mp4", "size": "64x48", "tag": "small"}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source with sound, and what could have become of it."""
    folder = tmp_path_factory.mktemp("clips")
    small = {"size": "64x48", "rate": "10", "gop": 10}
    start = ("-movflags", "+faststart")
    coded_clip(folder / "source.mp4", seconds=3, sound=1, size="128x96", rate="10")
    coded_clip(folder / "good.mp4", seconds=3, sound=1, options=start, **small)
    coded_clip(folder / "silent.mp4", seconds=3, **small)
    coded_clip(folder / "short.mp4", seconds=1, sound=1, **small)
    coded_clip(folder / "larger.mp4", seconds=3, sound=1, size="128x96", rate="10")
    coded_clip(folder / "smaller.mp4", seconds=3, sound=1, size="32x24", rate="10")
    ffmpeg("-i", folder / "good.mp4", "-vn", "-c", "copy", folder / "audio.mp4")
    whole = (folder / "good.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) * 3 // 4])
    at = whole.index(b"mdat") + 400
    (folder / "damaged.mp4").write_bytes(whole[:at] + os.urandom(3000) + whole[at + 3000 :])
    (folder / "page.mp4").write_bytes(b"<html>gone</html>" * 100)
    (folder / "empty.mp4").write_bytes(b"")
    return folder


Verify = Callable[..., Any]


@pytest.fixture
def verify(clips: Path) -> Verify:
    """Verifies a file as the output of a format; the answer is the notes."""

    async def call(
        name: str,
        wanted: dict[str, Any] | None = None,
        *,
        duration: float | None = 3.0,
        source: str = "source.mp4",
        decode: bool = False,
        output: Output | None = None,
        **query: Any,
    ) -> tuple[str, ...]:
        expectations = Expectations({"format": [wanted or MP4], **query})
        verifier = OutputVerifier(
            expectations, FfmpegProber(toolchain()), decode=decode, tolerance=1.0
        )
        local = str(clips / source) if "://" not in source else source
        attempt = Attempt(1, "s", "", "", duration=duration)
        item = Item(1, "key", State.COLLECTING, local, attempt=attempt)
        return await verifier.verify(item, [output or made(clips / name)])

    return call


def made(path: Path, tag: str = "video-0-0", **values: Any) -> Output:
    size = path.stat().st_size if path.is_file() else None
    kind = tag.partition("-")[0]
    return replace(Output(tag, kind, f"/{path.name}", path=str(path), size=size), **values)


async def test_a_good_file(verify: Verify) -> None:
    assert await verify("good.mp4") == ()
    assert await verify("good.mp4", decode=True) == ()
    assert await verify("good.mp4", {"output": "mp4"}) == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("silent.mp4", "expected audio and video; it holds video"),
        ("short.mp4", "expected 3.00 s; it is 1.0"),
        ("larger.mp4", "expected 64x48; it is 128x96"),
        ("smaller.mp4", "expected 64x48; it is 32x24"),
        ("audio.mp4", "it holds audio"),
        ("cut.mp4", "expected a whole file; its last .* bytes are missing"),
        ("page.mp4", "expected a media file"),
        ("empty.mp4", "it is empty"),
        ("none.mp4", "expected a file; there is none"),
    ],
)
async def test_a_bad_file(verify: Verify, clips: Path, name: str, words: str) -> None:
    with pytest.raises(VerificationFailed, match=words) as failed:
        await verify(name)
    assert str(clips / name) in str(failed.value)


async def test_damage_inside_shows_when_it_is_decoded(verify: Verify) -> None:
    assert await verify("damaged.mp4") == ()
    with pytest.raises(VerificationFailed, match="the decoder complains"):
        await verify("damaged.mp4", decode=True)


async def test_another_size_than_was_collected(verify: Verify, clips: Path) -> None:
    with pytest.raises(VerificationFailed, match="bytes, as collected"):
        await verify("", output=made(clips / "good.mp4", size=17))


async def test_a_source_without_sound_makes_outputs_without(verify: Verify) -> None:
    assert await verify("silent.mp4", source="silent.mp4") == ()
    assert await verify("silent.mp4", source="http://elsewhere/a.mp4") == ()


async def test_a_small_source_may_be_left_as_it_is(verify: Verify) -> None:
    assert await verify("smaller.mp4", source="smaller.mp4") == ()
    with pytest.raises(VerificationFailed, match="64x48"):
        await verify("smaller.mp4", source="smaller.mp4", upscale=1)


async def test_part_of_a_source(verify: Verify) -> None:
    clip = {**MP4, "start_time": 1.5, "duration": 1}
    assert await verify("short.mp4", clip, duration=3.0) == ()
    assert await verify("short.mp4", {**MP4, "start_time": 9}, duration=10.0) == ()
    with pytest.raises(VerificationFailed, match=r"expected 1\.00 s"):
        await verify("good.mp4", clip, duration=3.0)


async def test_how_long_by_whom(verify: Verify, clips: Path) -> None:
    assert await verify("good.mp4", duration=None) == ()
    with pytest.raises(VerificationFailed, match=r"expected 3\.0"):
        await verify("short.mp4", duration=None)  # the source itself was looked into
    told = made(clips / "good.mp4", duration=8.0)
    with pytest.raises(VerificationFailed, match=r"expected 8\.00 s"):
        await verify("", duration=None, output=told)
    (note,) = await verify("good.mp4", duration=None, source="http://elsewhere/a.mp4")
    assert "nobody says how long" in note


@dataclass
class Says:
    """A prober that finds what it is told to."""

    seconds: float

    async def probe(self, path: Path) -> Found:
        return Found(frozenset({"video", "audio"}), self.seconds, (64, 48))

    async def decode(self, path: Path) -> str:
        return ""

    async def decode_joined(self, heads: Sequence[Path], media: Sequence[Path]) -> str:
        return ""


@pytest.mark.parametrize(
    ("found", "wanted", "good"),
    [
        *((2.1, 3, True), (1.9, 3, False), (3.9, 3, True), (4.1, 3, False)),
        *((991, 1000, True), (989, 1000, False), (1009, 1000, True), (1011, 1000, False)),
    ],
)
async def test_lengths_may_differ_by_the_tolerance_or_one_percent(
    clips: Path, found: float, wanted: float, good: bool
) -> None:
    verifier = OutputVerifier(Expectations({"format": [MP4]}), Says(found), tolerance=1.0)
    attempt = Attempt(1, "s", "", "", duration=wanted)
    item = Item(1, "key", State.COLLECTING, "/a.mp4", attempt=attempt)
    if good:
        assert await verifier.verify(item, [made(clips / "good.mp4")]) == ()
    else:
        with pytest.raises(VerificationFailed, match=f"expected {wanted}.00 s"):
            await verifier.verify(item, [made(clips / "good.mp4")])


async def test_what_the_query_does_not_tell_is_noted(verify: Verify) -> None:
    (note,) = await verify("page.mp4", {"output": "drm_of_the_future"})
    assert note.startswith("video-0-0: the query does not tell")


async def test_a_row_of_images_in_another_form_than_ours_is_noted(
    verify: Verify, clips: Path
) -> None:
    output = made(clips / "good.mp4", "image-0-0")
    (note,) = await verify("", {"output": "thumbnails"}, output=output)
    assert "only its size was verified" in note


async def test_what_is_on_the_services_disk(verify: Verify) -> None:
    away = Output("video-0-0", "video", "file:///no/such.mp4", path="/no/such.mp4")
    (note,) = await verify("", output=away)
    assert "the service's own disk" in note


async def test_images(verify: Verify, clips: Path, tmp_path: Path) -> None:
    for kind in ("png", "jpg"):
        image = tmp_path / f"a.{kind}"
        ffmpeg("-i", clips / "good.mp4", "-frames:v", "1", "-update", "1", image)
        wanted = {"output": "thumbnail", "image_format": kind, "size": "64x48"}
        output = made(image, "image-0-0")
        assert await verify("", wanted, output=output, decode=True) == ()
        with pytest.raises(VerificationFailed, match="expected 32x48; it is 64x48"):
            await verify("", {**wanted, "size": "32x48"}, output=output)
        other = {"png": "jpg", "jpg": "png"}[kind]
        with pytest.raises(VerificationFailed, match=f"expected a {other} image; it is a {kind}"):
            await verify("", {**wanted, "image_format": other}, output=output)
        image.write_bytes(image.read_bytes()[:-10])
        with pytest.raises(VerificationFailed, match=f"a whole {kind} image"):
            await verify("", wanted, output=made(image, "image-0-0"))


async def test_the_smallest_images_decode_too(verify: Verify, tmp_path: Path) -> None:
    for kind in ("png", "jpg"):
        image = tmp_path / f"a%03d.{kind}"
        ffmpeg("-f", "lavfi", "-i", "color=red:s=16x16", "-frames:v", "1", "-update", "1", image)
        wanted = {"output": "thumbnail", "image_format": kind}
        assert await verify("", wanted, output=made(image, "image-0-0"), decode=True) == ()


async def test_documents(verify: Verify, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text, words in (("{}", ""), ("[]", "it holds a list"), ("{", "can't be read")):
        path.write_text(text)
        output = made(path, "text-0-0")
        if not words:
            assert await verify("", {"output": "metadata"}, output=output) == ()
            continue
        with pytest.raises(VerificationFailed, match=words):
            await verify("", {"output": "metadata"}, output=output)


FORMATS: list[dict[str, Any]] = [
    {"output": "mp4", "height": 48, "tag": "v"},
    {"output": "mp4", "size": "320x240", "tag": "big"},
    {"output": "thumbnail", "time": 0.5, "tag": "t"},
    {"output": "thumbnails", "interval": 1, "image_format": "jpg", "tag": "ts"},
    {"output": "metadata"},
]


async def test_what_our_own_transcoder_makes_is_good(clips: Path, tmp_path: Path) -> None:
    query = parse_query({"source": "tus:any", "format": FORMATS})
    encoder = FfmpegEncoder(toolchain())
    encoded = await encoder.encode(query, inputs(clips / "source.mp4"), tmp_path, Listener())
    outputs = [
        Output(
            each.tag,
            each.kind,
            f"/{each.path.name}/{each.entry}" if each.entry else f"/{each.path.name}",
            user_tag=each.user_tag,
            path=str(each.path),
            size=each.size,
        )
        for each in encoded.outputs
    ]
    attempt = Attempt(1, "s", "", "", duration=encoded.duration)
    item = Item(1, "key", State.COLLECTING, str(clips / "source.mp4"), attempt=attempt)
    expectations = Expectations({"format": FORMATS})
    verifier = OutputVerifier(expectations, FfmpegProber(toolchain()), decode=True)
    assert await verifier.verify(item, outputs) == ()

    images = next(each for each in outputs if each.user_tag == "ts")
    gone = _without_one(Path(images.path or ""))
    with pytest.raises(VerificationFailed, match=f"{gone}: expected a file; there is none"):
        await verifier.verify(item, outputs)


def _without_one(folder: Path) -> str:
    """Take the first image out of a folder; its name."""
    image = min(folder.glob("*.jpg"))
    image.unlink()
    return image.name


class TestContract(VerifierContract):
    @pytest.fixture
    def verifier(self) -> OutputVerifier:
        return OutputVerifier(Expectations({"format": [MP4]}), FfmpegProber(toolchain()))

    @pytest.fixture
    def good(self, clips: Path, tmp_path: Path) -> Output:
        return made(shutil.copy(clips / "good.mp4", tmp_path / "a.mp4"))

    @pytest.fixture
    def bad(self, clips: Path, tmp_path: Path) -> Output:
        return made(shutil.copy(clips / "audio.mp4", tmp_path / "b.mp4"))


async def test_a_decode_that_takes_too_long_is_tried_again(clips: Path) -> None:
    with pytest.raises(Transient, match="too long"):
        await FfmpegProber(toolchain(), longest=0).decode(clips / "good.mp4")


# --- levels ----------------------------------------------------------------------


def build(tmp_path: Path, level: str, job_level: str = "", **service: Any) -> tuple[Any, list[str]]:
    notes: list[str] = []
    verify = f'verify = "{job_level}"' if job_level else ""
    (tmp_path / "job.toml").write_text(
        f"""
        manifest = "."
        [[query.format]]
        output = "mp4"
        [collect]
        into = "outputs/{{stem}}"
        {verify}
        """
    )
    settings = (
        TranscoderService(kind="transcoder", **service)
        if service
        else QencodeService(kind="qencode")
    )
    config = CollectConfig.model_validate({"verify": level})
    return build_verifier(config, load_job(tmp_path / "job.toml"), settings, notes.append), notes


def page(tmp_path: Path) -> Output:
    (tmp_path / "page.mp4").write_bytes(b"not media")
    return made(tmp_path / "page.mp4")


ITEM = Item(1, "key", State.COLLECTING, "/none.mp4", attempt=Attempt(1, "s", "", ""))


async def test_the_jobs_level_is_stronger(tmp_path: Path) -> None:
    assert build(tmp_path, "probe", "none")[0] is None
    assert build(tmp_path, "none")[0] is None
    verifier, _ = build(tmp_path, "none", "probe")
    with pytest.raises(VerificationFailed, match="a media file"):
        await verifier.verify(ITEM, [page(tmp_path)])
    verifier, notes = build(tmp_path, "size")
    assert await verifier.verify(ITEM, [page(tmp_path)]) == ()
    assert notes == []


async def test_without_ffprobe_sizes_are_verified_and_it_is_said(tmp_path: Path) -> None:
    verifier, notes = build(tmp_path, "probe", ffprobe=tmp_path / "none")
    (note,) = notes
    assert "Only the sizes of outputs are verified" in note
    assert "ffprobe" in note
    assert await verifier.verify(ITEM, [page(tmp_path)]) == ()
    with pytest.raises(VerificationFailed):
        await verifier.verify(ITEM, [replace(page(tmp_path), size=1)])


def test_a_level_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="verify"):
        build(tmp_path, "probe", "everything")
