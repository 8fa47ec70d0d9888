"""What a model heard: segments of speech, word by word. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from orchestrator.transcoder.speech.widths import without_controls


@dataclass(frozen=True, slots=True)
class Word:
    """A word and the space before it, where its script has spaces. Times are in seconds.

    ``probability`` (0 to 1) is how sure the model was of it.
    """

    start: float
    end: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of speech, as the model cut it. Times are in seconds from the sound's start."""

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The segment that the worker told of."""
        words = tuple(
            Word(start, end, without_controls(text), probability)
            for start, end, text, probability in told["words"]
        )
        return cls(told["start"], told["end"], without_controls(told["text"]), words)


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything heard in one sound.

    ``language`` is Whisper's code of it, None where nobody spoke. ``said`` is in
    that language, ``in_english`` is a translation, if one was asked for.
    """

    language: str | None
    said: tuple[Segment, ...]
    in_english: tuple[Segment, ...] = ()
