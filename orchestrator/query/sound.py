"""How an output's audio is encoded."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.query.base import Part
from orchestrator.query.values import Flag, Whole, as_whole, refuse

AudioCodec = Literal["aac", "libfdk_aac", "mp3", "libvorbis", "libopus", "flac"]

#: The rates that AAC knows (ISO/IEC 14496-3, table 1.18), in Hz.
SampleRate = Annotated[
    Literal[8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000],
    BeforeValidator(as_whole),
]

#: The rates of codecs that do not know all of them, in Hz.
_RATES: Final[Mapping[str, tuple[int, ...]]] = {
    "libopus": (8000, 12000, 16000, 24000, 48000),
    "mp3": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
}
_MOST_CHANNELS: Final[Mapping[str, int]] = {"mp3": 2}
#: kbit/s.
_MOST_BITRATE: Final[Mapping[str, int]] = {"mp3": 320, "libopus": 510}

#: The names of encoders and of codecs are in use for the same.
_OTHER_NAMES: Final = {"opus": "libopus", "libmp3lame": "mp3", "vorbis": "libvorbis"}

_MOST_PAN: Final = 8
_CHANNEL = re.compile(r"c[0-9]{1,2}")


def _codec(value: object) -> object:
    return _OTHER_NAMES.get(value, value) if isinstance(value, str) else value


#: Before the list of codecs that an output knows.
CODEC: Final = BeforeValidator(_codec)


def _pan(value: object) -> object:
    hint = 'write which channel of the source each one is, as in {"c0": "c1", "c1": "c0"}'
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise refuse("is not a mapping of channels", hint) from None
    if not isinstance(value, Mapping) or not 1 <= len(value) <= _MOST_PAN:
        raise refuse("is not a mapping of channels", hint)
    known = [isinstance(each, str) and _CHANNEL.fullmatch(each) for each in value.values()]
    if not all(known) or set(value) != {f"c{number}" for number in range(len(value))}:
        raise refuse("does not name each channel from c0 on", hint)
    return {name: value[name] for name in sorted(value, key=lambda name: int(name[1:]))}


Pan = Annotated[dict[str, str], BeforeValidator(_pan, json_schema_input_type=dict[str, str] | str)]


def _usual_rate(read: dict[str, Any]) -> Any:
    """The documents' default; opus does not know it."""
    return 48000 if read.get("audio_codec") == "libopus" else 44100


def _usual_channels(read: dict[str, Any]) -> int:
    return len(read.get("audio_pan") or ()) or 2


class Sound(Part):
    """How an output's audio is encoded; the defaults are the documents'.

    ``audio_bitrate`` is in kbit/s. ``audio_mute`` puts silence in the place of
    the source's sound. ``audio_pan`` has the source's channel for each of the
    output's, ``{"c0": "c2", "c1": "c0"}``.
    """

    audio_codec: Annotated[AudioCodec, CODEC] = "aac"
    audio_bitrate: Annotated[Whole, Field(ge=8, le=1024)] = 64
    audio_sample_rate: SampleRate = Field(default_factory=_usual_rate)
    audio_pan: Pan | None = None
    audio_channels_number: Annotated[Whole, Field(ge=1, le=8)] = Field(
        default_factory=_usual_channels
    )
    audio_mute: Flag = False

    @model_validator(mode="after")
    def _codec_can_hold_it(self) -> Self:
        codec = self.audio_codec
        rates = _RATES.get(codec)
        if rates and self.audio_sample_rate not in rates:
            hint = f"use {', '.join(map(str, rates))}"
            raise refuse(f"is no rate of {codec}", hint, field="audio_sample_rate")
        if self.audio_channels_number > _MOST_CHANNELS.get(codec, 8):
            most = _MOST_CHANNELS[codec]
            raise refuse(f"must be at most {most} with {codec}", field="audio_channels_number")
        if self.audio_bitrate > _MOST_BITRATE.get(codec, 1024):
            most = _MOST_BITRATE[codec]
            raise refuse(f"must be at most {most} with {codec}", field="audio_bitrate")
        return self

    @model_validator(mode="after")
    def _channels_agree(self) -> Self:
        if self.audio_pan is not None and len(self.audio_pan) != self.audio_channels_number:
            contradiction = f"names {len(self.audio_pan)} channels of {self.audio_channels_number}"
            raise refuse(contradiction, "name as many", field="audio_pan")
        return self
