"""What an output should be follows from the format that it was made for."""

from typing import Any

import pytest

from orchestrator.model.items import Item, Output
from orchestrator.model.states import State
from orchestrator.query.expected import Expectations, Expected, Shape


def item(**fields: str) -> Item:
    return Item(1, "key", State.COLLECTING, "/a.mp4", fields=fields)


def output(tag: str = "video-0-0", user_tag: str | None = None) -> Output:
    return Output(tag, tag.partition("-")[0], "/x", user_tag=user_tag)


def of(*formats: dict[str, Any], made: Output | None = None, **query: Any) -> Expected | None:
    return Expectations({"format": list(formats), **query}).of(item(), made or output())


MP4 = Expected(Shape.MEDIA, frozenset({"video"}), frozenset({"audio"}))


@pytest.mark.parametrize(
    ("wanted", "made", "expected"),
    [
        ({"output": "mp4"}, output(), MP4),
        (
            {"output": "thumbnail", "size": "64x48"},
            output("image-0-0"),
            Expected(Shape.IMAGE, frame=(64, 48), upscale=True, image_format="png"),
        ),
        (
            {"output": "thumbnails", "image_format": "jpg", "width": "64"},
            output("image-0-0"),
            Expected(Shape.IMAGES, upscale=True, image_format="jpg"),
        ),
        ({"output": "metadata"}, output("text-0-0"), Expected(Shape.JSON)),
        (
            {"output": "vmaf", "distorted": "http://127.0.0.1/a.mp4"},
            output("text-0-0"),
            Expected(Shape.JSON),
        ),
        (
            {"output": "speech_to_text", "json": 0, "srt": 0, "start_time": 3},
            output("text-0-0"),
            Expected(Shape.TRANSCRIPT, files=("transcript.txt", "subtitles.vtt")),
        ),
        ({"output": "webm"}, output(), MP4),
        ({"output": "gif"}, output(), Expected(Shape.MEDIA, frozenset({"video"}))),
        (
            {"output": "mp3", "start_time": 3, "duration": 2},
            output("audio-0-0"),
            Expected(Shape.MEDIA, frozenset({"audio"}), start=3, length=2),
        ),
        ({"output": "flac"}, output("audio-0-0"), Expected(Shape.MEDIA, frozenset({"audio"}))),
        (
            {"output": "repack", "audio_copy": 0},
            output(),
            Expected(Shape.MEDIA, if_in_source=frozenset({"video"})),
        ),
        ({"output": "repack", "start_time": 3}, output(), None),
        (
            {"output": "hls_audio", "playlist_name": "a.m3u8"},
            output("audio-0-0"),
            Expected(Shape.STREAMING, frozenset({"audio"}), files=("a.m3u8",), folder="hls_audio"),
        ),
        (
            {"output": "advanced_dash", "create_m3u8_playlist": 1, "duration": 5},
            output(),
            Expected(
                Shape.STREAMING,
                *(frozenset({"video"}), frozenset({"audio"})),
                length=5,
                files=("playlist.mpd", "playlist.m3u8"),
                folder="advanced_dash",
            ),
        ),
        ({"output": "drm_of_the_future"}, output(), None),
        ({"output": "mp4", "height": "${env:HEIGHT}"}, output(), None),
        ({"output": "mp4"}, output("audio-0-0"), None),
    ],
)
def test_every_kind(wanted: dict[str, Any], made: Output, expected: Expected | None) -> None:
    assert of(wanted, made=made) == expected


def test_a_ladder_has_one_folder_whichever_of_its_streams_is_there() -> None:
    def hls(*tags: str) -> dict[str, Any]:
        return {"output": "advanced_hls", "stream": [{"height": 48, "tag": tag} for tag in tags]}

    formats = [hls("a", "b"), hls("c", "c"), hls("d", "e"), hls("f")]
    for user_tag, folder in (
        *(("a", "advanced_hls"), ("b", "advanced_hls")),
        *(("d", "advanced_hls-3"), ("e", "advanced_hls-3"), ("f", "f")),
    ):
        found = of(*formats, made=output("video-0-0-0", user_tag))
        assert found is not None
        assert found.folder == folder


@pytest.mark.parametrize(
    ("tag", "frame"),
    [
        ("video-0-0", (10, 10)),
        ("video-0-1-0", (20, 10)),
        ("video-0-1-1", (30, 10)),
        ("video-0-2", (40, 10)),
        ("video-0-3-0", (50, 10)),
        ("video-0-1", None),
        ("video-0-3", None),
        ("video-0-1-2", None),
        ("video-0-9-0", None),
        ("video", None),
    ],
)
def test_streams_among_other_outputs(tag: str, frame: tuple[int, int] | None) -> None:
    def sides(width: int) -> dict[str, Any]:
        return {"size": f"{width}x10"}

    formats = [
        {"output": "mp4", **sides(10)},
        {"output": "advanced_hls", "stream": [sides(20), sides(30)]},
        {"output": "mp4", **sides(40)},
        {"output": "advanced_dash", "stream": [sides(50), sides(60)]},
    ]
    found = of(*formats, made=output(tag))
    assert (found.frame if found else None) == frame


def test_ladders_alone_may_be_counted_by_their_streams() -> None:
    hls = {"output": "advanced_hls", "stream": [{"size": "10x10"}, {"size": "20x10"}]}
    for tag, frame in (("video-0-1", (20, 10)), ("video-0-3", (20, 10)), ("video-0-4", None)):
        found = of(hls, hls, made=output(tag))
        assert (found.frame if found else None) == frame


def test_codecs_that_the_query_itself_names() -> None:
    stream = {"video_codec": "libx265", "audio_codec": "libfdk_aac"}
    for wanted, codecs in (
        ({"output": "mp4", "video_codec": "libsvtav1"}, ("av1", "")),
        ({"output": "advanced_hls", "fmp4": 1, "stream": [stream]}, ("hevc", "aac")),
        ({"output": "webm"}, ("", "")),
    ):
        found = of(wanted)
        assert found is not None
        assert (found.picture, found.sound) == codecs


def test_translations_may_be_there() -> None:
    found = of(
        {"output": "speech_to_text", "json": 0, "srt": 0, "translate_languages": ["en", "es"]},
        made=output("text-0-0"),
    )
    assert found is not None
    assert found.names == ("transcript.txt", "subtitles.vtt")
    assert found.may_be == (
        *("transcript-en.txt", "subtitles-en.vtt"),
        *("transcript-es.txt", "subtitles-es.vtt"),
    )


@pytest.mark.parametrize(
    ("sides", "frame"),
    [
        ({"width": 640, "height": "360"}, (640, 360)),
        ({"size": "640x360"}, (640, 360)),
        ({"height": 360}, None),
        ({"size": "640x360", "resolution": 480}, None),
    ],
)
def test_the_frame_where_both_sides_are_named(
    sides: dict[str, Any], frame: tuple[int, int] | None
) -> None:
    found = of({"output": "mp4", **sides}, upscale="1")
    assert found is not None
    assert (found.frame, found.upscale) == (frame, True)


def test_which_part_of_the_source() -> None:
    whole = of({"output": "mp4"})
    tail = of({"output": "mp4", "start_time": "10"})
    clip = of({"output": "mp4", "start_time": 10, "duration": 5})
    assert None not in (whole, tail, clip)
    assert [whole.seconds(60), tail.seconds(60), clip.seconds(60)] == [60, 50, 5]
    assert [tail.seconds(5), clip.seconds(12)] == [0, 2]


def test_a_destination_with_a_secret_is_in_nobodys_way() -> None:
    destination = {"url": "${env:BUCKET}/{stem}", "key": "${env:KEY}"}
    assert of({"output": "mp4", "destination": destination}) == MP4


SIZES = [{"output": "mp4", "size": f"{side}x{side}", "tag": f"{side}p"} for side in (100, 200)]


@pytest.mark.parametrize(
    ("made", "side"),
    [
        (output("video-0-1", "100p"), 100),
        (output("video-0-1", "200p"), 200),
        (output("video-0-0"), 100),
        (output("video-0-1"), 200),
        (output("video-0-2"), None),
        (output("video"), None),
        (output("image-0-0"), None),
    ],
)
def test_by_the_clients_tag_else_by_place(made: Output, side: int | None) -> None:
    found = of(*SIZES, made=made)
    assert (found and found.frame) == (side and (side, side))


def test_a_tag_that_two_share_says_nothing() -> None:
    both = [{**each, "tag": "same"} for each in SIZES]
    found = of(*both, made=output("video-0-1", "same"))
    assert found is not None
    assert found.frame == (200, 200)


def test_kinds_are_counted_apart_and_together() -> None:
    formats = [
        {"output": "mp4"},
        {"output": "thumbnail", "tag": "t"},
        {"output": "thumbnails", "tag": "ts"},
    ]
    found = of(*formats, made=output("image-0-1"))
    assert found is not None
    assert found.shape is Shape.IMAGES


def test_placeholders_are_filled_in_from_the_row() -> None:
    query = {"format": [{"output": "mp4", "size": "{w}x{h}", "tag": "{stem}"}]}
    found = Expectations(query).of(item(w="32", h="16", stem="a"), output(user_tag="a"))
    assert found is not None
    assert found.frame == (32, 16)


def test_each_stream_is_an_output_of_its_own() -> None:
    streams = [{"size": "64x36", "tag": "low"}, {"size": "128x72"}]
    formats = [{"output": "mp4"}, {"output": "advanced_hls", "stream": streams}]
    places = {"video-0-0": None, "video-0-1-0": (64, 36), "video-0-1-1": (128, 72)}
    for tag, frame in places.items():
        found = of(*formats, made=output(tag))
        assert found is not None
        assert found.frame == frame
        assert found.shape is (Shape.STREAMING if frame else Shape.MEDIA)
    low = of(*formats, made=output("video-0-9", "low"))
    assert low is not None
    assert (low.frame, low.files) == ((64, 36), ("playlist.m3u8",))
