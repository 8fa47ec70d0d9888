"""How an output for streaming is cut, named and protected, from what was asked."""

from base64 import b64decode

from orchestrator.query import AdvancedDash, AdvancedHls, HlsAudio, WebmDash
from orchestrator.query.outputs.streaming import HLS_NAME
from orchestrator.transcoder.packaging import (
    Aes128,
    Caption,
    Cenc,
    FairPlay,
    Packing,
    Protection,
    from_hex,
)
from orchestrator.transcoder.packaging.drm import headers
from orchestrator.transcoder.plan.steps import Ladder
from orchestrator.transcoder.plan.subtitles import copies_captions
from orchestrator.transcoder.ports import MediaError


def packing(asked: Ladder) -> Packing:
    """How an output is cut, named and protected. Raises ``MediaError``."""
    seconds = float(asked.segment_duration)
    match asked:
        case AdvancedDash():
            return Packing(
                hls=HLS_NAME if asked.create_m3u8_playlist else None,
                dash=asked.playlist_name,
                container="mp4",
                segment_duration=seconds,
                protection=_protection(asked),
                captions=_captions(asked),
            )
        case WebmDash():
            return Packing(
                hls=None, dash=asked.playlist_name, container="webm", segment_duration=seconds
            )
        case _:
            return Packing(
                hls=asked.playlist_name,
                container="mp4" if asked.fmp4 else "ts",
                segment_duration=seconds,
                i_frames_only=isinstance(asked, AdvancedHls) and asked.i_frames_only,
                single_folder=asked.single_folder,
                protection=_protection(asked),
                captions=_captions(asked),
            )


def sound_is_apart(asked: Ladder) -> bool:
    """Whether sound has segments of its own. DASH knows nothing else."""
    return not isinstance(asked, AdvancedHls) or asked.separate_audio


def check_protected(tag: str, asked: Ladder) -> None:
    """Raises ``MediaError``, before anything is encoded, for what can't be protected so."""
    if not isinstance(asked, AdvancedHls) or not (asked.cenc_drm or asked.fps_drm):
        return
    name = "cenc_drm" if asked.cenc_drm else "fps_drm"
    if not asked.separate_audio:
        raise MediaError(f"{tag}: {name} keeps sound apart: set separate_audio to 1")
    if asked.fps_drm and not asked.fmp4 and any(s.video_codec == "libx265" for s in asked.stream):
        raise MediaError(f"{tag}: fps_drm protects H.265 in fMP4 alone: set fmp4 to 1")


def _captions(asked: Ladder) -> tuple[Caption, ...]:
    """What manifests tell of the source's captions, should it have any: the first channel.

    No probe says which channels there are; the first one is what all use.
    """
    wanted = not isinstance(asked, HlsAudio) and copies_captions(asked)
    return (Caption(),) if wanted else ()


def _protection(asked: AdvancedHls | HlsAudio | AdvancedDash) -> Protection | None:
    if asked.cenc_drm is not None:
        drm = asked.cenc_drm
        made = Cenc(
            key=from_hex(drm.key.get_secret_value(), "cenc_drm.key"),
            key_id=from_hex(drm.key_id, "cenc_drm.key_id"),
            pssh=b64decode(drm.pssh),
            iv=from_hex(drm.iv, "cenc_drm.iv") if drm.iv else None,
            la_url=drm.la_url,
        )
        headers(made)  # raises where the boxes can't be read
        return made
    if isinstance(asked, AdvancedDash):
        return None
    if asked.encryption is not None:
        aes = asked.encryption
        key = from_hex(aes.key.get_secret_value(), "encryption.key")
        return Aes128(key, from_hex(aes.iv, "encryption.iv"), aes.key_url)
    if asked.fps_drm is not None:
        fps = asked.fps_drm
        key = from_hex(fps.key.get_secret_value(), "fps_drm.key")
        return FairPlay(key, from_hex(fps.iv, "fps_drm.iv"), fps.key_url)
    return None
