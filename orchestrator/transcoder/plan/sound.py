"""An output's sound in ffmpeg's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.query.sound import Sound
from orchestrator.transcoder.languages import shortest
from orchestrator.transcoder.plan.bitrates import nearest_bitrate
from orchestrator.transcoder.plan.channels import LAYOUTS, mixed, routed
from orchestrator.transcoder.plan.context import Context
from orchestrator.transcoder.plan.steps import Chain
from orchestrator.transcoder.ports import MediaError, Notice
from orchestrator.transcoder.streams import AudioStream

#: ffmpeg's names of encoders where they differ from the API's.
_NAMES: Final = {"mp3": "libmp3lame"}

#: A track of less (bit/s) holds next to nothing, whatever its codec.
_TOO_LITTLE: Final = 8_000
#: The layouts that ffmpeg means by a bare number of channels differ from ours here.
_NAMED_LAYOUTS: Final = frozenset({3, 4})


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """A sound of the source. ``track`` is its place among those that a pass reads.

    ``language`` is a tag as in RFC 5646 (``en``), ``default`` says that it is the
    one to play where nobody chooses.
    """

    track: int
    channels: int
    language: str | None = None
    title: str | None = None
    default: bool = False


def sound_tracks(context: Context) -> tuple[SoundTrack, ...]:
    """Every sound of the film, the default one first."""
    return tuple(
        SoundTrack(
            place,
            each.channels,
            shortest(each.language) if each.language else None,
            each.title,
            default=place == 0,
        )
        for place, each in enumerate(context.material.probe.audio)
    )


def sound_chain(context: Context, asked: Sound, track: int = 0) -> Chain:
    """The sound of an output, made of one of the source's tracks; silence keeps its length.

    Raises ``MediaError`` where ``audio_pan`` takes a channel that the source
    does not have.
    """
    source = context.material.probe.audio[track]
    _warn_of_little(context, source, track)
    # Gaps in the sound become silence, and it starts with the picture.
    filters = ["aresample=async=1:first_pts=0", _placed(asked, source)]
    if asked.audio_mute:
        filters.append("volume=0")
    count = asked.audio_channels_number
    layout = ("-channel_layout", LAYOUTS[count]) if count in _NAMED_LAYOUTS else ()
    return Chain(
        ",".join(filters),
        (
            *("-c:a", _encoder(context, asked), *_rate(context, asked, source)),
            *("-ar", str(asked.audio_sample_rate), "-ac", str(count), *layout),
        ),
    )


def _placed(asked: Sound, source: AudioStream) -> str:
    """Every channel in its place."""
    if asked.audio_pan is None:
        return mixed(source, asked.audio_channels_number)
    _check_pan(asked.audio_pan, source.channels)
    return routed(asked.audio_pan)


def _check_pan(pan: Mapping[str, str], channels: int) -> None:
    missing = sorted({name for name in pan.values() if int(name[1:]) >= channels})
    if missing:
        has = "1 channel (c0)" if channels == 1 else f"{channels} channels (c0 to c{channels - 1})"
        raise MediaError(
            f"audio_pan takes {', '.join(missing)} of the source, whose sound has only {has}"
        )


def _warn_of_little(context: Context, source: AudioStream, track: int) -> None:
    if source.bitrate is None or source.bitrate >= _TOO_LITTLE:
        return
    context.notice(
        Notice(
            "Low Audio Bitrate",
            f"the source's sound (track {track + 1}) has only {source.bitrate / 1000:.1f} kbit/s: "
            "it is silent, or holds too little to be worth hearing",
        )
    )


def _rate(context: Context, asked: Sound, source: AudioStream) -> tuple[str, ...]:
    """The bitrate, or for what is lossless the depth of the samples."""
    if asked.audio_codec != "flac":
        return ("-b:a", f"{_bitrate(context, asked)}k")
    if "audio_bitrate" in asked.model_fields_set:
        context.warn("audio_bitrate means nothing to flac, which loses nothing: it is ignored")
    # What was coded with loss has no depth: decoders give more bits than it is worth.
    return () if source.bits > 16 else ("-sample_fmt", "s16")


def _bitrate(context: Context, asked: Sound) -> int:
    codec, rate, count = asked.audio_codec, asked.audio_sample_rate, asked.audio_channels_number
    made = nearest_bitrate(codec, asked.audio_bitrate, rate, count)
    if made != asked.audio_bitrate:
        context.warn(
            f"audio_bitrate {asked.audio_bitrate} can't be had of {codec} at {rate} Hz with "
            f"{count} channel{'s' if count > 1 else ''}: {made} took its place"
        )
    return made


def _encoder(context: Context, asked: Sound) -> str:
    name = _NAMES.get(asked.audio_codec, asked.audio_codec)
    if name != "libfdk_aac" or name in context.means.encoders:
        return name
    context.warn(f"{name} is not part of this transcoder's ffmpeg; aac took its place")
    return "aac"
