"""Numbers, flags, rates and sizes as clients write them."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from orchestrator.query import values
from orchestrator.query.values import FrameSize, KeyframeInterval

_ADAPTERS = {
    name: TypeAdapter(getattr(values, name))
    for name in ("Whole", "Number", "Flag", "Text", "FrameRate", "AspectRatio", "Size", "Keyframe")
}


def read(kind: str, value: object) -> Any:
    return _ADAPTERS[kind].validate_python(value)


def written(kind: str, value: object) -> Any:
    return _ADAPTERS[kind].dump_python(read(kind, value), mode="json")


def refusal(kind: str, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    context = caught.value.errors()[0].get("ctx", {})
    return f"{context['message']} ({context['hint']})" if context["hint"] else context["message"]


@given(st.integers(-(10**15), 10**15))
def test_whole_numbers_mean_the_same_as_text(number: int) -> None:
    assert read("Whole", number) == read("Whole", str(number)) == number


@given(st.decimals(-(10**6), 10**6, places=6))
def test_numbers_mean_the_same_as_text(number: Any) -> None:
    text = format(number, "f")
    assert read("Number", text) == read("Number", float(number)) == float(text)


@pytest.mark.parametrize(
    "value", [True, False, "", " ", "1_000", "0x10", "1e3", "٣", "12px", [], {}, None, "--1"]
)
@pytest.mark.parametrize("kind", ["Whole", "Number"])
def test_what_is_no_number_is_refused(kind: str, value: object) -> None:
    what = "a whole number" if kind == "Whole" else "a number"
    assert refusal(kind, value).endswith(f"is not {what}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan", "inf", "-inf"])
def test_numbers_are_finite(value: object) -> None:
    assert "is not a number" in refusal("Number", value)


@pytest.mark.parametrize("kind", ["Number", "FrameRate", "AspectRatio", "Keyframe", "Flag", "Size"])
def test_no_number_is_too_large_for_an_answer(kind: str) -> None:
    assert "that number" in refusal(kind, 10**5000)


def test_a_fraction_is_no_whole_number() -> None:
    assert refusal("Whole", 1.5) == "1.5 is not a whole number"
    assert refusal("Whole", "1.5") == '"1.5" is not a whole number'
    assert read("Whole", 25.0) == 25


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)))
def test_flags_are_read_or_refused_but_never_guessed(value: object) -> None:
    yes, no = (True, 1, "1"), (False, 0, "0")
    if not isinstance(value, float) and value in yes + no:
        assert read("Flag", value) is (value in yes)
        assert written("Flag", value) == int(value in yes)
    else:
        assert refusal("Flag", value).endswith("is not a flag (write 0 or 1)")


@pytest.mark.parametrize(
    ("value", "rate", "text"),
    [
        (25, Fraction(25), "25"),
        ("25", Fraction(25), "25"),
        ("25.0", Fraction(25), "25"),
        (12.5, Fraction(25, 2), "12.5"),
        ("29.97", Fraction(30000, 1001), "29.97"),
        (29.97, Fraction(30000, 1001), "29.97"),
        ("30000/1001", Fraction(30000, 1001), "29.97"),
        ("23.976", Fraction(24000, 1001), "23.976"),
        ("23.98", Fraction(24000, 1001), "23.976"),
        ("59.94", Fraction(60000, 1001), "59.94"),
        ("100/3", Fraction(100, 3), "100/3"),
    ],
)
def test_frame_rates_are_exact(value: object, rate: Fraction, text: str) -> None:
    assert read("FrameRate", value) == rate
    assert written("FrameRate", value) == text


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_written_frame_rate_is_read_back(above: int, below: int) -> None:
    value = f"{above}/{below}"
    if Fraction(1, 1000) <= Fraction(above, below) <= 480:
        assert read("FrameRate", written("FrameRate", value)) == read("FrameRate", value)
    else:
        assert "at 0.001 to 480" in refusal("FrameRate", value)


@pytest.mark.parametrize("value", ["fast", "30/0", "30000/1001/2", None, [], True])
def test_what_is_no_frame_rate_is_refused(value: object) -> None:
    hint = '(write frames per second: 25, "29.97" or "30000/1001")'
    assert refusal("FrameRate", value).endswith(f"is not a frame rate {hint}")


@pytest.mark.parametrize("value", [0, -25, "0", "0/1", 481])
def test_frame_rates_have_bounds(value: object) -> None:
    assert refusal("FrameRate", value).startswith("a frame rate lies at 0.001 to 480")


@pytest.mark.parametrize(
    ("value", "ratio", "text"),
    [
        ("4:3", Fraction(4, 3), "4:3"),
        ("16:9", Fraction(16, 9), "16:9"),
        ("1.33", Fraction(133, 100), "1.33"),
        (1.5, Fraction(3, 2), "1.5"),
        ("2", Fraction(2), "2"),
    ],
)
def test_aspect_ratios(value: object, ratio: Fraction, text: str) -> None:
    assert read("AspectRatio", value) == ratio
    assert written("AspectRatio", value) == text


@pytest.mark.parametrize("value", ["4:0", "0:3", "wide", "16/9", 0, 100, None])
def test_what_is_no_aspect_ratio_is_refused(value: object) -> None:
    assert refusal("AspectRatio", value).endswith('is not an aspect ratio (write "4:3" or "1.33")')


@pytest.mark.parametrize("value", ["640x360", " 640X360 "])
def test_sizes(value: str) -> None:
    assert read("Size", value) == FrameSize(640, 360)
    assert written("Size", value) == "640x360"


@pytest.mark.parametrize("value", ["640", "640*360", "x", 640, "-1x5", None])
def test_what_is_no_size_is_refused(value: object) -> None:
    hint = 'is not a frame size (write "WIDTHxHEIGHT", as in "640x360")'
    assert refusal("Size", value).endswith(hint)


@pytest.mark.parametrize("value", ["0x360", "640x16385"])
def test_sizes_have_bounds(value: str) -> None:
    wrong = f'each side of a frame has 1 to 16384 pixels, not "{value}"'
    assert refusal("Size", value) == wrong


@pytest.mark.parametrize(
    ("value", "interval", "text"),
    [
        (90, KeyframeInterval(frames=90), "90"),
        ("25", KeyframeInterval(frames=25), "25"),
        ("3s", KeyframeInterval(seconds=3.0), "3s"),
        ("2.5s", KeyframeInterval(seconds=2.5), "2.5s"),
    ],
)
def test_keyframe_intervals(value: object, interval: KeyframeInterval, text: str) -> None:
    assert read("Keyframe", value) == interval
    assert written("Keyframe", value) == text


@pytest.mark.parametrize("value", [0, "0s", -1, "3m", "s", 2.5, None])
def test_what_is_no_keyframe_interval_is_refused(value: object) -> None:
    assert refusal("Keyframe", value).endswith('(write frames, as in 90, or seconds, as in "3s")')


def test_keyframe_intervals_in_frames() -> None:
    ntsc = Fraction(30000, 1001)
    assert KeyframeInterval(frames=90).in_frames(ntsc) == 90
    assert KeyframeInterval(seconds=3).in_frames(ntsc) == 90
    assert KeyframeInterval(seconds=0.001).in_frames(ntsc) == 1


def test_long_values_are_shortened_in_messages() -> None:
    assert refusal("Whole", "9" * 50) == f'"{"9" * 40}…" is not a whole number'
    assert refusal("Text", 5) == "must be text, not 5"
