"""Outputs for streaming, HLS and DASH, as they are found: playlists, manifests, and their files."""

from orchestrator.services.streaming.contents import Contents, Rendition, look_into
from orchestrator.services.streaming.home import Home, Named

__all__ = ["Contents", "Home", "Named", "Rendition", "look_into"]
