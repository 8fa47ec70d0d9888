"""Names that the Transcoding API's documents know, whether supported here or not.

Only error messages use them: a name from here that no model has is "not
supported yet", any other is unknown.
"""

from collections.abc import Mapping
from typing import Final

#: What ``output`` may be.
OUTPUTS: Final = frozenset(
    [
        "mp4",
        "webm",
        "advanced_hls",
        "advanced_dash",
        "webm_dash",
        "repack",
        "mp3",
        "hls_audio",
        "flac",
        "gif",
        "thumbnail",
        "thumbnails",
        "metadata",
        "speech_to_text",
    ]
)

#: Attributes of the query.
QUERY: Final = frozenset(
    [
        "source",
        "stitch",
        "format",
        "encoder_version",
        "callback_url",
        "upscale",
        "retry_on_error",
        "refresh_playlist",
        "use_subtask_callback",
    ]
)

#: Attributes of a format. The last two are in the documents' examples alone.
FORMAT: Final = frozenset(
    [
        "adjust_crf",
        "allow_soft_fail",
        "aspect_ratio",
        "audio_bitrate",
        "audio_channels_number",
        "audio_codec",
        "audio_copy",
        "audio_mute",
        "audio_pan",
        "audio_sample_rate",
        "bitrate",
        "cenc_drm",
        "color_primaries",
        "color_range",
        "color_space",
        "color_trc",
        "columns",
        "create_m3u8_playlist",
        "deinterlace",
        "destination",
        "distorted",
        "duration",
        "encryption",
        "fmp4",
        "fps_drm",
        "frame_number",
        "framerate",
        "framerate_limit",
        "hdr_to_sdr",
        "height",
        "i_frames_only",
        "image_format",
        "incremental_tag",
        "inject_360_metadata",
        "interval",
        "json",
        "json_name",
        "keep_360_metadata",
        "keyframe",
        "language",
        "logo",
        "max_crf",
        "metadata_copy",
        "metadata_version",
        "min_crf",
        "mode",
        "n_subsample",
        "optimize_bitrate",
        "output",
        "packager_version",
        "pix_format",
        "playlist_name",
        "profile",
        "quality",
        "resize_mode",
        "resolution",
        "rotate",
        "segment_duration",
        "separate_audio",
        "shortest",
        "single_folder",
        "size",
        "sprite",
        "srt",
        "srt_name",
        "start_time",
        "stream",
        "subtitles",
        "subtitles_copy",
        "tag",
        "tag_video",
        "time",
        "transcript",
        "transcript_name",
        "translate_languages",
        "two_pass",
        "video_codec",
        "video_codec_parameters",
        "video_copy",
        "vmaf_model",
        "vtt",
        "vtt_name",
        "width",
        "user_tag",
        "file_extension",
    ]
)

#: Attributes of a destination.
DESTINATION: Final = frozenset(
    [
        "url",
        "key",
        "secret",
        "permissions",
        "storage_class",
        "cache_control",
        "is_passive",
        "use_tls",
        "tcp_port",
        "udp_port",
    ]
)

#: Attributes of a source in a stitch list.
STITCH: Final = frozenset({"url", "start_time", "duration"})

#: Values that an attribute may have.
VALUES: Final[Mapping[str, frozenset[str]]] = {
    "video_codec": frozenset(
        {"libx264", "libx265", "libvpx", "libvpx-vp9", "lcevc_h264", "lcevc_hevc"}
    ),
    "audio_codec": frozenset({"aac", "libfdk_aac", "libvorbis"}),
}
