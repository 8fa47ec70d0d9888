"""What a query asks of a ``speech_to_text`` output, and what can't be had. Pure."""

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple, Protocol

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.speech.models import MODES, Model

#: Whisper's codes where they are not those of ISO 639-1, by the latter.
_OWN_CODES = {"jv": "jw", "nb": "no"}
_ISO_CODES = {"jw": "jv"}
_LONGEST_NAME = 200


class Asked(Protocol):
    """The attributes of the output that matter here, as the query has them.

    A flag that is None is on. https://docs.qencode.com/ names them.
    """

    @property
    def mode(self) -> str | None: ...
    @property
    def language(self) -> str | None: ...
    @property
    def transcript(self) -> bool | int | None: ...
    @property
    def transcript_name(self) -> str | None: ...
    @property
    def json_file(self) -> bool | int | None: ...
    @property
    def json_name(self) -> str | None: ...
    @property
    def srt(self) -> bool | int | None: ...
    @property
    def srt_name(self) -> str | None: ...
    @property
    def vtt(self) -> bool | int | None: ...
    @property
    def vtt_name(self) -> str | None: ...
    @property
    def translate_languages(self) -> Sequence[str] | None: ...


class File(NamedTuple):
    """A file that is asked for: its kind (transcript, json, srt, vtt) and its name."""

    kind: str
    name: str

    def in_language(self, code: str) -> str:
        """Its name for a translation: ``subtitles-en.srt``, as the API names them."""
        path = PurePath(self.name)
        return f"{path.stem}-{code}{path.suffix}"


def mode_of(asked: Asked) -> str:
    """The mode, balanced where none was given. Raises ``MediaError`` for one not known."""
    mode = asked.mode or "balanced"
    if mode not in MODES:
        raise MediaError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    return mode


def files_of(asked: Asked) -> tuple[File, ...]:
    """The files to write. Raises ``MediaError`` for names that can't be used, and for none."""
    files = tuple(_named(asked))
    if not files:
        raise MediaError(
            "transcript, json, srt and vtt are all 0: there is nothing to write; set one of them"
        )
    seen: dict[str, str] = {}
    for file in files:
        _check_name(file)
        names = [file.name, *map(file.in_language, translations_of(asked))]
        for name in names:
            if name in seen:
                raise MediaError(
                    f"{file.kind}_name and {seen[name]}_name would both write {name!r}: "
                    "give them different names"
                )
        seen.update(dict.fromkeys(names, file.kind))
    return files


def _named(asked: Asked) -> Iterator[File]:
    if _on(asked.transcript):
        yield File("transcript", asked.transcript_name or "transcript.txt")
    if _on(asked.json_file):
        yield File("json", asked.json_name or "timestamps.json")
    if _on(asked.srt):
        yield File("srt", asked.srt_name or "subtitles.srt")
    if _on(asked.vtt):
        yield File("vtt", asked.vtt_name or "subtitles.vtt")


def language_of(asked: Asked, model: Model) -> str | None:
    """Whisper's code of the language given; None: to be detected.

    Raises ``MediaError`` where the model does not understand it.
    """
    if not asked.language:
        return None
    given = asked.language.strip().lower()
    code = _OWN_CODES.get(given, given)
    if code in model.languages:
        return code
    if model.languages == {"en"}:
        raise MediaError(
            f"language: the model for this mode understands English only, not {asked.language!r}"
        )
    raise MediaError(
        f"language: {asked.language!r} is no language that the model understands; "
        "write its two-letter ISO 639-1 code, such as en or es"
    )


def translations_of(asked: Asked) -> tuple[str, ...]:
    """The languages to translate into: none, or English.

    Raises ``MediaError`` for others, which Whisper can't.
    """
    wanted = tuple(dict.fromkeys(code.strip().lower() for code in asked.translate_languages or ()))
    others = [code for code in wanted if code != "en"]
    if others:
        raise MediaError(
            "translate_languages: speech is translated into English alone here, "
            f'so ["en"] is what can be asked for, not {", ".join(map(repr, others))}'
        )
    return wanted


def iso_code(whisper: str) -> str:
    """The code of ISO 639-1 for Whisper's own."""
    return _ISO_CODES.get(whisper, whisper)


def _on(flag: bool | int | None) -> bool:
    return flag is None or bool(flag)


def _check_name(file: File) -> None:
    """Raise ``MediaError`` unless the name is that of one plain file in the output's folder."""
    name, field = file.name, f"{file.kind}_name"
    if "/" in name or "\\" in name or name in {".", ".."} or not name.strip():
        raise MediaError(f"{field} must be the name of a file, without a folder: {name!r} is not")
    if not name.isprintable() or name.startswith((".", "-")):
        raise MediaError(f"{field} must not begin with . or -, nor hold control characters")
    if len(name.encode()) > _LONGEST_NAME:
        raise MediaError(f"{field} is longer than {_LONGEST_NAME} bytes")
