"""How an output's audio is encoded."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from orchestrator.query.base import Part
from orchestrator.query.values import Flag, Whole, as_whole

AudioCodec = Literal["aac", "libfdk_aac"]

#: The rates that AAC knows (ISO/IEC 14496-3, table 1.18), in Hz.
SampleRate = Annotated[
    Literal[8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000],
    BeforeValidator(as_whole),
]


class Sound(Part):
    """How an output's audio is encoded; the defaults are the documents'.

    ``audio_bitrate`` is in kbit/s. ``audio_mute`` puts silence in the place of
    the source's sound.
    """

    audio_codec: AudioCodec = "aac"
    audio_bitrate: Annotated[Whole, Field(ge=8, le=1024)] = 64
    audio_sample_rate: SampleRate = 44100
    audio_channels_number: Annotated[Whole, Field(ge=1, le=8)] = 2
    audio_mute: Flag = False
