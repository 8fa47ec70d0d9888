"""The process that turns sound into text, run as a script with one argument: the work, as JSON.

It stands alone, importing nothing of this package, so that it starts quickly and
its memory holds the model and little else. It writes one JSON object a line::

    {"language": "en"}                          as soon as it is known
    {"task": "transcribe", "start": 0.0, "end": 3.18, "text": " Good morning.",
     "words": [[0.0, 0.36, " Good", 0.98], ...]}
    {"percent": 54.4}
    {"error": "..."}                            the last line, where it could not go on

The sound is 16 kHz mono 16-bit PCM without a header. Hours of it are read in
stretches, cut where it is quiet: the model's library takes 1.5 GB for each hour
that it gets at once.
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

RATE = 16000
#: A stretch, and how much of its end is searched for a quiet place, in samples.
STRETCH, SEARCH = 15 * 60 * RATE, 30 * RATE
_BLOCK = RATE // 5
#: How random a second and a third reading may be, where the first makes no sense.
_TEMPERATURES = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
_DETECT_SEGMENTS = 4

Event = dict[str, Any]


def main(argument: str) -> int:
    """Do the work and tell of it on the standard output; the answer is the exit status."""
    # Libraries that print must not break the lines that are read.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as told:
        os.dup2(2, 1)
        try:
            for event in _work(json.loads(argument)):
                print(json.dumps(event), file=told, flush=True)
        except (ImportError, MemoryError, OSError, RuntimeError, ValueError) as error:
            print(json.dumps({"error": str(error) or type(error).__name__}), file=told, flush=True)
            return 1
    return 0


def _work(job: dict[str, Any]) -> Iterator[Event]:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.update(dict.fromkeys(_THREADS, str(job["threads"] or os.cpu_count())))
    import numpy
    from faster_whisper import WhisperModel

    model = WhisperModel(
        job["model"],
        device="cpu",
        compute_type=job["compute"],
        cpu_threads=job["threads"],
        local_files_only=True,
    )
    size = os.path.getsize(job["sound"]) // 2  # noqa: PTH202
    samples = numpy.memmap(job["sound"], numpy.int16, "r") if size else numpy.zeros(0, numpy.int16)
    language = job["language"]
    if language:
        yield {"language": language}
    for done, task in enumerate(job["tasks"]):
        if task == "translate" and language in (None, "en"):
            continue
        for start, end in cuts(samples):
            sound = samples[start:end].astype(numpy.float32) / 32768
            heard, segments = _read(model, sound, task, language, job)
            if heard is not None and language is None:
                language = heard
                yield {"language": language}
            for segment in segments:
                yield _told(task, segment, start / RATE, len(samples) / RATE)
                yield _reached(job, done, start / RATE + segment.end, len(samples) / RATE)
            yield _reached(job, done, end / RATE, len(samples) / RATE)


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cuts(samples: Any, stretch: int = STRETCH, search: int = SEARCH) -> Iterator[tuple[int, int]]:
    """Where the stretches begin and end: in the quietest fifth of a second near their bound."""
    import numpy

    start = 0
    while len(samples) - start > stretch + search:
        first = start + stretch - search
        blocks = samples[first : start + stretch][: search // _BLOCK * _BLOCK]
        loudness = numpy.abs(blocks.reshape(-1, _BLOCK).astype(numpy.int32)).mean(axis=1)
        end = first + int(loudness.argmin()) * _BLOCK + _BLOCK // 2
        yield start, end
        start = end
    if len(samples) > start:
        yield start, len(samples)


def _read(
    model: Any, sound: Any, task: str, language: str | None, job: dict[str, Any]
) -> tuple[str | None, Any]:
    """The language of a stretch and its segments; no language where nobody speaks in it."""
    segments, info = model.transcribe(
        sound,
        task=task,
        language=language,
        beam_size=job["beam"],
        best_of=job["beam"],
        temperature=_TEMPERATURES,
        condition_on_previous_text=job["context"],
        word_timestamps=job["words"],
        vad_filter=True,
        language_detection_segments=_DETECT_SEGMENTS,
    )
    return (info.language, segments) if info.duration_after_vad else (None, ())


def _told(task: str, segment: Any, offset: float, duration: float) -> Event:
    def moment(seconds: float) -> float:
        return round(min(duration, max(0.0, offset + float(seconds))), 3)

    words = [
        [moment(word.start), moment(word.end), word.word, round(float(word.probability), 3)]
        for word in segment.words or ()
    ]
    start, end = moment(segment.start), moment(segment.end)
    return {"task": task, "start": start, "end": end, "text": segment.text, "words": words}


def _reached(job: dict[str, Any], done: int, seconds: float, duration: float) -> Event:
    share = min(1.0, seconds / duration)
    return {"percent": round(100.0 * (done + share) / len(job["tasks"]), 2)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
