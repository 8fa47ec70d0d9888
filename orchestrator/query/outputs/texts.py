"""Outputs that tell of the source: descriptions, transcripts, measurements."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.query.destination import StoredFile, StoredFolder
from orchestrator.query.outputs.common import Clip, Tagged, Wanted
from orchestrator.query.outputs.languages import LANGUAGES
from orchestrator.query.places import FileName, Url
from orchestrator.query.values import Flag, Span, Whole, as_text, refuse

_MOST_TRANSLATIONS = 15


def _version(value: object) -> str:
    text = as_text(value)
    if all(part.isascii() and part.isdigit() for part in text.split(".")):
        return text
    raise refuse("is not a version", 'write it as in "4.1.5"')


def _language(value: object) -> str:
    text = as_text(value)
    if text.lower() not in LANGUAGES:
        hint = 'write two letters, as in "en"'
        raise refuse("is not a language of ISO 639-1", hint)
    return text.lower()


Language = Annotated[str, BeforeValidator(_language)]


class Metadata(Tagged, StoredFile, Wanted):
    """A JSON file that describes the source.

    ``metadata_version`` is the ffprobe that a client expects (the documents'
    default is 4.1.5); None leaves it to the service.
    """

    output: Literal["metadata"]
    metadata_version: Annotated[str, BeforeValidator(_version)] | None = None


class SpeechToText(Clip, Tagged, StoredFolder, Wanted):
    """What is said in the source, as text, with times as JSON, and as subtitles.

    Without ``language`` the service finds out which one is spoken. Whether a
    service can translate is its own affair.
    """

    output: Literal["speech_to_text"]
    mode: Literal["balanced", "accuracy", "speed"] = "balanced"
    language: Language | None = None
    translate_languages: Annotated[
        tuple[Language, ...], Field(min_length=1, max_length=_MOST_TRANSLATIONS)
    ] = ()
    transcript: Flag = True
    transcript_name: FileName = "transcript.txt"
    json_file: Flag = Field(default=True, alias="json")
    json_name: FileName = "timestamps.json"
    srt: Flag = True
    srt_name: FileName = "subtitles.srt"
    vtt: Flag = True
    vtt_name: FileName = "subtitles.vtt"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that are made for the language that is spoken."""
        return tuple(self._made().values())

    def _made(self) -> dict[str, str]:
        made = {
            "transcript": (self.transcript, self.transcript_name),
            "json": (self.json_file, self.json_name),
            "srt": (self.srt, self.srt_name),
            "vtt": (self.vtt, self.vtt_name),
        }
        return {name: file for name, (asked, file) in made.items() if asked}

    @model_validator(mode="after")
    def _files_can_be(self) -> Self:
        made = self._made()
        if not made:
            hint = "keep one of transcript, json, srt and vtt"
            raise refuse("leaves no file to make", hint, field="vtt")
        names: set[str] = set()
        for name, file in made.items():
            if file in names:
                field = f"{name}_name"
                raise refuse("is the name of another file", "give it its own", field=field)
            names.add(file)
        return self


class Vmaf(Tagged, StoredFile, Wanted):
    """How near ``distorted`` comes to the source, as a JSON file of VMAF's scores.

    The query's source is the reference. Every ``n_subsample``-th frame is
    measured; ``duration`` (seconds) limits how much; with ``shortest`` the end
    of the shorter one ends it. Without ``vmaf_model`` the frame's size decides.
    """

    output: Literal["vmaf"]
    distorted: Url = Field(repr=False)
    duration: Span | None = None
    n_subsample: Annotated[Whole, Field(ge=1, le=10_000)] = 1
    shortest: Flag = False
    vmaf_model: (
        Literal["vmaf_v0.6.1", "vmaf_v0.6.1neg", "vmaf_4k_v0.6.1", "vmaf_4k_v0.6.1neg"] | None
    ) = None
