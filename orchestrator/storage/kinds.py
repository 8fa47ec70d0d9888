"""Content types: what players and browsers need to be told of a file."""

import mimetypes
from pathlib import PurePosixPath
from typing import Final

#: Python's own table knows few of these, and the machine's may differ:
#: RFC 8216 4 (m3u8), ISO/IEC 23009-1 annex C (mpd), W3C WebVTT, RFC 4337.
_KINDS: Final = {
    ".aac": "audio/aac",
    ".ac3": "audio/ac3",
    ".dash": "application/dash+xml",
    ".eac3": "audio/eac3",
    ".flac": "audio/flac",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".key": "application/octet-stream",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4a": "audio/mp4",
    ".m4s": "video/iso.segment",
    ".m4v": "video/mp4",
    ".mkv": "video/matroska",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".png": "image/png",
    ".srt": "application/x-subrip",
    ".ts": "video/mp2t",
    ".ttml": "application/ttml+xml",
    ".txt": "text/plain",
    ".vtt": "text/vtt",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
}

#: Files that name other files.
_INDEXES: Final = (".m3u8", ".mpd", ".vtt")

_TABLE = mimetypes.MimeTypes()


def content_type(path: str) -> str:
    """The content type of a file, by its name's ending."""
    ending = PurePosixPath(path).suffix.lower()
    return _KINDS.get(ending) or _TABLE.guess_type(path)[0] or "application/octet-stream"


def rank(path: str, entry: str | None) -> int:
    """When a file of a folder may be seen: segments, then playlists, then the entry."""
    if path == entry:
        return 2
    return 1 if PurePosixPath(path).suffix.lower() in _INDEXES else 0
