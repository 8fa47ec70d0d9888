"""The query: what is understood, what is refused, and in which words."""

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.errors import BadInput
from orchestrator.query import (
    OUTPUTS,
    EncodeQuery,
    FrameSize,
    KeyframeInterval,
    Metadata,
    Mp4,
    QueryError,
    Thumbnail,
    Thumbnails,
    parse_query,
)

BUCKET = {"url": "s3://127.0.0.1/bucket/out.mp4", "key": "AKEY", "secret": "HUSH"}


def query(*formats: object, **more: object) -> dict[str, Any]:
    return {"source": "tus:0a1b", "format": list(formats), **more}


def one(**attributes: object) -> Any:
    """The only format of a query, an mp4 where nothing else is said."""
    return parse_query(query({"output": "mp4", **attributes})).format[0]


def problems(doc: Any) -> list[str]:
    with pytest.raises(QueryError) as caught:
        parse_query(doc)
    return str(caught.value).splitlines()


def problem(**attributes: object) -> str:
    """The only problem of a format, without its path's beginning."""
    (found,) = problems(query({"output": "mp4", **attributes}))
    return found.removeprefix("query.format[0].")


# --- the documents' examples, with local values -------------------------------------


def example(path: str) -> dict[str, Any]:
    return {
        "url": f"s3://127.0.0.1:9000/bucket/{path}",
        "key": "abcde",
        "secret": "fghij",
        "permissions": "public-read",
    }


EXAMPLES: dict[str, dict[str, Any]] = {
    "an mp4 with numbers as text": {
        "source": "http://127.0.0.1/video.mp4",
        "format": [
            {
                "output": "mp4",
                "destination": example("output.mp4"),
                "framerate": "29.97",
                "keyframe": "25",
                "size": "360x240",
                "start_time": 10,
                "duration": 20,
                "audio_bitrate": 64,
            }
        ],
    },
    "an upload": {
        "source": "tus:1f2e3d",
        "format": [{"output": "mp4", "size": "320x240", "video_codec": "libx264"}],
    },
    "a thumbnail that is stored nowhere": {
        "source": "tus:1f2e3d",
        "format": [
            {
                "output": "thumbnail",
                "time": "0.15",
                "width": "920",
                "height": "500",
                "destination": "",
                "user_tag": "15_920x500",
            }
        ],
    },
    "a clip and two thumbnails": {
        "source": "http://127.0.0.1/test_mini.mp4",
        "format": [
            {
                "output": "mp4",
                "destination": example("test_mini.mp4"),
                "framerate": "29.97",
                "keyframe": "25",
                "file_extension": "mp4",
                "size": "360x240",
                "start_time": "10",
                "duration": "20",
            },
            {
                "output": "thumbnail",
                "time": "0.15",
                "width": "320",
                "height": "240",
                "destination": example("thumb/15_320x240.png"),
                "user_tag": "15_320x240",
            },
            {
                "output": "thumbnail",
                "time": "0.50",
                "width": "320",
                "height": "240",
                "destination": example("thumb/50_320x240.png"),
                "user_tag": "50_320x240",
            },
        ],
    },
    "interval thumbnails": {
        "source": "http://127.0.0.1/bbb.mp4",
        "format": [
            {
                "output": "mp4",
                "destination": example("bbb.mp4"),
                "file_extension": "mp4",
                "size": "320x240",
                "duration": 60,
            },
            {
                "output": "thumbnails",
                "destination": example("thumb/bbb/"),
                "interval": 30,
                "width": 320,
                "height": 240,
            },
        ],
    },
    "stitched URLs and objects": {
        "stitch": [
            "http://127.0.0.1/video1.mp4",
            {"url": "http://127.0.0.1/video2.mp4", "start_time": "120.0", "duration": "60.57"},
        ],
        "format": [{"output": "mp4"}],
    },
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_documents_examples_are_understood(name: str) -> None:
    read = parse_query(EXAMPLES[name])
    assert parse_query(read.document()) == read
    assert json.loads(json.dumps(read.document())) == read.document()


def test_what_an_example_means() -> None:
    clip, first, second = parse_query(EXAMPLES["a clip and two thumbnails"]).format
    assert isinstance(clip, Mp4)
    assert (clip.framerate, clip.keyframe) == (Fraction(30000, 1001), KeyframeInterval(frames=25))
    assert (clip.size, clip.box) == (FrameSize(360, 240), (360, 240))
    assert (clip.start_time, clip.duration) == (10.0, 20.0)
    assert isinstance(first, Thumbnail)
    assert isinstance(second, Thumbnail)
    assert (first.time, first.box, first.tag) == (0.15, (320, 240), "15_320x240")
    assert second.destination[0].url.endswith("/thumb/50_320x240.png")


def test_stitched_sources_keep_their_times() -> None:
    stitch = parse_query(EXAMPLES["stitched URLs and objects"]).stitch
    assert stitch is not None
    times = [(each.start_time, each.duration) for each in stitch]
    assert times == [(0.0, None), (120.0, 60.57)]


def test_the_document_is_as_a_client_would_send_it() -> None:
    sent = query(
        {"output": "mp4", "height": "480", "user_tag": "a", "two_pass": True, "bitrate": 9}
    )
    sent["upscale"] = "1"
    assert parse_query(sent).document() == {
        "source": "tus:0a1b",
        "upscale": 1,
        "format": [{"output": "mp4", "height": 480, "tag": "a", "two_pass": 1, "bitrate": 9}],
    }


# --- defaults ----------------------------------------------------------------------


def test_defaults_of_an_mp4_are_the_documents() -> None:
    mp4 = one()
    assert mp4.keyframe == KeyframeInterval(frames=90)
    assert (mp4.video_codec, mp4.pix_format, mp4.resize_mode) == ("libx264", "yuv420p", "scale")
    sound = (mp4.audio_codec, mp4.audio_bitrate, mp4.audio_sample_rate, mp4.audio_channels_number)
    assert sound == ("aac", 64, 44100, 2)
    assert mp4.box == (None, None)
    assert (mp4.framerate, mp4.duration, mp4.tag, mp4.destination) == (None, None, None, ())


def test_defaults_of_images_and_metadata() -> None:
    read = parse_query(
        query({"output": "thumbnail"}, {"output": "thumbnails"}, {"output": "metadata"})
    )
    image, images, metadata = read.format
    assert isinstance(image, Thumbnail)
    assert isinstance(images, Thumbnails)
    assert isinstance(metadata, Metadata)
    assert (image.time, image.start_time, image.frame_number) == (None, None, None)
    assert (image.image_format, images.image_format) == ("png", "png")
    assert images.interval == 10
    assert metadata.metadata_version is None


def test_null_counts_as_left_out() -> None:
    assert one(height=None, keyframe=None, destination=None) == one()


# --- names -------------------------------------------------------------------------


def test_an_unknown_attribute_names_the_nearest() -> None:
    assert problem(heigth=480) == 'heigth: unknown attribute (did you mean "height"?)'
    assert problem(zzz=1) == "zzz: unknown attribute"


def test_an_attribute_of_another_output_says_of_which() -> None:
    interval = 'interval: is not an attribute of "mp4" outputs (it is for thumbnails)'
    assert problem(interval=3) == interval
    columns = 'columns: is not an attribute of "mp3" outputs (it is for thumbnails)'
    assert problem(output="mp3", columns=3) == columns


def test_attributes_in_the_wrong_place() -> None:
    upscale = "upscale: unknown attribute (it belongs to the query itself, not to a format)"
    assert problem(upscale=1) == upscale
    width = "query.width: unknown attribute (it belongs to a format: query.format[])"
    assert problems(query({"output": "mp4"}, width=3)) == [width]
    near = 'query.callback: unknown attribute (did you mean "callback_url"?)'
    assert problems(query({"output": "mp4"}, callback="http://127.0.0.1/")) == [near]


def test_a_tag_may_be_called_user_tag_but_not_twice() -> None:
    assert one(tag="a") == one(user_tag="a")
    repeated = "user_tag: repeats tag (the two are one attribute: keep tag)"
    assert problem(tag="a", user_tag="b") == repeated


ONE_OF = f"(one of {', '.join(OUTPUTS)})"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("advanced_hsl", 'output: is not an output (did you mean "advanced_hls"?)'),
        ("mp5", 'output: is not an output (did you mean "mp4"?)'),
        ("?", f"output: is not an output {ONE_OF}"),
        (None, f"output: is required {ONE_OF}"),
        (4, f"output: must be text {ONE_OF}"),
        (["mp4"], f"output: must be text {ONE_OF}"),
    ],
)
def test_outputs_that_are_not_there(output: object, words: str) -> None:
    assert problem(output=output) == words


@pytest.mark.parametrize(
    "name", ["upscale", "retry_on_error", "refresh_playlist", "use_subtask_callback"]
)
def test_flags_of_the_query(name: str) -> None:
    assert getattr(parse_query(query({"output": "mp4"})), name) is False
    assert getattr(parse_query(query({"output": "mp4"}, **{name: "1"})), name) is True
    words = f"query.{name}: 2 is not a flag (write 0 or 1)"
    assert problems(query({"output": "mp4"}, **{name: 2})) == [words]


# --- values --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"width": 0}, "width: must be at least 1"),
        ({"height": 20000}, "height: must be at most 16384"),
        ({"width": True}, "width: true is not a whole number"),
        ({"rotate": 45}, "rotate: must be 90, 180 or 270"),
        ({"resize_mode": "fit"}, "resize_mode: must be 'scale' or 'crop'"),
        ({"quality": 52}, "quality: must be at most 51 with libx264"),
        ({"duration": 0}, "duration: must be at least 0.001"),
        ({"start_time": "-1"}, "start_time: must be at least 0"),
        ({"audio_channels_number": 9}, "audio_channels_number: must be at most 8"),
        ({"tag": 5}, "tag: must be text, not 5"),
        (
            {"file_extension": "../x"},
            (
                "file_extension: is not a file name's extension"
                ' (write it without the dot, as in "mp4")'
            ),
        ),
        (
            {"video_codec": "libvpx"},
            (
                "video_codec: must be 'libx264', 'libx265' or 'libsvtav1'"
                ' ("libvpx" is for webm, webm_dash)'
            ),
        ),
        (
            {"audio_codec": "flac"},
            "audio_codec: must be 'aac', 'libfdk_aac' or 'mp3' (\"flac\" is for flac)",
        ),
        ({"output": "thumbnail", "time": "1.2"}, "time: must be at most 1"),
        ({"output": "thumbnails", "interval": 0}, "interval: must be at least 0.001"),
        (
            {"output": "metadata", "metadata_version": "new"},
            'metadata_version: is not a version (write it as in "4.1.5")',
        ),
    ],
)
def test_values_out_of_bounds(attributes: dict[str, object], words: str) -> None:
    assert problem(**attributes) == words


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        (
            {"size": "640x360", "width": 320},
            "width: 320 contradicts the size 640x360 (give one of the two)",
        ),
        (
            {"quality": 23, "bitrate": 900},
            (
                "quality: contradicts bitrate"
                " (quality asks for a varying bitrate: leave out one of the two)"
            ),
        ),
        ({"two_pass": 1}, "two_pass: two passes aim at a bitrate (set bitrate)"),
        (
            {"video_codec": "libx265", "profile": "high"},
            "profile: is for libx264, not for libx265 (leave it out)",
        ),
        (
            {"profile": "main", "pix_format": "yuv422p"},
            "profile: main can't hold yuv422p (leave it out, and one that can is taken)",
        ),
        (
            {"profile": "high", "quality": 0},
            "profile: high can't hold lossless video (leave it out, and one that can is taken)",
        ),
        (
            {"output": "thumbnail", "time": 0.5, "start_time": 3},
            "start_time: contradicts time (one thumbnail is taken at one moment)",
        ),
        (
            {"output": "thumbnail", "quality": 80},
            (
                "quality: is for jpg images"
                ' (png loses nothing: leave it out, or set image_format to "jpg")'
            ),
        ),
    ],
)
def test_attributes_that_contradict_each_other(attributes: dict[str, object], words: str) -> None:
    assert problem(**attributes) == words


def test_a_side_may_repeat_the_size() -> None:
    assert one(size="640x360", width="640").box == (640, 360)


def test_resolution_stands_beside_the_others_as_documented() -> None:
    assert one(resolution=720, width=10).resolution == 720


def test_frame_numbers_and_times_may_be_zero() -> None:
    assert one(output="thumbnail", frame_number=0).frame_number == 0
    assert one(output="thumbnail", time="0").time == 0.0


# --- input, and the query as a whole ------------------------------------------------


def test_one_of_source_and_stitch() -> None:
    formats = [{"output": "mp4"}]
    both = {"source": "tus:1", "stitch": ["http://127.0.0.1/a"], "format": formats}
    words = "query.source: a query has a source or a stitch list;"
    assert problems(both) == [f"{words} both are here"]
    assert problems({"format": formats}) == [f"{words} neither is here"]


@pytest.mark.parametrize("source", ["video.mp4", "/etc/passwd", "tus:", "", "http://", 5])
def test_what_is_no_source(source: object) -> None:
    (words,) = problems({"source": source, "format": [{"output": "mp4"}]})
    assert words.startswith("query.source: ")


def test_problems_of_a_stitch_list() -> None:
    listed = ["a.mp4", {"url": "http://127.0.0.1/b", "start": 1}, {"duration": 4}, 5]
    assert problems({"stitch": listed, "format": [{"output": "mp4"}]}) == [
        "query.stitch[0]: is not a source (write a URL, or tus:<id> for an uploaded file)",
        'query.stitch[1].start: unknown attribute (did you mean "start_time"?)',
        "query.stitch[2].url: is required",
        "query.stitch[3]: must be an object",
    ]
    assert problems({"stitch": [], "format": [{"output": "mp4"}]}) == [
        "query.stitch: must hold at least one"
    ]


def test_callbacks_have_a_longest_length() -> None:
    url = "http://127.0.0.1/" + "x" * 4000
    assert problems(query({"output": "mp4"}, callback_url=url)) == [
        "query.callback_url: is longer than 4000 characters"
    ]
    assert parse_query(query({"output": "mp4"}, callback_url=url[:4000])).callback_url == url[:4000]


@pytest.mark.parametrize("version", [1, 2, "1", "2"])
def test_encoder_versions(version: object) -> None:
    read = parse_query(query({"output": "mp4"}, encoder_version=version))
    assert read.encoder_version == int(str(version))
    assert problems(query({"output": "mp4"}, encoder_version=3)) == [
        "query.encoder_version: must be 1 or 2"
    ]


@pytest.mark.parametrize(
    ("doc", "words"),
    [
        ([], "query: must be an object"),
        ("text", "query: must be an object"),
        ({"source": "tus:1"}, "query.format: is required"),
        ({"source": "tus:1", "format": []}, "query.format: must hold at least one"),
        ({"source": "tus:1", "format": {"output": "mp4"}}, "query.format: must be a list"),
        ({"source": "tus:1", "format": ["mp4"]}, "query.format[0]: must be an object"),
    ],
)
def test_queries_of_the_wrong_shape(doc: object, words: str) -> None:
    assert problems(doc) == [words]


def test_every_problem_is_told_at_once() -> None:
    doc = query({"output": "mp4", "heigth": 1, "width": "wide"}, {"output": "gfi"}, upscale=7)
    fields = [line.split(": ")[0] for line in problems(doc)]
    assert sorted(fields) == [
        "query.format[0].heigth",
        "query.format[0].width",
        "query.format[1].output",
        "query.upscale",
    ]


def test_the_first_problem_is_there_for_an_answer() -> None:
    with pytest.raises(BadInput) as caught:
        parse_query(query({"output": "mp4"}, {"output": "mp4", "heigth": 1}), file="request")
    error = caught.value
    assert isinstance(error, QueryError)
    assert error.field == "query.format[1].heigth"
    assert error.message == 'unknown attribute (did you mean "height"?)'
    assert str(error) == f"request: {error.field}: {error.message}"


# --- destinations and secrets --------------------------------------------------------


def test_destinations_are_none_one_or_many() -> None:
    assert one(destination="").destination == ()
    assert len(one(destination=BUCKET).destination) == 1
    assert len(one(destination=[BUCKET, BUCKET]).destination) == 2
    for sent in ("", BUCKET, [BUCKET, {"url": "file:///srv/x.mp4"}]):
        assert parse_query(query({"output": "mp4", "destination": sent})).document()["format"] == [
            {"output": "mp4", "destination": sent}
        ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "s4://h/x"}, "url: can't store on s4:// (use one of s3, b2, azblob,"),
        ({"url": "out.mp4"}, "url: is not a URL (write scheme://host/path)"),
        ({"url": "s3:///x.mp4"}, "url: names no host (write s3://host/path)"),
        ({"url": "ftp://h:port/x"}, "url: is not a URL"),
        ({"url": "s3://h/a\nb"}, "url: is not a URL"),
        ({"url": None}, "url: is required"),
        ({"url": 5}, "url: must be text, not 5"),
        ({"key": None}, "key: is required with s3://"),
        ({"secret": 5}, "secret: must be text"),
        ({"secert": "x"}, 'secert: unknown attribute (did you mean "secret"?)'),
        ({"is_passive": 1}, "is_passive: means nothing to s3:// (leave it out)"),
        ({"udp_port": 33001}, "udp_port: means nothing to s3:// (leave it out)"),
        ({"tcp_port": 0}, "tcp_port: must be at least 1"),
    ],
)
def test_destinations_that_can_not_be(changes: dict[str, object], words: str) -> None:
    assert problem(destination=BUCKET | changes).startswith(f"destination.{words}")


def test_a_destination_in_a_list_is_named_by_its_place() -> None:
    words = problem(destination=[BUCKET, BUCKET | {"secert": "x"}])
    assert words.startswith("destination[1].secert: ")
    assert problem(destination=[BUCKET, 5]) == "destination[1]: must be an object"


def test_one_file_is_not_stored_as_a_folder() -> None:
    words = "destination: names a folder where a file is stored"
    folder = BUCKET | {"url": "s3://127.0.0.1/bucket/folder/"}
    assert problem(destination=folder).startswith(words)
    assert problem(destination=BUCKET | {"url": "s3://127.0.0.1"}).startswith(words)
    assert one(output="thumbnails", destination=folder).destination


def test_attributes_of_ftp() -> None:
    ftp = {"url": "ftp://127.0.0.1/x.mp4", "is_passive": 0, "use_tls": 1, "tcp_port": "2121"}
    (destination,) = one(destination=ftp).destination
    assert (destination.is_passive, destination.use_tls, destination.tcp_port) == (
        False,
        True,
        2121,
    )
    assert destination.scheme == "ftp"


def test_secrets_never_show() -> None:
    read = parse_query(
        {
            "source": "http://user:HUSH@127.0.0.1/x.mp4",
            "callback_url": "http://user:HUSH@127.0.0.1/",
            "format": [
                {
                    "output": "mp4",
                    "destination": {"url": "s3://me:HUSH@h/x", "key": "HUSH", "secret": "HUSH"},
                }
            ],
        }
    )
    assert "HUSH" not in repr(read) + str(read)
    assert read.document()["format"][0]["destination"]["secret"] == "HUSH"
    destination = read.format[0].destination[0]
    assert destination.model_dump()["secret"] == "**********"
    assert destination.secret is not None
    assert destination.secret.get_secret_value() == "HUSH"


@given(st.sampled_from(["source", "callback_url", "url", "key", "secret"]), st.booleans())
def test_a_refused_secret_is_not_quoted(place: str, as_number: bool) -> None:
    value: object = 73313373 if as_number and place in ("key", "secret") else "x4://u:73313373@/"
    doc = query({"output": "mp4", "destination": {"url": "s3://h/", "key": "k", "secret": "s"}})
    target = doc if place in ("source", "callback_url") else doc["format"][0]["destination"]
    target[place] = value
    with pytest.raises(QueryError) as caught:
        parse_query(doc)
    assert "73313373" not in str(caught.value)
    assert caught.value.__cause__ is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = [
    "output",
    "destination",
    "size",
    "width",
    "keyframe",
    "time",
    "quality",
    "tag",
    "framerate",
]


@given(
    st.fixed_dictionaries(
        {
            "source": JSON,
            "format": st.lists(st.dictionaries(st.sampled_from(NAMES), JSON), max_size=2),
        }
    )
    | JSON
)
def test_anything_is_read_or_refused_in_words(doc: Any) -> None:
    if isinstance(read := read_or_refused(doc), QueryError):
        assert all(each.field.startswith("query") and each.message for each in read.problems)
        assert "pydantic" not in str(read)
        assert "Input should" not in str(read)
    else:
        assert parse_query(read.document()) == read


@given(st.sampled_from(NAMES), JSON)
def test_any_value_of_an_attribute_is_read_or_refused(name: str, value: object) -> None:
    if isinstance(read := read_or_refused(query({"output": "mp4", name: value})), QueryError):
        assert "Input should" not in str(read)
    else:
        assert parse_query(read.document()) == read


def read_or_refused(doc: Any) -> EncodeQuery | QueryError:
    try:
        return parse_query(doc)
    except QueryError as error:
        return error
