"""The names that the API's documents know."""

_OUTPUT_NAMES = (
    "mp4 webm advanced_hls advanced_dash webm_dash repack mp3 hls_audio flac gif thumbnail "
    "thumbnails metadata speech_to_text vmaf"
)
OUTPUT_NAMES = frozenset(_OUTPUT_NAMES.split())

_OF_QUERY = (
    "source stitch format callback_url encoder_version upscale retry_on_error refresh_playlist "
    "use_subtask_callback"
)
OF_QUERY = frozenset(_OF_QUERY.split())

_OF_FORMAT = (
    "adjust_crf allow_soft_fail aspect_ratio audio_bitrate audio_channels_number audio_codec "
    "audio_copy audio_mute audio_pan audio_sample_rate bitrate cenc_drm chunklist_name "
    "color_primaries color_range color_space color_trc columns create_m3u8_playlist deinterlace "
    "destination distorted duration encryption fmp4 fps_drm frame_number framerate "
    "framerate_limit hdr_to_sdr height i_frames_only image_format incremental_tag "
    "inject_360_metadata interval json json_name keep_360_metadata keyframe language logo max_crf "
    "metadata_copy metadata_version min_crf mode n_subsample optimize_bitrate output "
    "packager_version pix_format playlist_name profile quality resize_mode resolution rotate "
    "segment_duration separate_audio shortest single_folder size sprite srt srt_name start_time "
    "stream subtitles subtitles_copy tag tag_video time transcript transcript_name "
    "translate_languages two_pass video_codec video_codec_parameters video_copy vmaf_model vtt "
    "vtt_name width"
)
#: Of formats and of streams.
OF_FORMAT = frozenset(_OF_FORMAT.split())

_OF_PARTS = (
    "url key secret permissions storage_class cache_control is_passive use_tls tcp_port udp_port "
    "key_id iv pssh la_url key_url sources source language copy x y opacity side_data_type "
    "projection vr180 stereo full_width full_height cropped_width cropped_height cropped_left "
    "cropped_top aq_mode b_strategy bufsize cmp coder directpred enable_dlf enable_restoration "
    "fast_decode film_grain flags flags2 hierarchical_levels i_qfactor level max_rate me_method "
    "me_range min_rate partitions pred_struct preset qcomp qdiff qmax qmin rc_lookahead refs "
    "sc_threshold subq sws_flags trellis tune vprofile"
)
#: Of what is an object of its own; LCEVC's encoders' are refused by name.
OF_PARTS = frozenset(_OF_PARTS.split())
