"""An output's sound in ffmpeg's words."""

from orchestrator.query.sound import Sound
from orchestrator.transcoder.plan.context import Context
from orchestrator.transcoder.plan.steps import Chain

#: ffmpeg's names of encoders where they differ from the API's.
_NAMES = {"mp3": "libmp3lame"}


def sound_chain(context: Context, asked: Sound) -> Chain:
    """The sound of an output; silence keeps the source's length."""
    # Gaps in the sound become silence, and it starts with the picture.
    filters = "aresample=async=1:first_pts=0" + (",volume=0" if asked.audio_mute else "")
    rate = () if asked.audio_codec == "flac" else ("-b:a", f"{asked.audio_bitrate}k")
    return Chain(
        filters,
        (
            *("-c:a", _encoder(context, asked), *rate),
            *("-ar", str(asked.audio_sample_rate), "-ac", str(asked.audio_channels_number)),
        ),
    )


def _encoder(context: Context, asked: Sound) -> str:
    name = _NAMES.get(asked.audio_codec, asked.audio_codec)
    if name != "libfdk_aac" or name in context.means.encoders:
        return name
    context.warn(f"{name} is not part of this transcoder's ffmpeg; aac took its place")
    return "aac"
