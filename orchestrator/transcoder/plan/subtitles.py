"""Subtitles and captions of an output: which there are, and how they get into it.

Every text, a file's or a track's of the source, is first made WebVTT of, cut to
the output's part of the film. That is what players of HLS and DASH read; files
are muxed of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.query.outputs import Captioned
from orchestrator.transcoder.languages import three_letters
from orchestrator.transcoder.plan.context import Context
from orchestrator.transcoder.plan.steps import Chain, Further, Input, Rendition, Subtitling
from orchestrator.transcoder.streams import TEXT_CODECS, SubtitleStream

#: The encoders that write EIA-608/708 captions into the picture.
_WITH_CAPTIONS = ("libx264", "libx265")
#: The file is ours: nothing about it is left to be guessed.
_READ_VTT = ("-format_whitelist", "webvtt", "-f", "webvtt")


@dataclass(frozen=True, slots=True)
class Text:
    """Subtitles in one language: a WebVTT file in the task's folder."""

    file: str
    language: str | None = None
    title: str | None = None


def texts_of(
    context: Context, tag: str, index: int, asked: Captioned, start: float, duration: float | None
) -> tuple[Text, ...]:
    """The subtitles of an output from ``start`` on, the query's before the source's own.

    Steps that write them are added to the compilation.
    """
    texts: list[Text] = []
    for place, (text, step) in enumerate(_all(context, index, asked)):
        name = f"{tag}-text-{place + 1}.vtt"
        context.subtitling.append(replace(step, file=name, start=start, duration=duration))
        texts.append(replace(text, file=name))
    return tuple(texts)


def muxed(made: Rendition, texts: Sequence[Text], codec: str) -> Rendition:
    """A file with the texts as tracks that players offer, none of them on by itself."""
    further = tuple(
        Further(Input(Path(text.file), options=_READ_VTT), "s:0", _about(number, text, codec))
        for number, text in enumerate(texts)
    )
    return replace(made, further=(*made.further, *further))


def captioned(context: Context, tag: str, codec: str, chain: Chain, asked: object) -> Chain:
    """The picture with the source's EIA-608/708 captions if they are asked for, else without."""
    wanted = copies_captions(asked)
    if codec in _WITH_CAPTIONS:
        return replace(chain, options=(*chain.options, "-a53cc", str(int(wanted))))
    if wanted:
        context.warn(
            f"{tag}: subtitles.copy has no effect, as {codec} can't hold EIA-608/708 captions; "
            f"{' and '.join(_WITH_CAPTIONS)} can"
        )
    return chain


def copies_captions(asked: object) -> bool:
    """Whether the source's EIA-608/708 captions are to be copied into an output."""
    return (
        isinstance(asked, Captioned)
        and asked.subtitles is not None
        and asked.subtitles.copy_captions
    )


def _all(context: Context, index: int, asked: Captioned) -> Iterator[tuple[Text, Subtitling]]:
    for number, each in enumerate(asked.subtitles.sources if asked.subtitles else ()):
        field = f"format[{index}].subtitles.sources[{number}].source"
        asset = context.asset(each.source, field)
        yield Text("", each.language), Subtitling(index, "", field, asset)
    if asked.subtitles_copy:
        for own in _own(context):
            field = f"the source's subtitles in stream {own.index}"
            text = Text("", own.language, own.title)
            yield text, Subtitling(index, "", field, stream=own.index)


def _own(context: Context) -> Iterator[SubtitleStream]:
    """The source's own subtitles that are text."""
    material = context.material
    if material.stitched:
        if any(probe.subtitles for probe in material.probes):
            context.warn("the subtitles of stitched sources are left out")
        return
    for each in material.probe.subtitles:
        if each.codec in TEXT_CODECS:
            yield each
        else:
            context.warn(
                f"the source's subtitles in stream {each.index} ({each.codec}) are no text, "
                "so they are left out; repack to .mkv keeps them"
            )


def _about(number: int, text: Text, codec: str) -> tuple[str, ...]:
    language = three_letters(text.language or "und")
    title = (f"-metadata:s:s:{number}", f"title={text.title}") if text.title else ()
    return (
        *(f"-c:s:{number}", codec, f"-disposition:s:{number}", "0"),
        *(f"-metadata:s:s:{number}", f"language={language}", *title),
    )
