"""What queries read: uploads, and files from http(s), ftp(s), sftp and S3, guarded."""

from orchestrator.storage.public import is_public
from orchestrator.transcoder.sources.fetching import Sources
from orchestrator.transcoder.sources.landing import FetchLimits
from orchestrator.transcoder.sources.urls import without_credentials

__all__ = ["FetchLimits", "Sources", "is_public", "without_credentials"]
