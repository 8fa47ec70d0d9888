"""What manifests and headers say of protection: PSSH boxes, PlayReady Objects, key tags."""

import base64
import struct
import uuid
from dataclasses import dataclass
from xml.sax.saxutils import escape

from orchestrator.transcoder.packaging.packing import Aes128, Cenc, FairPlay, Protection
from orchestrator.transcoder.ports import MediaError

#: System ids, as registered with DASH-IF.
WIDEVINE = uuid.UUID("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed")
PLAYREADY = uuid.UUID("9a04f079-9840-4286-ab92-e65be0885f95")

_BOX_HEAD = struct.Struct(">I4sB3s16s")
_RIGHTS_MANAGEMENT = 1


@dataclass(frozen=True, slots=True)
class Pssh:
    """A Protection System Specific Header (ISO/IEC 23001-7, 8.1): whole, and its data."""

    system: uuid.UUID
    box: bytes
    data: bytes

    @property
    def base64(self) -> str:
        """The whole box, as MPDs and playlists carry it."""
        return base64.b64encode(self.box).decode()


def headers(cenc: Cenc) -> tuple[Pssh, ...]:
    """The boxes that were given, and PlayReady's own where only its ``la_url`` was.

    Raises ``MediaError`` where the boxes can't be read.
    """
    given = _boxes(cenc.pssh)
    if cenc.la_url is None or any(each.system == PLAYREADY for each in given):
        return given
    return (*given, _wrapped(PLAYREADY, playready_object(cenc.key_id, cenc.la_url)))


def _boxes(data: bytes) -> tuple[Pssh, ...]:
    if data[4:8] != b"pssh":
        system = PLAYREADY if _is_playready_object(data) else WIDEVINE
        return (_wrapped(system, data),)
    found: list[Pssh] = []
    while data:
        box, data = _split(data)
        found.append(box)
    return tuple(found)


def _split(data: bytes) -> tuple[Pssh, bytes]:
    """The first box, and what follows it."""
    try:
        size, kind, version, _, system = _BOX_HEAD.unpack_from(data)
        at = _BOX_HEAD.size
        if version:
            at += 4 + 16 * struct.unpack_from(">I", data, at)[0]
        length = struct.unpack_from(">I", data, at)[0]
    except struct.error:
        kind, size, at, length = b"", 0, 0, 0
    if kind != b"pssh" or size != at + 4 + length or size > len(data):
        raise MediaError("cenc_drm.pssh is no PSSH box: send it in base64, as the key service gave")
    body = data[at + 4 : size]
    return Pssh(uuid.UUID(bytes=system), data[:size], body), data[size:]


def _wrapped(system: uuid.UUID, data: bytes) -> Pssh:
    head = _BOX_HEAD.pack(_BOX_HEAD.size + 4 + len(data), b"pssh", 0, bytes(3), system.bytes)
    return Pssh(system, head + struct.pack(">I", len(data)) + data, data)


def _is_playready_object(data: bytes) -> bool:
    """Whether it begins with its own length, little-endian (PlayReady Header Specification)."""
    return len(data) > 10 and struct.unpack_from("<I", data)[0] == len(data)


def playready_object(key_id: bytes, la_url: str) -> bytes:
    """A PlayReady Object with a version 4.0 rights management header.

    PlayReady writes key ids as Windows does GUIDs, the first three fields
    little-endian (PlayReady Header Specification, 2.2).
    """
    kid = base64.b64encode(uuid.UUID(bytes=key_id).bytes_le).decode()
    header = (
        '<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" '
        'version="4.0.0.0"><DATA><PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID>'
        f"</PROTECTINFO><KID>{kid}</KID><LA_URL>{escape(la_url)}</LA_URL></DATA></WRMHEADER>"
    ).encode("utf-16-le")
    recorded = struct.pack("<HH", _RIGHTS_MANAGEMENT, len(header)) + header
    return struct.pack("<IH", 6 + len(recorded), 1) + recorded


def key_tags(protection: Protection | None) -> tuple[str, ...]:
    """The EXT-X-KEY tags of a media playlist, one per key system."""
    match protection:
        case Aes128():
            iv = protection.iv.hex()
            return (f'#EXT-X-KEY:METHOD=AES-128,URI="{protection.key_url}",IV=0x{iv}',)
        case FairPlay():
            form = 'KEYFORMAT="com.apple.streamingkeydelivery",KEYFORMATVERSIONS="1"'
            return (f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="{protection.key_url}",{form}',)
        case Cenc():
            return tuple(_cenc_tag(each, protection.key_id) for each in headers(protection))
        case None:
            return ()


def _cenc_tag(header: Pssh, key_id: bytes) -> str:
    if header.system == PLAYREADY:
        named = base64.b64encode(header.data).decode()
        uri, form = f"data:text/plain;charset=UTF-16;base64,{named}", "com.microsoft.playready"
    else:
        uri, form = f"data:text/plain;base64,{header.base64}", f"urn:uuid:{header.system}"
    return (
        f'#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="{uri}",KEYID=0x{key_id.hex()},'
        f'KEYFORMAT="{form}",KEYFORMATVERSIONS="1"'
    )


def packager_flags(protection: Protection | None) -> dict[str, str | None]:
    """Shaka Packager's flags; AES-128 is done to the finished segments."""
    match protection:
        case Cenc():
            flags = _raw_key(protection.key, protection.key_id)
            flags["pssh"] = b"".join(each.box for each in headers(protection)).hex()
            if protection.iv is not None:
                flags["iv"] = protection.iv.hex()
            return flags | {"protection_scheme": "cenc"}
        case FairPlay():
            # The header wants a key id; players take the key from the skd address alone.
            key_id = uuid.uuid5(uuid.NAMESPACE_URL, protection.key_url).bytes
            flags = _raw_key(protection.key, key_id)
            return flags | {
                "iv": protection.iv.hex(),
                "protection_scheme": "cbcs",
                "protection_systems": "FairPlay",
            }
        case _:
            return {}


def _raw_key(key: bytes, key_id: bytes) -> dict[str, str | None]:
    return {
        "enable_raw_key_encryption": None,
        "keys": f"label=:key_id={key_id.hex()}:key={key.hex()}",
        "clear_lead": "0",
    }
