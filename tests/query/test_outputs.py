"""Every output: what it is made of by default, what belongs to it, what it can't be."""

from base64 import b64decode
from typing import Any

import pytest

from orchestrator.query import OUTPUTS, QueryError, kind_of, parse_query

HEX = "00112233445566778899aabbccddeeff"
PSSH = "AAAAIHBzc2gAAAAAeHh4eHh4eHh4eHh4eHh4eAAAAAA="
ENCRYPTION = {"key": HEX, "iv": HEX, "key_url": "https://keys.example.com/1"}
CENC = {"key": HEX, "key_id": HEX, "pssh": PSSH}
FPS = {"key": HEX, "iv": HEX, "key_url": "skd://fps.example.com/;1"}

#: What an output can't be without.
NEEDED: dict[str, dict[str, Any]] = {"vmaf": {"distorted": "https://127.0.0.1/worse.mp4"}}


def one(output: str, **attributes: object) -> Any:
    """The only format of a query."""
    wanted = {"output": output, **NEEDED.get(output, {}), **attributes}
    return parse_query({"source": "tus:0a1b", "format": [wanted]}).format[0]


def problem(output: str, **attributes: object) -> str:
    """The only problem of a format, without its path's beginning."""
    with pytest.raises(QueryError) as caught:
        one(output, **attributes)
    (found,) = str(caught.value).splitlines()
    return found.removeprefix("query.format[0].")


@pytest.mark.parametrize(
    ("output", "codecs", "kind"),
    [
        ("mp4", ("libx264", "aac"), "video"),
        ("webm", ("libvpx-vp9", "libopus"), "video"),
        ("gif", (None, None), "video"),
        ("repack", (None, None), "video"),
        ("mp3", (None, "mp3"), "audio"),
        ("flac", (None, "flac"), "audio"),
        ("thumbnail", (None, None), "image"),
        ("thumbnails", (None, None), "image"),
        ("metadata", (None, None), "text"),
        ("speech_to_text", (None, None), "text"),
        ("vmaf", (None, None), "text"),
    ],
)
def test_files_by_default(output: str, codecs: tuple[str | None, str | None], kind: str) -> None:
    asked = one(output)
    assert (getattr(asked, "video_codec", None), getattr(asked, "audio_codec", None)) == codecs
    assert kind_of(asked) == kind
    assert asked.allow_soft_fail is False
    assert one(output, allow_soft_fail="1").allow_soft_fail is True


@pytest.mark.parametrize(
    ("output", "codecs", "name"),
    [
        ("advanced_hls", ("libx264", "aac"), "playlist.m3u8"),
        ("advanced_dash", ("libx264", "aac"), "playlist.mpd"),
        ("webm_dash", ("libvpx-vp9", "libopus"), "playlist.mpd"),
        ("hls_audio", (None, "aac"), "playlist.m3u8"),
    ],
)
def test_streaming_by_default(
    output: str, codecs: tuple[str | None, str | None], name: str
) -> None:
    asked = one(output)
    (stream,) = asked.stream
    assert (getattr(stream, "video_codec", None), stream.audio_codec) == codecs
    assert (asked.playlist_name, asked.segment_duration, asked.packager_version) == (name, 9, 1)
    assert kind_of(asked) == ("audio" if output == "hls_audio" else "video")
    (given,) = one(output, stream=[{"audio_bitrate": 96}]).stream
    assert (given.audio_bitrate, given.audio_codec) == (96, codecs[1])


def test_every_output_is_read_back_as_it_was_sent() -> None:
    for output in OUTPUTS:
        query = parse_query(
            {"source": "tus:1", "format": [{"output": output} | NEEDED.get(output, {})]}
        )
        assert query.document()["format"] == [{"output": output, **NEEDED.get(output, {})}]


# --- where an attribute belongs ------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["height", "bitrate", "quality", "video_codec", "audio_bitrate", "tag", "user_tag", "logo"],
)
@pytest.mark.parametrize("output", ["advanced_hls", "advanced_dash", "webm_dash"])
def test_what_a_stream_says_is_no_attribute_of_its_format(output: str, name: str) -> None:
    words = f'{name}: is not an attribute of "{output}" itself (move it to each of its streams)'
    assert problem(output, **{name: "x"}) == words


@pytest.mark.parametrize(
    "name", ["fmp4", "destination", "segment_duration", "subtitles", "start_time"]
)
def test_what_a_format_says_is_no_attribute_of_a_stream(name: str) -> None:
    words = f"stream[0].{name}: is not an attribute of a stream (move it to the format)"
    assert problem("advanced_hls", stream=[{name: 1}]) == words


def test_what_the_documents_leave_on_the_format_holds_for_all_its_streams() -> None:
    asked = one(
        "advanced_hls",
        optimize_bitrate=1,
        max_crf=30,
        stream=[{"height": 240}, {"height": 120, "max_crf": "28"}],
    )
    assert [each.optimize_bitrate for each in asked.stream] == [True, True]
    assert [each.max_crf for each in asked.stream] == [30, 28]
    (alone,) = one("advanced_hls", deinterlace=1).stream
    assert alone.deinterlace is True


def test_a_fault_in_it_is_told_once_and_where_it_stands() -> None:
    found = problem("advanced_hls", hdr_to_sdr=7, stream=[{"height": 240}, {"height": 120}])
    assert found == "hdr_to_sdr: 7 is not a flag (write 0 or 1)"
    found = problem("advanced_hls", hdr_to_sdr=7)
    assert found == "hdr_to_sdr: 7 is not a flag (write 0 or 1)"


def test_sound_alone_has_no_picture() -> None:
    words = 'height: is not an attribute of "mp3" outputs (it is for mp4, webm, '
    assert problem("mp3", height=4).startswith(words)
    assert problem("hls_audio", stream=[{"height": 4}]) == "stream[0].height: unknown attribute"
    assert problem("hls_audio", deinterlace=1).startswith("deinterlace: is not an attribute of")


@pytest.mark.parametrize(
    ("output", "attributes", "words"),
    [
        ("webm", {"video_codec": "libx264"}, "video_codec: must be 'libvpx', 'libvpx-vp9' or"),
        ("webm", {"audio_codec": "aac"}, "audio_codec: must be 'libvorbis' or 'libopus'"),
        ("mp4", {"video_codec": "libvpx-vp9"}, "video_codec: must be 'libx264', 'libx265' or"),
        ("mp3", {"audio_codec": "aac"}, "audio_codec: must be 'mp3'"),
        ("flac", {"audio_codec": "mp3"}, "audio_codec: must be 'flac'"),
        ("gif", {"video_codec": "libx264"}, 'video_codec: is not an attribute of "gif" outputs'),
        ("repack", {"bitrate": 9}, 'bitrate: is not an attribute of "repack" outputs'),
        ("webm", {"keep_360_metadata": 1}, "keep_360_metadata: is not an attribute of"),
        (
            "mp4",
            {"video_codec": "lcevc_h264"},
            "video_codec: needs an LCEVC encoder, which this product does not carry",
        ),
        (
            "advanced_hls",
            {"stream": [{}, {"video_codec": "libsvtav1"}]},
            "stream[1].video_codec: AV1 does not fit into MPEG-TS (set fmp4 to 1)",
        ),
        ("advanced_hls", {"stream": []}, "stream: must hold at least one"),
        ("advanced_hls", {"stream": ["x"]}, "stream[0]: must be an object"),
        ("advanced_hls", {"stream": {}}, "stream: must be a list"),
        ("advanced_hls", {"stream": {}, "optimize_bitrate": 1}, "optimize_bitrate: is not an att"),
    ],
)
def test_what_an_output_does_not_know(output: str, attributes: dict[str, Any], words: str) -> None:
    found = [line.removeprefix("query.format[0].") for line in _problems(output, attributes)]
    assert any(line.startswith(words) for line in found), found


def _problems(output: str, attributes: dict[str, Any]) -> list[str]:
    with pytest.raises(QueryError) as caught:
        one(output, **attributes)
    return str(caught.value).splitlines()


# --- packaging -----------------------------------------------------------------------


def test_av1_fits_into_fragmented_mp4() -> None:
    stream = [{"video_codec": "libsvtav1"}]
    assert one("advanced_hls", fmp4=1, stream=stream).stream[0].video_codec == "libsvtav1"
    assert one("advanced_dash", stream=stream).stream[0].video_codec == "libsvtav1"


@pytest.mark.parametrize(
    ("output", "attributes", "words"),
    [
        ("advanced_hls", {"playlist_name": "../a.m3u8"}, "playlist_name: is not a file's name"),
        ("advanced_hls", {"playlist_name": "a\nb.m3u8"}, "playlist_name: is not a file's name"),
        ("advanced_hls", {"playlist_name": "a.mpd"}, "playlist_name: is no name of a .m3u8 file"),
        ("advanced_dash", {"playlist_name": ".mpd"}, "playlist_name: is no name of a .mpd file"),
        ("hls_audio", {"stream": [{"chunklist_name": ".."}]}, "stream[0].chunklist_name: is not"),
        ("advanced_hls", {"segment_duration": 0}, "segment_duration: must be at least 1"),
        ("advanced_hls", {"packager_version": 3}, "packager_version: must be 1 or 2"),
        ("advanced_hls", {"incremental_tag": " "}, "incremental_tag: must be a line of at most"),
        ("advanced_hls", {"incremental_tag": "a\nb"}, "incremental_tag: must be a line of at most"),
        (
            "advanced_hls",
            {"single_folder": 1, "stream": [{"chunklist_name": "playlist.m3u8"}]},
            "stream[0].chunklist_name: is the name of another playlist (give it its own)",
        ),
        (
            "hls_audio",
            {"single_folder": 1, "stream": [{"chunklist_name": "a"}, {"chunklist_name": "a"}]},
            "stream[1].chunklist_name: is the name of another playlist (give it its own)",
        ),
        (
            "advanced_hls",
            {"destination": {"url": "file:///srv/a/playlist.m3u8"}},
            "destination: names a file where many are stored (write the folder;",
        ),
    ],
)
def test_packaging_that_can_not_be(output: str, attributes: dict[str, Any], words: str) -> None:
    assert problem(output, **attributes).startswith(words)


def test_names_may_repeat_in_folders_of_their_own() -> None:
    streams = [{"chunklist_name": "index.m3u8"}, {"chunklist_name": "index.m3u8"}]
    assert len(one("advanced_hls", stream=streams).stream) == 2


@pytest.mark.parametrize("output", ["mp4", "webm", "mp3", "flac", "gif", "repack", "vmaf"])
def test_one_file_is_stored_under_its_name(output: str) -> None:
    folder = {"url": "file:///srv/folder/"}
    assert problem(output, destination=folder).startswith("destination: names a folder where a")


@pytest.mark.parametrize("output", ["advanced_hls", "webm_dash", "hls_audio", "speech_to_text"])
def test_many_files_are_stored_in_a_folder(output: str) -> None:
    assert one(output, destination={"url": "file:///srv/folder"}).destination


# --- protection ----------------------------------------------------------------------


def test_keys_are_read_and_never_shown() -> None:
    asked = one("advanced_hls", encryption=ENCRYPTION | {"key": HEX.upper()})
    assert asked.encryption.key.get_secret_value() == HEX
    assert HEX not in repr(asked.encryption.key)
    query = parse_query(
        {"source": "tus:1", "format": [{"output": "advanced_hls", "encryption": ENCRYPTION}]}
    )
    assert query.document()["format"][0]["encryption"] == ENCRYPTION
    assert query.model_dump(mode="json")["format"][0]["encryption"]["key"] == "**********"


def test_a_key_id_loses_its_dashes() -> None:
    guid = "297f600f-1234-1234-b060-2ac13cc42585"
    asked = one("advanced_dash", cenc_drm=CENC | {"key_id": guid, "iv": HEX[:16]})
    assert asked.cenc_drm.key_id == guid.replace("-", "")
    assert asked.cenc_drm.iv == HEX[:16]


def test_a_pssh_is_a_box_or_becomes_one() -> None:
    given = one("advanced_dash", cenc_drm=CENC).cenc_drm
    assert given.pssh_boxes == b64decode(PSSH)
    bare = one("advanced_dash", cenc_drm=CENC | {"pssh": "CAES"}).cenc_drm.pssh_boxes
    size, kind, system = int.from_bytes(bare[:4], "big"), bare[4:8], bare[12:28].hex()
    assert (size, kind, system) == (len(bare), b"pssh", "edef8ba979d64acea3c827dcd51d21ed")
    assert bare[28:] == b"\0\0\0\3" + b64decode("CAES")


@pytest.mark.parametrize(
    ("output", "attributes", "words"),
    [
        ("mp4", {"encryption": ENCRYPTION}, "encryption: is not an attribute of"),
        ("advanced_dash", {"encryption": ENCRYPTION}, "encryption: is not an attribute of"),
        ("advanced_dash", {"fps_drm": FPS}, "fps_drm: is not an attribute of"),
        ("webm_dash", {"cenc_drm": CENC}, "cenc_drm: is not an attribute of"),
        ("advanced_hls", {"stream": [{"fps_drm": FPS}]}, "stream[0].fps_drm: is not an attri"),
        (
            "advanced_hls",
            {"cenc_drm": CENC, "fps_drm": FPS},
            "fps_drm: contradicts cenc_drm (ask for two outputs, one for each)",
        ),
        (
            "advanced_hls",
            {"encryption": ENCRYPTION | {"key": "73313373"}},
            "encryption.key: must be 32 hexadecimal digits (decode it from base64 first)",
        ),
        ("advanced_hls", {"encryption": ENCRYPTION | {"key": 5}}, "encryption.key: must be text"),
        ("advanced_hls", {"encryption": ENCRYPTION | {"iv": HEX[1:]}}, "encryption.iv: must be 32"),
        (
            "advanced_hls",
            {"encryption": ENCRYPTION | {"key_url": 'a"b'}},
            "encryption.key_url: is not a URL",
        ),
        ("advanced_hls", {"encryption": {"key": HEX, "iv": HEX}}, "encryption.key_url: is requ"),
        ("advanced_hls", {"fps_drm": FPS | {"kay": 1}}, "fps_drm.kay: unknown attribute (did you"),
        ("advanced_dash", {"cenc_drm": CENC | {"pssh": ""}}, "cenc_drm.pssh: is empty"),
        ("advanced_dash", {"cenc_drm": CENC | {"pssh": "?"}}, "cenc_drm.pssh: is not base64"),
        ("advanced_dash", {"cenc_drm": CENC | {"iv": HEX[:8]}}, "cenc_drm.iv: must be 16 or 32"),
    ],
)
def test_protection_that_can_not_be(output: str, attributes: dict[str, Any], words: str) -> None:
    found = problem(output, **attributes)
    assert found.startswith(words)
    assert "73313373" not in found


# --- the others ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "attributes", "words"),
    [
        (
            "repack",
            {"video_copy": 0, "audio_copy": 0, "subtitles_copy": 0},
            "video_copy: leaves nothing of the source (keep one of",
        ),
        ("thumbnails", {"columns": 5}, "columns: are those of a sprite (set sprite to 1)"),
        ("thumbnails", {"sprite": 1, "columns": 0}, "columns: must be at least 1"),
        ("vmaf", {"distorted": "worse.mp4"}, "distorted: is not a source"),
        ("vmaf", {"distorted": None}, "distorted: is required"),
        ("vmaf", {"n_subsample": "0"}, "n_subsample: must be at least 1"),
        ("vmaf", {"vmaf_model": "best"}, "vmaf_model: must be 'vmaf_v0.6.1', "),
        ("speech_to_text", {"mode": "fast"}, "mode: must be 'balanced', 'accuracy' or 'speed'"),
        ("speech_to_text", {"language": "eng"}, "language: is not a language of ISO 639-1"),
        ("speech_to_text", {"language": "qq"}, "language: is not a language of ISO 639-1"),
        (
            "speech_to_text",
            {"translate_languages": ["en", "xx"]},
            "translate_languages[1]: is not a language of ISO 639-1",
        ),
        ("speech_to_text", {"translate_languages": ["en"] * 16}, "translate_languages: must hold"),
        ("speech_to_text", {"srt_name": "a/b"}, "srt_name: is not a file's name"),
        (
            "speech_to_text",
            {"srt_name": "subtitles.vtt"},
            "vtt_name: is the name of another file (give it its own)",
        ),
        (
            "speech_to_text",
            {"transcript": 0, "json": 0, "srt": 0, "vtt": 0},
            "vtt: leaves no file to make (keep one of transcript, json, srt and vtt)",
        ),
        ("speech_to_text", {"jsn": 0}, 'jsn: unknown attribute (did you mean "json"?)'),
        ("speech_to_text", {"json_file": 0}, "json_file: unknown attribute"),
    ],
)
def test_values_that_can_not_be(output: str, attributes: dict[str, Any], words: str) -> None:
    assert problem(output, **attributes).startswith(words)


def test_a_transcript_has_the_documents_names() -> None:
    names = ("transcript.txt", "timestamps.json", "subtitles.srt", "subtitles.vtt")
    assert one("speech_to_text").files == names
    asked = one("speech_to_text", json=0, vtt="0", srt_name="a.srt", language="EN", start_time=5)
    assert (asked.files, asked.language) == (("transcript.txt", "a.srt"), "en")


def test_what_is_copied_by_default() -> None:
    asked = one("repack", audio_copy="0")
    copied = (asked.video_copy, asked.audio_copy, asked.subtitles_copy, asked.metadata_copy)
    assert copied == (True, False, True, True)


def test_a_frame_number_comes_before_a_time() -> None:
    asked = one("thumbnail", time=0.5, frame_number="3")
    assert (asked.time, asked.frame_number) == (None, 3)
    found = problem("thumbnail", start_time=1, frame_number=3)
    assert found == "frame_number: contradicts start_time (one thumbnail is taken at one moment)"


def test_the_vendors_own_storage_needs_no_keys() -> None:
    place = {"url": "s3://us-west.s3.qencode.com/bucket/a.mp4"}
    assert one("mp4", destination=place).destination[0].key is None
    elsewhere = {"url": "s3://us-west.s3.example.com/bucket/a.mp4"}
    assert problem("mp4", destination=elsewhere) == "destination.key: is required with s3://"
