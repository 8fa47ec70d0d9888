"""What can't be had is refused before anything starts, naming the field or the setting."""

import importlib.util
from pathlib import Path

import pytest

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.speech import Speech
from orchestrator.transcoder.speech.models import find_model
from tests.transcoder.speech.wanted import Wanted


def refused(toolchain, models: Path | None, wanted: Wanted) -> str:
    with pytest.raises(MediaError) as caught:
        Speech(toolchain, models).check(wanted)
    return str(caught.value)


def test_what_can_be_had_is_not_refused(toolchain, bigram):
    for mode in (None, "speed", "balanced", "accuracy"):
        Speech(toolchain, bigram).check(
            Wanted(mode=mode, language="ES", translate_languages=["en"])
        )


def test_without_the_extra_it_is_named(toolchain, bigram, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install 'orchestrator[speech]'" in refused(toolchain, bigram, Wanted())


def test_without_models_the_setting_is_named(toolchain):
    assert "speech_models" in refused(toolchain, None, Wanted())


def test_each_mode_has_its_folder(toolchain, bigram, english_model, tmp_path):
    (tmp_path / "speed").symlink_to(bigram)
    (tmp_path / "accuracy").symlink_to(english_model)
    assert find_model(tmp_path, "speed").folder == bigram.resolve()
    assert find_model(tmp_path, "accuracy").folder == english_model.resolve()
    assert find_model(bigram, "balanced").name == "bigram"
    message = refused(toolchain, tmp_path, Wanted())
    assert "'balanced'" in message
    assert "speech_models" in message
    assert str(tmp_path) not in message


@pytest.mark.parametrize("gone", ["config.json", "tokenizer.json", "vocabulary.json"])
def test_a_model_that_is_not_complete(toolchain, bigram, tmp_path, gone):
    for file in bigram.iterdir():
        if file.name != gone:
            (tmp_path / file.name).symlink_to(file)
    message = refused(toolchain, tmp_path, Wanted())
    assert "not complete" in message
    assert gone in message


def test_a_damaged_vocabulary(toolchain, bigram, tmp_path):
    for file in bigram.iterdir():
        if file.name != "vocabulary.json":
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / "vocabulary.json").write_bytes(b"\xff\xfe")
    assert "vocabulary.json can't be read" in refused(toolchain, tmp_path, Wanted())


def test_languages(toolchain, bigram, english_model):
    assert "two-letter" in refused(toolchain, bigram, Wanted(language="en-US"))
    assert "English only" in refused(toolchain, english_model, Wanted(language="es"))
    Speech(toolchain, english_model).check(Wanted(language="en"))


@pytest.mark.attribute("format[].translate_languages")
def test_only_english_is_translated_into(toolchain, bigram):
    message = refused(toolchain, bigram, Wanted(translate_languages=["en", "de", "fr"]))
    assert '["en"]' in message
    assert "'de', 'fr'" in message


def test_modes(toolchain, bigram):
    assert "speed, balanced, accuracy" in refused(toolchain, bigram, Wanted(mode="turbo"))


@pytest.mark.parametrize(
    "name", ["../up.srt", "a/b.srt", "a\\b.srt", "..", " ", ".hidden", "-o", "a\nb", "é" * 101]
)
def test_names_stay_in_the_folder(toolchain, bigram, name):
    assert "srt_name" in refused(toolchain, bigram, Wanted(srt_name=name))


def test_two_files_of_one_name(toolchain, bigram):
    message = refused(toolchain, bigram, Wanted(srt_name="a.txt", vtt_name="a.txt"))
    assert "vtt_name and srt_name" in message
    clash = Wanted(srt_name="a.txt", vtt_name="a-en.txt", translate_languages=["en"])
    assert "'a-en.txt'" in refused(toolchain, bigram, clash)


def test_nothing_to_write(toolchain, bigram):
    assert "nothing to write" in refused(
        toolchain, bigram, Wanted(transcript=0, json_file=0, srt=0, vtt=0)
    )
