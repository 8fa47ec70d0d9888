"""Profiles: what is taken, what is refused and why, and that they keep."""

import pytest

from orchestrator.query import QueryError
from orchestrator.transcoder.edge.profile import ALLOWED, parse_profile
from orchestrator.transcoder.edge.query import check_makeable
from orchestrator.transcoder.server import Transcoder
from tests.transcoder.edge.conftest import PROFILE, Plain

OVERLAY = {"profile_type": "overlay", "url": "https://example.com/logo.png"}
HLS = {"profile_type": "hls"}


def test_defaults_are_the_documents():
    profile = parse_profile({**PROFILE, "custom_profiles": [OVERLAY, HLS]})
    assert (profile.video_bitrate, profile.audio_codec, profile.audio_bitrate) == (
        1000,
        "libfdk_aac",
        96,
    )
    assert profile.overlay is not None
    assert (profile.overlay.scale_width, profile.overlay.offset_x) == (128, 44)
    assert (profile.overlay.opacity, profile.overlay.horizontal, profile.overlay.vertical) == (
        0.8,
        "right",
        "top",
    )
    assert profile.hls is not None
    assert (profile.hls.hls_time, profile.hls.master_pl_name) == (5, "master.m3u8")
    assert profile.hls.pix_fmt == "yuv420p"
    assert not profile.restrict_bitrate


@pytest.mark.parametrize("field", ["video_formats", "video_codecs", "audio_codecs", "video_aspect"])
def test_every_allowed_value_is_taken_by_some_profile(field):
    name = field.removesuffix("s")
    for value in ALLOWED[field]:
        check_makeable(parse_profile({**PROFILE, name: value}))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": None}, "name"),
        ({"name": " "}, "name"),
        ({"video_format": "avi"}, "video_format"),
        ({"video_codec": "libx265"}, "video_codec"),
        ({"audio_codec": "flac"}, "audio_codec"),
        ({"video_aspect": "2:1"}, "video_aspect"),
        ({"video_bitrate": "fast"}, "video_bitrate"),
        ({"video_bitrate": "xk"}, "video_bitrate"),
        ({"video_widht": 640}, "video_widht"),
        ({"restrict_bitrate": "maybe"}, "restrict_bitrate"),
        ({"custom_profiles": [OVERLAY, OVERLAY]}, "custom_profiles"),
        ({"custom_profiles": [OVERLAY], "video_width": 640}, "custom_profiles"),
        (
            {"custom_profiles": [{**OVERLAY, "position": "before"}], "video_aspect": "4:3"},
            "custom_profiles",
        ),
        ({"custom_profiles": [HLS], "segmentation": True}, "segmentation"),
        ({"custom_profiles": [HLS], "audio_codec": "ac3"}, "audio_codec"),
        ({"custom_profiles": [HLS], "video_codec": "copy"}, "video_codec"),
        ({"custom_profiles": [HLS], "video_format": "rawvideo"}, "video_format"),
        ({"custom_profiles": [{**HLS, "hls_list_size": 5}]}, "custom_profiles[0].hls_list_size"),
        ({"custom_profiles": [{**HLS, "hls_flags": "x"}]}, "custom_profiles[0].hls_flags"),
        ({"custom_profiles": [{**HLS, "maxrate": 900}]}, "custom_profiles[0].maxrate"),
        ({"custom_profiles": [{**HLS, "h264_level": "9"}]}, "custom_profiles[0].h264_level"),
        ({"video_codec": "copy", "video_width": 640}, "video_width"),
        ({"video_codec": "copy", "custom_profiles": [OVERLAY]}, "custom_profiles"),
        ({"video_codec": "webm", "video_format": "mpegts"}, "video_format"),
        ({"video_codec": "webm", "audio_codec": "ac3"}, "audio_codec"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(changes, field):
    with pytest.raises(QueryError) as caught:
        parse_profile({**PROFILE, **changes})
    assert caught.value.field.replace(".hls.", ".") == f"profile.{field}"
    assert caught.value.message


def test_rates_and_levels_are_read_as_ffmpeg_writes_them():
    custom = {**HLS, "maxrate": "1.2M", "bufsize": "2400k", "h264_level": 3.1, "framerate": "29.97"}
    profile = parse_profile({**PROFILE, "video_bitrate": "1100k", "custom_profiles": [custom]})
    check_makeable(profile)
    assert profile.hls is not None
    assert (profile.video_bitrate, profile.hls.maxrate, profile.hls.bufsize) == (1100, 1200, 2400)
    assert profile.hls.h264_level == "31"
    assert parse_profile(profile.document()) == profile


async def test_profiles_are_made_read_changed_and_removed(plain):
    status, made = await plain.call("POST", "transcoding_profiles/", json=PROFILE)
    assert (status, made["company"], made["video_bitrate"]) == (201, "1", 1000)
    path = f"transcoding_profile/{made['id']}/"
    assert await plain.call("GET", path) == (200, made)
    status, changed = await plain.call("PUT", path, json={**made, "restrict_bitrate": True})
    assert (status, changed) == (200, {**made, "restrict_bitrate": True})
    assert (await plain.call("GET", "transcoding_profiles/"))[1] == [changed]
    assert await plain.call("DELETE", path) == (204, None)
    for method in ("GET", "DELETE"):
        assert (await plain.call(method, path))[0] == 404
    assert (await plain.call("PUT", path, json=PROFILE))[0] == 404
    assert await plain.profile() > made["id"]  # no id is given twice


async def test_profiles_come_as_forms_too(plain):
    form = {**PROFILE, "segmentation": "false", "custom_profiles": '[{"profile_type":"hls"}]'}
    status, made = await plain.call("POST", "transcoding_profiles/", data=form)
    assert (status, made["segmentation"]) == (201, False)
    assert made["custom_profiles"][0]["hls_time"] == 5


async def test_a_refusal_names_the_field(plain):
    status, told = await plain.call(
        "POST", "transcoding_profiles/", json={**PROFILE, "video_codec": "libx265"}
    )
    assert status == 400
    assert told["field"] == "profile.video_codec"
    status, told = await plain.call("POST", "transcoding_profiles/", data=b"[]")
    assert status == 400


async def test_profiles_survive_a_restart_and_show_no_password(edge_settings, encoder, http):
    settings = edge_settings()
    url = "ftp://user:pass-of-logo@example.com/logo.png"
    async with Transcoder(settings, encoder) as service:
        client = Plain(service.url, http)
        await client.login()
        id_ = await client.profile(custom_profiles=[{**OVERLAY, "url": url}])
    async with Transcoder(settings, encoder) as service:
        client.media = client.media.replace(client.url, service.url)
        status, found = await client.call("GET", f"transcoding_profile/{id_}/")
    assert status == 200
    assert found["custom_profiles"][0]["url"] == "ftp://example.com/logo.png"
    stored = b"".join(file.read_bytes() for file in settings.data.glob("tasks.sqlite*"))
    assert b"pass-of-logo" not in stored
