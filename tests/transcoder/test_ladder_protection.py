"""Protected ladders through the whole media half: who has the key plays, nobody else learns it."""

import asyncio
import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import m3u8
import pytest

from orchestrator.query import parse_query
from orchestrator.transcoder.plan import Means, compile_plan, material
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.probe import probe_source
from tests.media import coded_clip, toolchain
from tests.transcoder.encodes import encode, inputs, only
from tests.transcoder.packaging.media import decoded_frames, files_in, sound_seconds

KEY, IV, KEY_ID = bytes(range(160, 176)), bytes(range(16, 32)), bytes(range(64, 80))
CENC = {
    "key": KEY.hex(),
    "key_id": KEY_ID.hex(),
    "pssh": base64.b64encode(b"\x08\x01\x12\x10" + KEY_ID).decode(),
}
FPS = {"key": KEY.hex(), "iv": IV.hex(), "key_url": "skd://fps.test/;1"}
AES = {"key": KEY.hex(), "iv": IV.hex(), "key_url": "https://keys.test/1?token=secret"}
LADDER = {"output": "advanced_hls", "segment_duration": 1, "stream": [{"height": 60}]}
DASH = {**LADDER, "output": "advanced_dash"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coded_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", size="160x120", sound=2)


def shown_by_system(pid: int) -> list[str]:
    """What other users see of a process that still runs."""
    try:
        return [
            Path(f"/proc/{pid}/{name}").read_bytes().decode() for name in ("cmdline", "environ")
        ]
    except OSError:
        return []


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What anybody may see of each process that is started: its arguments and environment."""
    found: list[str] = []
    start = asyncio.create_subprocess_exec

    async def watched(*command: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await start(*command, **options)
        found.extend((" ".join(map(str, command)), *shown_by_system(process.pid)))
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", watched)
    yield found
    assert found


def whole(home: Path, kind: str) -> Path:
    """A rendition of fragmented MP4 as one file."""
    folder = home / f"{kind}_1"
    parts = [folder / "segment_init.mp4", *sorted(folder.glob("segment_?.m4s"))]
    path = home.parent / f"{kind}.mp4"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


_QUICK = ("aes-ts", "cenc-cmaf")
CASES = {
    "aes-ts": {**LADDER, "encryption": AES},
    "aes-joined": {**LADDER, "separate_audio": 0, "encryption": AES},
    "cenc-ts": {**LADDER, "cenc_drm": CENC},
    "cenc-dash": {**DASH, "cenc_drm": CENC},
    "cenc-cmaf": {**DASH, "create_m3u8_playlist": 1, "cenc_drm": CENC},
    "fps-fmp4": {**LADDER, "fmp4": 1, "fps_drm": FPS},
    "fps-ts": {**LADDER, "fps_drm": FPS},
    "aes-sound": {"output": "hls_audio", "segment_duration": 1, "encryption": AES},
}


@pytest.mark.attribute("format[].encryption.key", "format[].cenc_drm.key", "format[].fps_drm.key")
@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(each, marks=() if name in _QUICK else pytest.mark.slow)
        for name, each in CASES.items()
    ],
    ids=CASES,
)
async def test_no_key_is_ever_seen(clip, tmp_path, asked, seen, caplog):
    """Not in the arguments of any process, nor in a log, a plan, an answer or a file."""
    told = await encode(clip, tmp_path, {**asked, "incremental_tag": "chain"})
    query = parse_query({"source": "tus:0", "format": [asked]})
    film = material(inputs(clip), [await probe_source(toolchain(), clip)])
    plan = compile_plan(query, film, Means())
    shown = "".join((*seen, caplog.text, repr(plan), repr(query), repr(told))).lower()
    for secret in (KEY.hex(), base64.b64encode(KEY).decode().lower(), "token=secret"):
        assert secret not in shown
    (made,) = told.outputs
    for name in files_in(tmp_path):
        path = tmp_path / name
        data = path.read_bytes() if path.is_file() else b""
        assert KEY not in data
        assert KEY.hex().encode() not in data.lower()
    assert made.members


@pytest.mark.attribute(
    "format[].encryption",
    "format[].encryption.iv",
    "format[].encryption.key_url",
)
@pytest.mark.parametrize(
    "more",
    [{}, *(pytest.param(m, marks=pytest.mark.slow) for m in ({"fmp4": 1}, {"separate_audio": 0}))],
    ids=str,
)
async def test_aes_128_opens_with_its_key(clip, tmp_path, more):
    (tmp_path / "the.key").write_bytes(KEY)
    url = f"file://{tmp_path}/the.key"
    made = await only(clip, tmp_path, {**LADDER, **more, "encryption": {**AES, "key_url": url}})
    for name in files_in(made.path, "chunklist.m3u8"):
        (key,) = m3u8.load(str(made.path / name)).keys
        assert (key.method, key.uri, key.iv) == ("AES-128", url, f"0x{IV.hex()}")
    assert decoded_frames(made.path / made.entry) == 50
    assert sound_seconds(made.path / made.entry) == pytest.approx(2.0, abs=0.1)
    (tmp_path / "the.key").write_bytes(IV)
    with pytest.raises(Exception, match=r"."):
        assert decoded_frames(made.path / made.entry) == 50


@pytest.mark.attribute("format[].cenc_drm", "format[].cenc_drm.key_id", "format[].cenc_drm.pssh")
@pytest.mark.parametrize(
    "asked",
    [
        "cenc-ts",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("cenc-dash", "cenc-cmaf")),
    ],
)
async def test_cenc_opens_with_its_key(clip, tmp_path, asked):
    told = await encode(clip, tmp_path, CASES[asked])
    (made,) = told.outputs
    key = ("-decryption_key", KEY.hex())
    assert decoded_frames(whole(made.path, "video"), *key) == 50
    assert sound_seconds(whole(made.path, "audio"), *key) == pytest.approx(2.0, abs=0.1)
    warned = [each.message for each in told.warnings if "fMP4" in each.message]
    assert warned == (
        ["video-0-0: cenc_drm is not for TS segments, so fMP4 took their place"]
        if asked == "cenc-ts"
        else []
    )
    for name in files_in(made.path, "chunklist.m3u8"):
        assert f"KEYID=0x{KEY_ID.hex()}" in (made.path / name).read_text()


@pytest.mark.attribute("format[].fps_drm", "format[].fps_drm.key_url", "format[].fps_drm.iv")
@pytest.mark.slow
async def test_fairplay_opens_with_its_key(clip, tmp_path):
    made = await only(clip, tmp_path, CASES["fps-fmp4"])
    text = (made.path / "video_1" / "chunklist.m3u8").read_text()
    assert re.search('METHOD=SAMPLE-AES,URI="skd://fps.test/;1"', text)
    assert decoded_frames(whole(made.path, "video"), "-decryption_key", KEY.hex()) == 50


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"separate_audio": 0, "cenc_drm": CENC}, "cenc_drm keeps sound apart: set separate_audio"),
        ({"separate_audio": 0, "fps_drm": FPS}, "fps_drm keeps sound apart: set separate_audio"),
        (
            {"fps_drm": FPS, "stream": [{"video_codec": "libx265"}]},
            r"H\.265 in fMP4 alone: set fmp4",
        ),
        ({"cenc_drm": {**CENC, "pssh": base64.b64encode(b"\0\0\0\x09psshx").decode()}}, "PSSH"),
    ],
)
async def test_what_can_not_be_protected_is_refused_before_it_is_encoded(
    clip, tmp_path, more, message, seen
):
    with pytest.raises(MediaError, match=message):
        await only(clip, tmp_path, {**LADDER, **more})
    assert not [command for command in seen if "-progress" in command]
