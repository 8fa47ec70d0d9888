"""An output's video encoder in ffmpeg's words: a module for each family of encoders."""

from orchestrator.transcoder.plan.codecs.coding import in_two_passes, video_options
from orchestrator.transcoder.plan.codecs.common import DEFAULT_CRF, PRESET, Film

__all__ = ["DEFAULT_CRF", "PRESET", "Film", "in_two_passes", "video_options"]
