"""An output's sound in ffmpeg's words."""

from orchestrator.query import Mp4
from orchestrator.transcoder.plan.context import Context
from orchestrator.transcoder.plan.steps import Chain


def sound_chain(context: Context, asked: Mp4) -> Chain:
    """The sound of an output; silence keeps the source's length."""
    # Gaps in the sound become silence, and it starts with the picture.
    filters = "aresample=async=1:first_pts=0" + (",volume=0" if asked.audio_mute else "")
    return Chain(
        filters,
        (
            *("-c:a", _encoder(context, asked), "-b:a", f"{asked.audio_bitrate}k"),
            *("-ar", str(asked.audio_sample_rate), "-ac", str(asked.audio_channels_number)),
        ),
    )


def _encoder(context: Context, asked: Mp4) -> str:
    if asked.audio_codec in context.means.encoders:
        return asked.audio_codec
    context.warn(f"{asked.audio_codec} is not part of this transcoder's ffmpeg; aac took its place")
    return "aac"
