"""The transcript, and the JSON with the time of every word."""

import json

from orchestrator.transcoder.speech.documents import timestamps, transcript
from orchestrator.transcoder.speech.heard import Segment, Word
from tests.transcoder.speech.wanted import segment


def test_a_longer_silence_begins_a_paragraph():
    said = [segment(0, "Good", "morning."), segment(1, "Hello."), segment(9, "Good", "night.")]
    assert transcript(said) == "Good morning. Hello.\nGood night.\n"


def test_nothing_said():
    assert transcript([]) == ""
    document = json.loads(timestamps([], None, 2.0))
    assert document == {"language": None, "duration": 2.0, "text": "", "segments": []}


def test_scripts_without_spaces_get_none():
    said = [Segment(0, 1, "夜勤は"), Segment(1, 2, "終わった")]
    assert transcript(said) == "夜勤は終わった\n"


def test_every_word_has_its_time():
    said = Segment(0, 1, " Olá mundo", (Word(0, 0.5, " Olá", 0.8), Word(0.5, 1, " mundo", 0.9)))
    text = timestamps([said], "pt", 1.23456)
    assert "Olá" in text
    document = json.loads(text)
    assert document["duration"] == 1.235
    assert document["segments"][0]["text"] == "Olá mundo"
    assert document["segments"][0]["words"] == [
        {"start": 0, "end": 0.5, "word": "Olá", "probability": 0.8},
        {"start": 0.5, "end": 1, "word": "mundo", "probability": 0.9},
    ]


def test_control_characters_are_no_speech():
    told = {"start": 0, "end": 1, "text": " a\x00b\r\n\ud800c", "words": [[0, 1, " a\x00b", 1.0]]}
    heard = Segment.of(told)
    assert transcript([heard]) == "a b c\n"
    assert heard.words[0].text == " a b"
