"""Clients of everything that is reached over HTTP."""

from orchestrator.services.collect import HttpCollector, Placement
from orchestrator.services.folder_output import is_folder
from orchestrator.services.http import Http
from orchestrator.services.qencode import QencodeService
from orchestrator.services.redact import redact
from orchestrator.services.tus import TusUploader

__all__ = [
    "Http",
    "HttpCollector",
    "Placement",
    "QencodeService",
    "TusUploader",
    "is_folder",
    "redact",
]
