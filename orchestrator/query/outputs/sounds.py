"""Outputs that are one file of sound."""

from typing import Annotated, Literal

from orchestrator.query import sound
from orchestrator.query.destination import StoredFile
from orchestrator.query.outputs.common import Clip, Tagged, Wanted
from orchestrator.query.sound import Sound


class Mp3(Sound, Clip, Tagged, StoredFile, Wanted):
    """The source's sound as MP3."""

    output: Literal["mp3"]
    audio_codec: Annotated[Literal["mp3"], sound.CODEC] = "mp3"


class Flac(Sound, Clip, Tagged, StoredFile, Wanted):
    """The source's sound without loss, so ``audio_bitrate`` means nothing to it."""

    output: Literal["flac"]
    audio_codec: Annotated[Literal["flac"], sound.CODEC] = "flac"
