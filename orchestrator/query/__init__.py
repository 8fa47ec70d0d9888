"""The encode request: its models, templates, job files and digest."""

from orchestrator.query.destination import Destination
from orchestrator.query.outputs import OUTPUTS, Format, Metadata, Mp4, Thumbnail, Thumbnails
from orchestrator.query.problems import QueryError
from orchestrator.query.request import EncodeQuery, StitchSource, parse_query
from orchestrator.query.values import FrameSize, KeyframeInterval

__all__ = [
    "OUTPUTS",
    "Destination",
    "EncodeQuery",
    "Format",
    "FrameSize",
    "KeyframeInterval",
    "Metadata",
    "Mp4",
    "QueryError",
    "StitchSource",
    "Thumbnail",
    "Thumbnails",
    "parse_query",
]
