"""Queries as clients may send them, most of which can be read."""

from typing import Any

from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]

HEX = st.sampled_from(["00112233445566778899aabbccddeeff", "FFEEDDCCBBAA99887766554433221100"])
URLS = st.sampled_from(["https://127.0.0.1/a", "http://127.0.0.1:81/b c.png", "tus:0a1b"])
FLAGS = st.sampled_from([0, 1, "0", "1", True, False])


def whole(lowest: int, highest: int) -> Strategy:
    numbers = st.integers(lowest, highest)
    return numbers | numbers.map(str)


def some(**attributes: Strategy) -> Strategy:
    return st.fixed_dictionaries({}, optional=attributes)


SIDES = {
    "height": whole(2, 2160),
    "resolution": whole(2, 2160),
    "size": st.tuples(st.integers(2, 999), st.integers(2, 999)).map("{0[0]}x{0[1]}".format),
}
FRAME = SIDES | {
    "rotate": st.sampled_from([90, "180", 270]),
    "aspect_ratio": st.sampled_from(["4:3", "1.33", 1.77]),
    "resize_mode": st.sampled_from(["scale", "crop"]),
}
RATES = st.sampled_from([25, "29.97", "30000/1001", 12.5, "120"])
LOGO = st.fixed_dictionaries(
    {"source": URLS},
    optional={
        "x": whole(-500, 500),
        "y": whole(-500, 500),
        "opacity": st.sampled_from([0, "0.5", 1]),
        "start_time": st.sampled_from([0, "1.5"]),
        "duration": st.sampled_from([3, "0.25"]),
    },
)
PICTURE = {
    "framerate": RATES,
    "framerate_limit": RATES,
    "deinterlace": FLAGS,
    "hdr_to_sdr": FLAGS,
    "logo": LOGO | st.lists(LOGO, max_size=2),
}
PARAMETERS = some(
    bufsize=whole(1, 100),
    sws_flags=st.sampled_from(["bicubic", "lanczos"]),
    flags=st.sampled_from(["+loop", "psnr-cgop"]),
    qmin=whole(0, 20),
    qmax=whole(20, 51),
    rc_lookahead=whole(0, 25),
)
VIDEO = {
    "keyframe": st.sampled_from([90, "25", "3s", "0.5s"]),
    "quality": whole(4, 51),
    "bitrate": whole(1, 20000),
    "two_pass": FLAGS,
    "pix_format": st.sampled_from(["yuv420p", "yuvj422p"]),
    "video_codec_parameters": PARAMETERS,
    "tag_video": st.sampled_from(["hvc1", "avc1"]),
    "color_space": st.sampled_from([1, "1", "bt709", "bt2020nc"]),
    "color_range": st.sampled_from([1, "tv", "jpeg"]),
    "color_trc": st.sampled_from([1, "smpte2084"]),
    "color_primaries": st.sampled_from(["1", "bt2020"]),
}
PER_TITLE = {
    "optimize_bitrate": FLAGS,
    "min_crf": whole(0, 20),
    "max_crf": whole(20, 51),
    "adjust_crf": whole(-10, 10),
}
SOUND = {
    "audio_bitrate": whole(8, 320),
    "audio_sample_rate": st.sampled_from([48000, "24000"]),
    "audio_channels_number": st.sampled_from([1, "2"]),
    "audio_pan": st.sampled_from([{"c0": "c2", "c1": "c0"}, '{"c0": "c1"}']),
    "audio_mute": FLAGS,
}
CLIP = {
    "start_time": st.sampled_from([0, 10, "1.25"]),
    "duration": st.sampled_from([20, "0.5"]),
}
TAG = {"tag": st.text(max_size=6)}
FOLDER = st.sampled_from(["", {"url": "file:///srv/folder"}, [{"url": "ftp://127.0.0.1/a/"}]])
FILE = st.sampled_from(
    ["", {"url": "file:///srv/x"}, [{"url": "s3://h/b/x", "key": "k", "secret": "s"}] * 2]
)
SUBTITLES = {
    "subtitles": some(
        copy=FLAGS,
        sources=st.just([{"source": "https://127.0.0.1/a.srt", "language": "eng"}]),
    ),
    "subtitles_copy": FLAGS,
}
STREAMING = CLIP | {
    "destination": FOLDER,
    "segment_duration": whole(1, 20),
    "incremental_tag": st.sampled_from(["auto", "film-7"]),
    "packager_version": st.sampled_from([1, "2"]),
}
SOUND_STREAM = some(**SOUND, **TAG)
STREAM = some(**FRAME, **PICTURE, **VIDEO, **SOUND, **TAG)
KEYS = st.fixed_dictionaries({"key": HEX, "iv": HEX, "key_url": st.just("https://127.0.0.1/k")})
STILL = SIDES | TAG | {"image_format": st.just("jpg"), "quality": whole(1, 100)}

ATTRIBUTES: dict[str, dict[str, Strategy]] = {
    "mp4": {
        **FRAME,
        **PICTURE,
        **VIDEO,
        **PER_TITLE,
        **SOUND,
        **SUBTITLES,
        **CLIP,
        **TAG,
        "destination": FILE,
        "file_extension": st.just("m4v"),
        "keep_360_metadata": FLAGS,
        "inject_360_metadata": some(stereo=st.just("top-bottom")),
    },
    "webm": {**FRAME, **PICTURE, **VIDEO, **SOUND, **SUBTITLES, **CLIP, "destination": FILE},
    "gif": {**FRAME, **PICTURE, **CLIP, **TAG, "destination": FILE},
    "repack": {"audio_copy": FLAGS, "metadata_copy": FLAGS, **CLIP, "destination": FILE},
    "mp3": {**SOUND, **CLIP, **TAG, "destination": FILE},
    "flac": {**SOUND, **CLIP, **TAG},
    "advanced_hls": {
        **STREAMING,
        **SUBTITLES,
        **PER_TITLE,
        "stream": st.lists(STREAM, min_size=1, max_size=3),
        "fmp4": FLAGS,
        "single_folder": FLAGS,
        "separate_audio": FLAGS,
        "i_frames_only": FLAGS,
        "playlist_name": st.just("master.m3u8"),
        "encryption": KEYS,
    },
    "advanced_dash": {
        **STREAMING,
        **SUBTITLES,
        "stream": st.lists(STREAM, min_size=1, max_size=3),
        "create_m3u8_playlist": FLAGS,
        "hdr_to_sdr": FLAGS,
    },
    "webm_dash": {**STREAMING, "stream": st.lists(STREAM, min_size=1, max_size=2)},
    "hls_audio": {
        **STREAMING,
        "stream": st.lists(SOUND_STREAM, min_size=1, max_size=2),
        "fps_drm": KEYS,
    },
    "thumbnail": {**STILL, "time": st.sampled_from([0, "0.5", 1]), "frame_number": whole(0, 9)},
    "thumbnails": {**STILL, "interval": whole(1, 60), "sprite": FLAGS, "columns": whole(1, 10)},
    "metadata": {**TAG, "metadata_version": st.just("4.1.5")},
    "speech_to_text": {
        "mode": st.sampled_from(["speed", "accuracy"]),
        "language": st.sampled_from(["en", "DE"]),
        "translate_languages": st.lists(st.sampled_from(["fr", "uk"]), min_size=1, max_size=2),
        "json": FLAGS,
        "json_name": st.just("words.json"),
        "srt": FLAGS,
    },
    "vmaf": {"n_subsample": whole(1, 9), "shortest": FLAGS, "duration": CLIP["duration"]},
}


def formats(output: str) -> Strategy:
    needed: dict[str, Strategy] = {"output": st.just(output)}
    if output == "vmaf":
        needed["distorted"] = URLS
    optional = {**ATTRIBUTES[output], "allow_soft_fail": FLAGS}
    few = st.sets(st.sampled_from(sorted(optional)), max_size=6)
    return few.flatmap(
        lambda names: st.fixed_dictionaries(
            {**needed, **{name: optional[name] for name in sorted(names)}}
        )
    )


def queries() -> Strategy:
    any_format = st.sampled_from(sorted(ATTRIBUTES)).flatmap(formats)
    stitched = st.lists(
        st.sampled_from(
            ["http://127.0.0.1/a", {"url": "tus:1", "start_time": "1.5", "duration": 3}]
        ),
        min_size=1,
        max_size=3,
    )
    common = {
        "format": st.lists(any_format, min_size=1, max_size=3),
        "upscale": FLAGS,
        "retry_on_error": FLAGS,
        "encoder_version": st.sampled_from([1, "2"]),
    }
    return st.fixed_dictionaries({**common, "source": URLS}) | st.fixed_dictionaries(
        {**common, "stitch": stitched}
    )
