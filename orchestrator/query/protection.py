"""How a stream is protected: keys that nobody but a player may see."""

import binascii
import re
from base64 import b64decode
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from orchestrator.query.base import Part
from orchestrator.query.destination import Secret
from orchestrator.query.places import KeyUrl
from orchestrator.query.values import as_text, refuse

_HEX = re.compile(r"[0-9a-fA-F]+")
_DIGITS: Final = 32
#: The system that Widevine is in PSSH boxes (the DASH-IF's registry).
_WIDEVINE: Final = bytes.fromhex("edef8ba979d64acea3c827dcd51d21ed")


def _hex(text: str, *lengths: int) -> str:
    if not _HEX.fullmatch(text) or len(text) not in lengths:
        count = " or ".join(map(str, lengths))
        raise refuse(f"must be {count} hexadecimal digits", "decode it from base64 first")
    return text.lower()


def _key(value: object) -> object:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if not isinstance(value, str):
        raise refuse("must be text")
    return _hex(value, _DIGITS)


def _key_id(value: object) -> str:
    """A GUID's dashes are taken out, as the documents tell clients to."""
    return _hex(as_text(value).replace("-", ""), _DIGITS)


def _iv(value: object) -> str:
    return _hex(as_text(value), _DIGITS)


def _cenc_iv(value: object) -> str:
    """Common Encryption knows both lengths (ISO/IEC 23001-7, 9.1)."""
    return _hex(as_text(value), _DIGITS // 2, _DIGITS)


def _pssh(value: object) -> str:
    text = as_text(value)
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise refuse("is not base64") from None
    if not data:
        raise refuse("is empty", "take it from the DRM provider's answer as it is")
    return text


#: 16 bytes in hexadecimal; never shown.
Key = Annotated[Secret, BeforeValidator(_key)]
Iv = Annotated[str, BeforeValidator(_iv)]


class Encryption(Part):
    """AES-128 over whole segments (RFC 8216, 4.3.2.4). Players fetch the key's 16 bytes."""

    key: Key
    iv: Iv
    key_url: KeyUrl = Field(repr=False)


class CencDrm(Part):
    """Common Encryption, for Widevine and PlayReady.

    ``pssh`` is in base64: a box, or several, or the bare data of Widevine's (the
    vendor's notes have providers that give it so). ``la_url`` is where players
    ask for a licence.
    """

    key: Key
    key_id: Annotated[str, BeforeValidator(_key_id)]
    iv: Annotated[str, BeforeValidator(_cenc_iv)] | None = None
    pssh: Annotated[str, BeforeValidator(_pssh)] = Field(repr=False)
    la_url: KeyUrl | None = Field(default=None, repr=False)

    @property
    def pssh_boxes(self) -> bytes:
        """``pssh`` as boxes (ISO/IEC 23001-7, 8.1), one behind the other."""
        data = b64decode(self.pssh)
        if data[4:8] == b"pssh":
            return data
        content = _WIDEVINE + len(data).to_bytes(4, "big") + data
        return (12 + len(content)).to_bytes(4, "big") + b"pssh" + bytes(4) + content


class FpsDrm(Part):
    """FairPlay Streaming. ``key_url`` is the skd URL that stands in the playlists."""

    key: Key
    iv: Iv
    key_url: KeyUrl = Field(repr=False)


class Protected(Part):
    """At most one way of protection: two of them need segments of their own."""

    encryption: Encryption | None = None
    cenc_drm: CencDrm | None = None
    fps_drm: FpsDrm | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        names = ("encryption", "cenc_drm", "fps_drm")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            hint = "ask for two outputs, one for each"
            raise refuse(f"contradicts {given[0]}", hint, field=given[1])
        return self
