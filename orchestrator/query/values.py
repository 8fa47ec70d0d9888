"""Scalars of the request as clients write them, and what they mean.

Clients send numbers as JSON numbers or as text ("29.97", "320"), and flags as
0, 1, "0", "1", true or false: the documents' own examples mix them. What can't
be read is refused with a message for a person, and never guessed.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

#: No side of a frame may be longer: H.264 and H.265 levels end here.
MAX_SIDE = 16384

#: Seconds beyond these are a client's mistake, and ffmpeg's trouble.
_LONGEST = 10_000_000
_SHORTEST = 0.001

#: No number of a request comes near; Python's own conversions fail far beyond.
_HUGE = 10**18

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})")
_RATIO = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
_ASPECT = re.compile(r"([0-9]{1,6}):([0-9]{1,6})")
_SIZE = re.compile(r"([0-9]{1,6})[xX]([0-9]{1,6})")

#: What people write for the rates of NTSC, which are n * 1000/1001 exactly.
_NTSC: Final = {
    Fraction(short): Fraction(nominal * 1000, 1001)
    for short, nominal in (
        ("23.976", 24),
        ("23.98", 24),
        ("29.97", 30),
        ("47.952", 48),
        ("47.95", 48),
        ("59.94", 60),
        ("119.88", 120),
    )
}
_NTSC_SHORT: Final = {exact: short for short, exact in reversed(_NTSC.items())}
_FASTEST = 480
#: A frame in a quarter of an hour; less is a slip.
_SLOWEST = Fraction(1, 1000)


def refuse(message: str, hint: str = "", field: str = "") -> PydanticCustomError:
    """An error for a validator to raise. ``field`` names it where a model raises it."""
    told = {"message": message, "hint": hint, "field": field}
    return PydanticCustomError("refused", "{message}", told)


def shown(value: object) -> str:
    """A value as a message may quote it: short, and only where it is no secret."""
    if isinstance(value, str):
        return f'"{value[:40]}…"' if len(value) > 40 else f'"{value}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if abs(value) < _HUGE else "that number"
    return "a list" if isinstance(value, list | tuple) else "an object"


class FrameSize(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class KeyframeInterval:
    """The longest distance between keyframes: exactly one of the two is set."""

    frames: int | None = None
    seconds: float | None = None

    def in_frames(self, rate: Fraction) -> int:
        """The interval in frames at ``rate`` frames per second, at least 1."""
        if self.frames is not None:
            return self.frames
        return max(1, round(Fraction(str(self.seconds)) * rate))

    def __str__(self) -> str:
        return str(self.frames) if self.frames is not None else f"{_short(self.seconds or 0)}s"


def as_whole(value: object) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise refuse(f"{shown(value)} is not a whole number")


def as_number(value: object) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _HUGE:
        return float(value)
    raise refuse(f"{shown(value)} is not a number")


def as_flag(value: object) -> bool:
    if value in (1, "1") and not isinstance(value, float):
        return True
    if value in (0, "0") and not isinstance(value, float):
        return False
    raise refuse(f"{shown(value)} is not a flag", "write 0 or 1")


def as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise refuse(f"must be text, not {shown(value)}")


def _exactly(value: object) -> Fraction | None:
    """A number without the error of binary fractions; None where it is none."""
    try:
        return Fraction(_short(as_number(value)))
    except PydanticCustomError:
        return None


def _rate(value: object) -> Fraction:
    ratio = _RATIO.fullmatch(value.strip()) if isinstance(value, str) else None
    if ratio and int(ratio[2]):
        rate: Fraction | None = Fraction(int(ratio[1]), int(ratio[2]))
    else:
        rate = _exactly(value)
    if rate is None:
        hint = 'write frames per second: 25, "29.97" or "30000/1001"'
        raise refuse(f"{shown(value)} is not a frame rate", hint)
    if not _SLOWEST <= rate <= _FASTEST:
        raise refuse(f"a frame rate lies at {float(_SLOWEST)} to {_FASTEST}, not at {shown(value)}")
    return _NTSC.get(rate, rate)


def _rate_text(rate: Fraction) -> str:
    if rate in _NTSC_SHORT:
        return _short(float(_NTSC_SHORT[rate]))
    return _fraction_text(rate, "/")


def _aspect(value: object) -> Fraction:
    parts = _ASPECT.fullmatch(value.strip()) if isinstance(value, str) else None
    if parts and int(parts[2]):
        ratio: Fraction | None = Fraction(int(parts[1]), int(parts[2]))
    else:
        ratio = _exactly(value)
    if ratio is None or not Fraction(1, 20) <= ratio <= 20:
        raise refuse(f"{shown(value)} is not an aspect ratio", 'write "4:3" or "1.33"')
    return ratio


def _fraction_text(value: Fraction, divider: str) -> str:
    short = _short(float(value))
    if Fraction(short) == value:
        return short
    return f"{value.numerator}{divider}{value.denominator}"


def _size(value: object) -> FrameSize:
    parts = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not parts:
        raise refuse(f"{shown(value)} is not a frame size", 'write "WIDTHxHEIGHT", as in "640x360"')
    size = FrameSize(int(parts[1]), int(parts[2]))
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise refuse(f"each side of a frame has 1 to {MAX_SIDE} pixels, not {shown(value)}")
    return size


def _keyframe(value: object) -> KeyframeInterval:
    hint = 'write frames, as in 90, or seconds, as in "3s"'
    text = value.strip() if isinstance(value, str) else value
    try:
        if isinstance(text, str) and text.endswith("s"):
            interval = KeyframeInterval(seconds=as_number(text[:-1]))
        else:
            interval = KeyframeInterval(frames=as_whole(text))
    except PydanticCustomError:
        raise refuse(f"{shown(value)} is not a keyframe interval", hint) from None
    if not 0 < (interval.frames or interval.seconds or 0) <= _LONGEST:
        raise refuse(f"no keyframe interval is as long as {shown(value)}", hint)
    return interval


def _short(value: float) -> str:
    """A number as a person writes it: no exponent, no needless zeros."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(value: float) -> int | float:
    return int(value) if value.is_integer() else value


Whole = Annotated[int, BeforeValidator(as_whole)]
Number = Annotated[float, BeforeValidator(as_number), PlainSerializer(_plain)]
Flag = Annotated[bool, BeforeValidator(as_flag), PlainSerializer(int, return_type=int)]
Text = Annotated[str, BeforeValidator(as_text)]

#: Pixels.
Side = Annotated[Whole, Field(ge=1, le=MAX_SIDE)]
#: Frames per second, exact; the short names of NTSC's rates mean those rates.
FrameRate = Annotated[
    Fraction,
    PlainValidator(_rate),
    PlainSerializer(_rate_text, return_type=str),
    WithJsonSchema({"type": ["number", "string"], "examples": [25, "29.97", "30000/1001"]}),
]
#: Width over height.
AspectRatio = Annotated[
    Fraction,
    PlainValidator(_aspect),
    PlainSerializer(lambda ratio: _fraction_text(ratio, ":"), return_type=str),
    WithJsonSchema({"type": ["number", "string"], "examples": ["4:3", "1.33"]}),
]
Size = Annotated[
    FrameSize,
    PlainValidator(_size),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["640x360"]}),
]
Keyframe = Annotated[
    KeyframeInterval,
    PlainValidator(_keyframe),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": ["integer", "string"], "examples": [90, "3s"]}),
]
#: A moment in a source, seconds from its start.
Moment = Annotated[Number, Field(ge=0, le=_LONGEST)]
#: A length of time in seconds.
Span = Annotated[Number, Field(ge=_SHORTEST, le=_LONGEST)]
