"""The encode request: its models, templates, job files and digest."""

from orchestrator.query.codec import CodecParameters
from orchestrator.query.collect import Collect
from orchestrator.query.destination import Destination
from orchestrator.query.job import Job, Limits, load_job
from orchestrator.query.outputs import (
    OUTPUTS,
    AdvancedDash,
    AdvancedHls,
    AudioStream,
    Flac,
    Format,
    Gif,
    HlsAudio,
    Kind,
    Metadata,
    Mp3,
    Mp4,
    Repack,
    SpeechToText,
    Spherical,
    Stream,
    Subtitles,
    SubtitleSource,
    Thumbnail,
    Thumbnails,
    Vmaf,
    Webm,
    WebmDash,
    kind_of,
)
from orchestrator.query.picture import Logo
from orchestrator.query.problems import QueryError
from orchestrator.query.protection import CencDrm, Encryption, FpsDrm
from orchestrator.query.publish import Origins, Publish
from orchestrator.query.recipe import OrderRecipe, QencodeRecipe, TemplatedRecipe
from orchestrator.query.request import EncodeQuery, StitchSource, parse_query
from orchestrator.query.secrets import resolve_secrets
from orchestrator.query.sound import Sound
from orchestrator.query.templates import DocumentTemplate, Template, TemplateError, compile_template
from orchestrator.query.values import FrameSize, KeyframeInterval
from orchestrator.query.video import Video

__all__ = [
    "OUTPUTS",
    "AdvancedDash",
    "AdvancedHls",
    "AudioStream",
    "CencDrm",
    "CodecParameters",
    "Collect",
    "Destination",
    "DocumentTemplate",
    "EncodeQuery",
    "Encryption",
    "Flac",
    "Format",
    "FpsDrm",
    "FrameSize",
    "Gif",
    "HlsAudio",
    "Job",
    "KeyframeInterval",
    "Kind",
    "Limits",
    "Logo",
    "Metadata",
    "Mp3",
    "Mp4",
    "OrderRecipe",
    "Origins",
    "Publish",
    "QencodeRecipe",
    "QueryError",
    "Repack",
    "Sound",
    "SpeechToText",
    "Spherical",
    "StitchSource",
    "Stream",
    "SubtitleSource",
    "Subtitles",
    "Template",
    "TemplateError",
    "TemplatedRecipe",
    "Thumbnail",
    "Thumbnails",
    "Video",
    "Vmaf",
    "Webm",
    "WebmDash",
    "compile_template",
    "kind_of",
    "load_job",
    "parse_query",
    "resolve_secrets",
]
