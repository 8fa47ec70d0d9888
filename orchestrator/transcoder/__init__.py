"""A transcoding service of one's own: Qencode's HTTP API, encoded with ffmpeg."""

from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings

__all__ = ["Transcoder", "TranscoderSettings"]
