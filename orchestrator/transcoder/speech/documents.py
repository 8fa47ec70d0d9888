"""What was said as plain text, and as JSON with the time of every word. Pure.

The JSON document, all times in seconds from the start of the sound::

    {"language": "en", "duration": 5.851, "text": "Good morning ...",
     "segments": [{"start": 0.0, "end": 3.18, "text": "Good morning ...",
       "words": [{"start": 0.0, "end": 0.36, "word": "Good", "probability": 0.98}, ...]}]}

``language`` is ISO 639-1, and null where nobody spoke.
"""

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.transcoder.speech.heard import Segment, Word
from orchestrator.transcoder.speech.widths import one_line

#: A silence, in seconds, behind which a new paragraph begins.
_PARAGRAPH = 2.0


def transcript(segments: Sequence[Segment]) -> str:
    """What was said, a paragraph a line; a longer silence begins a new one."""
    paragraphs: list[list[Segment]] = []
    for segment in segments:
        if not paragraphs or segment.start - paragraphs[-1][-1].end >= _PARAGRAPH:
            paragraphs.append([])
        paragraphs[-1].append(segment)
    lines = (_text(paragraph) for paragraph in paragraphs)
    return "".join(f"{line}\n" for line in lines if line)


def timestamps(segments: Sequence[Segment], language: str | None, duration: float) -> str:
    """The JSON document that this module's docstring describes."""
    document = {
        "language": language,
        "duration": round(duration, 3),
        "text": _text(segments),
        "segments": [_segment(segment) for segment in segments],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _text(segments: Sequence[Segment]) -> str:
    # A segment's text begins with a space in the scripts that have spaces.
    return one_line("".join(segment.text for segment in segments))


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "text": one_line(segment.text),
        "words": [_word(word) for word in segment.words],
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "start": word.start,
        "end": word.end,
        "word": word.text.strip(),
        "probability": word.probability,
    }
