"""The speech models of this machine: which folder and which settings a mode means.

A model is a folder in the format of CTranslate2, as ``faster-whisper`` reads it:
``model.bin``, ``config.json``, ``tokenizer.json`` and a vocabulary. The folder of
the setting ``speech_models`` holds one per mode, named ``speed``, ``balanced``
and ``accuracy``; or it is itself a model, which then serves all three.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from orchestrator.transcoder.ports import MediaError

_NEEDED = ("model.bin", "config.json", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
#: Models of many languages have at least so many tokens; those of English have fewer.
_MANY_LANGUAGES = 51865
_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")


@dataclass(frozen=True, slots=True)
class Mode:
    """How a mode decodes.

    ``beam`` is how many readings are followed at once. ``compute`` is the type
    of number that the model calculates with; "default" is that of its files.
    ``context`` says whether each half minute is read knowing the one before:
    better names and punctuation, at the price of time and of errors that go on.
    """

    beam: int
    compute: str
    context: bool


MODES = MappingProxyType(
    {
        "speed": Mode(beam=1, compute="int8", context=False),
        "balanced": Mode(beam=3, compute="int8", context=True),
        "accuracy": Mode(beam=5, compute="default", context=True),
    }
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model on disk; ``languages`` are Whisper's codes of those that it understands."""

    folder: Path
    languages: frozenset[str]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name


def find_model(models: Path | None, mode: str) -> Model:
    """The model for a mode. Raises ``MediaError`` that names what to set or to put where."""
    if models is None:
        raise MediaError(
            "speech_to_text needs a Whisper model: the owner of this transcoder sets "
            "speech_models to a folder of models in the CTranslate2 format"
        )
    folder = models if (models / "model.bin").is_file() else models / mode
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if len(missing) == len(_NEEDED):
        raise MediaError(
            f"there is no model for the mode {mode!r}: the folder of the setting speech_models "
            f"holds no {mode}/ with a Whisper model in the CTranslate2 format"
        )
    if missing:
        raise _incomplete(mode, ", ".join(missing))
    return _read(folder.resolve(), mode)


@lru_cache(maxsize=16)
def _read(folder: Path, mode: str) -> Model:
    tokens = _vocabulary(folder, mode)
    if len(tokens) < _MANY_LANGUAGES:
        return Model(folder, frozenset({"en"}))
    found = (_LANGUAGE.fullmatch(token) for token in tokens)
    return Model(folder, frozenset(match[1] for match in found if match))


def _vocabulary(folder: Path, mode: str) -> list[str]:
    for path in (folder / name for name in _VOCABULARIES):
        if path.is_file():
            try:
                text = path.read_text(encoding="utf-8")
                return list(json.loads(text)) if path.suffix == ".json" else text.splitlines()
            except ValueError:
                raise MediaError(
                    f"the speech model for the mode {mode!r} is damaged: {path.name} can't be read"
                ) from None
    raise _incomplete(mode, " or ".join(_VOCABULARIES))


def _incomplete(mode: str, missing: str) -> MediaError:
    return MediaError(f"the speech model for the mode {mode!r} is not complete: {missing} missing")
