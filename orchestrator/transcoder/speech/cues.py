"""Speech cut into cues that people can read: short lines, short enough, never two at once. Pure.

The bounds are those of common style guides for subtitles: two lines of 42
columns, seven seconds, and at least one second where the next cue leaves it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.transcoder.speech.heard import Segment, Word
from orchestrator.transcoder.speech.widths import one_line, width

LINE = 42
_LONGEST, _SHORTEST = 7.0, 1000
#: A silence, in seconds, in which nothing needs to stand on the screen.
_PAUSE = 1.0
_ENDS = (".", "!", "?", "…", "。", "！", "？", "।", "؟")
_STOPS = (*_ENDS, ",", ";", ":", "、", "，", "،")
#: Columns by which a line may be longer for ending where a reader would pause.
_BEHIND_A_STOP = 8


@dataclass(frozen=True, slots=True)
class Cue:
    """One or two lines and when they are shown, in milliseconds. ``end`` is after ``start``."""

    start: int
    end: int
    lines: tuple[str, ...]


def cues(segments: Iterable[Segment]) -> list[Cue]:
    """The cues of speech in their order: none empty, none overlapping another."""
    groups = [group for segment in segments for group in _groups(_units(segment))]
    groups.sort(key=lambda group: group[0].start)
    return _timed([(group, _lines(group)) for group in groups])


# --- what belongs together -------------------------------------------------------


def _units(segment: Segment) -> list[Word]:
    """Words that may stand apart: ``200`` and ``,000`` are one, where a script has spaces."""
    words = [word for word in segment.words if word.text.strip()] or list(_guessed(segment))
    spaced = 2 * sum(word.text[0].isspace() for word in words) >= len(words)
    units: list[Word] = []
    for word in words:
        if units and spaced and not word.text[0].isspace():
            last = units[-1]
            units[-1] = Word(last.start, word.end, last.text + word.text, last.probability)
        else:
            units.append(word)
    return units


def _guessed(segment: Segment) -> Iterator[Word]:
    """Words of a segment whose words have no times: each takes time by its length."""
    texts = [f" {text}" for text in segment.text.split()]
    per_char = max(0.0, segment.end - segment.start) / max(1, sum(map(len, texts)))
    start = segment.start
    for text in texts:
        end = start + per_char * len(text)
        yield Word(start, end, text, 0.0)
        start = end


def _groups(words: Iterable[Word]) -> Iterator[list[Word]]:
    group: list[Word] = []
    for word in words:
        if group and _parts(group, word):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _parts(group: Sequence[Word], word: Word) -> bool:
    """Whether a word begins a cue of its own behind these."""
    last = group[-1]
    if word.start - last.end >= _PAUSE or word.end - group[0].start > _LONGEST:
        return True
    if last.text.rstrip().endswith(_ENDS) and width(_text(group)) >= LINE // 2:
        return True
    return max(map(width, _lines([*group, word]))) > LINE


def _text(words: Sequence[Word]) -> str:
    return one_line("".join(word.text for word in words))


def _lines(words: Sequence[Word]) -> tuple[str, ...]:
    """One line, or two: alike in width, rather divided behind a comma or a full stop."""
    whole = _text(words)
    if width(whole) <= LINE or len(words) == 1:
        return (whole,)
    pairs = ((_text(words[:cut]), _text(words[cut:])) for cut in range(1, len(words)))
    return min(pairs, key=_unevenness)


def _unevenness(lines: tuple[str, str]) -> tuple[bool, int]:
    widest = max(map(width, lines))
    bonus = _BEHIND_A_STOP if lines[0].endswith(_STOPS) else 0
    return widest > LINE, widest - bonus


# --- when they are shown ---------------------------------------------------------


def _timed(groups: Sequence[tuple[Sequence[Word], tuple[str, ...]]]) -> list[Cue]:
    """Each from its first word to its last, and longer where there is room to read it."""
    starts = _starts([group[0].start for group, _ in groups])
    made: list[Cue] = []
    for place, (group, lines) in enumerate(groups):
        start = starts[place]
        end = max(_millis(group[-1].end), start + _SHORTEST)
        if place + 1 < len(starts):
            end = min(end, starts[place + 1])
        made.append(Cue(start, end, lines))
    return made


def _starts(seconds: Iterable[float]) -> list[int]:
    """Moments in milliseconds that rise: a cue must have time in which it is seen."""
    risen: list[int] = []
    for moment in map(_millis, seconds):
        risen.append(max(moment, risen[-1] + 1) if risen else max(0, moment))
    return risen


def _millis(seconds: float) -> int:
    return round(seconds * 1000)
