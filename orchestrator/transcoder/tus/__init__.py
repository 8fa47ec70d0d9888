"""A tus 1.0.0 server (tus.io): resumable uploads into the data folder."""

from orchestrator.transcoder.tus.handlers import TusServer
from orchestrator.transcoder.tus.uploads import Upload, Uploads

__all__ = ["TusServer", "Upload", "Uploads"]
