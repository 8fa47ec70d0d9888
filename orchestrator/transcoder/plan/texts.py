"""The outputs that tell of the source: what is in it, what is said, how near another comes."""

from collections.abc import Iterator

from orchestrator.query import Metadata, SpeechToText, Vmaf
from orchestrator.transcoder.plan.context import Context, Place
from orchestrator.transcoder.plan.steps import (
    Chain,
    Comparison,
    Description,
    Pass,
    Rendition,
    Transcription,
)
from orchestrator.transcoder.ports import MediaError

#: What speech models listen to: more is thrown away by them.
_SPEECH = "aresample=16000,aformat=sample_fmts=s16:channel_layouts=mono"


def told_first(context: Context) -> Iterator[Description]:
    """The descriptions of the source, which are known already."""
    for place in context.places:
        if isinstance(place.asked, Metadata):
            yield _description(context, place)


def told_last(context: Context) -> Iterator[Transcription | Comparison]:
    """Transcripts and scores: they take long, and need nothing that others make.

    Raises ``MediaError`` for a source without what they are about.
    """
    for place in context.places:
        match place.asked:
            case SpeechToText():
                yield _transcription(context, place)
            case Vmaf():
                yield _comparison(context, place)


def _description(context: Context, place: Place[Metadata]) -> Description:
    if place.asked.metadata_version:
        context.warn("metadata_version is not kept to: this service describes with its own ffprobe")
    return Description(place.tag, place.index, place.asked, f"{place.tag}.json")


def _transcription(context: Context, place: Place[SpeechToText]) -> Transcription:
    asked, film = place.asked, context.material
    if not film.probe.audio:
        raise MediaError(
            f"{place.tag}: the source has no sound, so there is no speech to turn into text"
        )
    seconds = context.heard(place.tag, asked.start_time, asked.duration)
    joined = None
    if film.stitched:
        made = Rendition(
            tag=place.tag,
            kind="text",
            index=place.index,
            asked=asked,
            file=f"{place.tag}.sound.flac",
            sound=Chain(_SPEECH, ("-c:a", "flac", "-compression_level", "0")),
            options=("-f", "flac"),
            seconds=seconds,
        )
        reading = film.read(asked.start_time, asked.duration, sound=True, picture=False)
        joined = Pass((made,), reading, asked.duration)
    return Transcription(place.tag, place.index, asked, place.tag, joined)


def _comparison(context: Context, place: Place[Vmaf]) -> Comparison:
    context.material.picture()
    distorted = context.asset(place.asked.distorted, place.tag)
    return Comparison(place.tag, place.index, place.asked, distorted, f"{place.tag}.json")
