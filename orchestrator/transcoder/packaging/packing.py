"""How an output for HTTP streaming is cut, named and protected."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from orchestrator.transcoder.ports import MediaError

#: What segments are made of: MPEG transport streams, fragmented MP4, or WebM.
Container = Literal["ts", "mp4", "webm"]

#: A name that is one file in one folder, and means nothing to any of the
#: languages it will stand in (URIs, DASH templates, the packager's arguments).
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\x7f/\\$%?#\"'<>|:*,]+")
_CHANNEL = re.compile(r"CC[1-4]|SERVICE([1-9]|[1-5][0-9]|6[0-3])")


@dataclass(frozen=True, slots=True)
class Aes128:
    """Whole segments encrypted with AES-128-CBC (RFC 8216, 4.3.2.4).

    ``key_url`` is where players fetch the key, 16 bytes in binary form.
    """

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    key_url: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_length(self.key, "encryption.key", 16)
        _check_length(self.iv, "encryption.iv", 16)
        check_quotable(self.key_url, "encryption.key_url")


@dataclass(frozen=True, slots=True)
class Cenc:
    """Common Encryption, scheme ``cenc`` (ISO/IEC 23001-7), for Widevine and PlayReady.

    ``pssh`` is what the key service gave: one or several whole ``pssh`` boxes, or
    the bare data of one (Widevine's, or a PlayReady Object). ``la_url`` is
    PlayReady's licence service. Without ``iv`` a random one is drawn.
    """

    key: bytes = field(repr=False)
    key_id: bytes
    pssh: bytes
    iv: bytes | None = field(default=None, repr=False)
    la_url: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_length(self.key, "cenc_drm.key", 16)
        _check_length(self.key_id, "cenc_drm.key_id", 16)
        if self.iv is not None:
            _check_length(self.iv, "cenc_drm.iv", 8, 16)
        if not self.pssh:
            raise MediaError("cenc_drm.pssh is empty: give the PSSH of the key service")


@dataclass(frozen=True, slots=True)
class FairPlay:
    """FairPlay Streaming: SAMPLE-AES in TS, scheme ``cbcs`` in fMP4. HLS only.

    ``key_url`` is the ``skd://`` address that the player hands to the key service.
    """

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    key_url: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_length(self.key, "fps_drm.key", 16)
        _check_length(self.iv, "fps_drm.iv", 16)
        check_quotable(self.key_url, "fps_drm.key_url")


Protection = Aes128 | Cenc | FairPlay


@dataclass(frozen=True, slots=True)
class Caption:
    """Captions inside the picture: ``CC1``-``CC4`` (EIA-608) or ``SERVICE1``-``63`` (EIA-708).

    ``language`` is a tag as in RFC 5646.
    """

    channel: str = "CC1"
    language: str | None = None
    name: str = "Captions"

    def __post_init__(self) -> None:
        if not _CHANNEL.fullmatch(self.channel):
            raise MediaError("a caption channel is CC1 to CC4 or SERVICE1 to SERVICE63")


@dataclass(frozen=True, slots=True)
class Packing:
    """What all renditions of an output share.

    ``hls`` and ``dash`` name the master manifests, None for none; with both, one
    set of segments serves both (CMAF). ``segment_duration`` is in seconds.
    ``i_frames_only`` adds I-frame playlists to HLS. With ``single_folder`` every
    file is in the output's own folder, else in ``video_1``, ``audio_1``, ...

    Raises ``MediaError`` for what can't be had together.
    """

    hls: str | None = "playlist.m3u8"
    dash: str | None = None
    container: Container = "ts"
    segment_duration: float = 9.0
    i_frames_only: bool = False
    single_folder: bool = False
    protection: Protection | None = None
    captions: tuple[Caption, ...] = ()

    def __post_init__(self) -> None:
        if self.hls is None and self.dash is None:
            raise MediaError("an output for streaming needs an HLS or a DASH manifest")
        for name in filter(None, (self.hls, self.dash)):
            check_name(name, "playlist_name")
        if not 0 < self.segment_duration <= 3600:
            raise MediaError("segment_duration must be more than 0 and at most 3600 seconds")
        if self.dash is not None and self.container == "ts":
            raise MediaError("DASH outputs are made of fMP4 or WebM segments, not TS")
        if self.hls is not None and self.container == "webm":
            raise MediaError("HLS players take no WebM: create_m3u8_playlist needs fMP4 segments")
        self._check_protection()

    def _check_protection(self) -> None:
        if isinstance(self.protection, Aes128) and self.dash is not None:
            raise MediaError("encryption (AES-128) is for HLS alone; use cenc_drm for DASH")
        if isinstance(self.protection, FairPlay) and self.dash is not None:
            raise MediaError("fps_drm (FairPlay) is for HLS alone; use cenc_drm for DASH")

    @property
    def segments(self) -> Container:
        """The container in truth: ``cenc`` is not defined for TS, so it makes fMP4."""
        if isinstance(self.protection, Cenc) and self.container == "ts":
            return "mp4"
        return self.container


def from_hex(text: str, what: str) -> bytes:
    """The bytes of a key, key id or IV; dashes (as in UUIDs) don't matter.

    Raises ``MediaError`` naming ``what``, never the value.
    """
    try:
        return bytes.fromhex(text.replace("-", "").removeprefix("0x"))
    except ValueError:
        raise MediaError(f"{what} must be hexadecimal digits") from None


def check_name(name: str, what: str) -> None:
    """Raises ``MediaError`` unless it is a plain file name."""
    if not _PLAIN_NAME.fullmatch(name) or name.startswith(".") or len(name.encode()) > 200:
        raise MediaError(f"{what} must be a plain file name, without folders or special signs")


def check_quotable(url: str, what: str) -> None:
    """Raises ``MediaError`` unless an HLS attribute can hold it (RFC 8216, 4.2)."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if not scheme or not url.isprintable() or '"' in url:
        raise MediaError(f"{what} must be a URL, without quotes or line breaks")


def _check_length(value: bytes, what: str, *lengths: int) -> None:
    if len(value) not in lengths:
        digits = " or ".join(str(2 * length) for length in lengths)
        raise MediaError(f"{what} must be {digits} hexadecimal digits")
