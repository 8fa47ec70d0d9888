"""What a query asks for, and segments of speech, for tests."""

from dataclasses import dataclass

from hypothesis import strategies as st

from orchestrator.transcoder.speech.heard import Segment, Word


@dataclass
class Wanted:
    """A ``speech_to_text`` output; all as in a query that says nothing."""

    mode: str | None = None
    language: str | None = None
    transcript: int | None = None
    transcript_name: str | None = None
    json_file: int | None = None
    json_name: str | None = None
    srt: int | None = None
    srt_name: str | None = None
    vtt: int | None = None
    vtt_name: str | None = None
    translate_languages: list[str] | None = None


def segment(start: float, *said: str, each: float = 0.4) -> Segment:
    """Words spoken one after the other, each as long as the others."""
    times = [start + each * place for place in range(len(said) + 1)]
    words = [
        Word(round(begin, 3), round(end, 3), f" {text}", 0.9)
        for begin, end, text in zip(times, times[1:], said, strict=False)
    ]
    return Segment(words[0].start, words[-1].end, "".join(w.text for w in words), tuple(words))


_TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" <>&-\n日本,.")),
    max_size=20,
)
_MOMENTS = st.floats(0, 40_000, allow_nan=False)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """A segment as a model in trouble may tell it: times in no order, any text."""
    words = draw(st.lists(st.tuples(_MOMENTS, _MOMENTS, _TEXTS, st.just(0.5)), max_size=8))
    told = {
        "start": draw(_MOMENTS),
        "end": draw(_MOMENTS),
        "text": "".join(word[2] for word in words) or draw(_TEXTS),
        "words": words,
    }
    return Segment.of(told)
