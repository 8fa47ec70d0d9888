"""What a query's outputs come to: minutes by the length of each, money by a price table.

A service bills each output by its own length, so three outputs of ten minutes are
thirty minutes; every stream of an adaptive output is billed as one. Nothing is
rounded, since the documents name no rounding. Images and descriptions of a source
count no minutes, and cost only where the table names them.

The multipliers are the documents' ("Transcoding API", start_encode2): two_pass
"increased twice", hdr_to_sdr "multiplied by 2", optimize_bitrate "by 1.5x".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from orchestrator.model.items import Item, StitchPart
from orchestrator.model.money import Charge
from orchestrator.query.outputs import OUTPUTS, Mp4, stream_of
from orchestrator.query.templates import DocumentTemplate
from orchestrator.query.values import as_flag, as_number, as_text, as_whole

#: Outputs that are no stretch of video or sound.
_STILL = frozenset({"thumbnail", "thumbnails", "metadata", "speech_to_text", "vmaf"})

#: Attributes of an output that its bill depends on.
_MATTERS = frozenset(
    {"output", "video_codec", "size", "width", "height", "resolution", "start_time", "duration"}
) | {"two_pass", "optimize_bitrate", "hdr_to_sdr"}


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of a minute of one kind of output; None fits any.

    ``up_to`` is the most lines that it holds for: of a frame's two sides the shorter.
    """

    output: str
    price: float
    codec: str | None = None
    up_to: int | None = None


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Rates, of which the first that fits counts, and what is multiplied with them."""

    currency: str = ""
    rates: tuple[Rate, ...] = ()
    two_pass: float = 2.0
    per_title: float = 1.5
    hdr_to_sdr: float = 2.0

    def per_minute(self, output: str, codec: str, lines: int | None) -> float | None:
        """The price of a minute; None where no rate fits.

        A frame as large as its source's has no lines that are known beforehand: it
        is taken to cost as much as the dearest rate that may fit.
        """
        fitting = [
            rate
            for rate in self.rates
            if rate.output == output
            and rate.codec in (None, codec)
            and (rate.up_to is None or lines is None or lines <= rate.up_to)
        ]
        if not fitting:
            return None
        return max(rate.price for rate in fitting) if lines is None else fitting[0].price


@dataclass(frozen=True, slots=True)
class _Billed:
    """One output, or one stream of one, as far as its bill goes; times in seconds."""

    output: str
    start: float
    most: float | None
    per_minute: float | None

    def charge(self, seconds: float | None) -> Charge | None:
        """What it comes to for a source of so many seconds; None where it can't be said."""
        if seconds is None:
            length = self.most  # a clip is at most as long as was asked for
        else:
            length = max(0.0, seconds - self.start)
            length = length if self.most is None else min(length, self.most)
        if length is None:
            return None
        minutes = length / 60
        cost = None if self.per_minute is None else minutes * self.per_minute
        return Charge(self.output, 0.0 if self.output in _STILL else minutes, cost)


class Pricer:
    """Prices the outputs of one job's query. Implements ``engine.allowance.Prices``."""

    def __init__(self, query: Mapping[str, Any], table: PriceTable) -> None:
        self._table = table
        formats = [_what_matters(wanted) for wanted in query["format"]]
        self._formats = DocumentTemplate(formats, "query.format")
        #: The same for every item, unless a template stands where it matters.
        self._same = None if self._formats.names else self._billed(self._formats.render({}))

    def charges(self, item: Item, seconds: float | None) -> Sequence[Charge] | None:
        """Per output, for a source of so many seconds; None where that can't be said."""
        return self.of(item.fields, item.stitch, seconds)

    def of(
        self, fields: Mapping[str, str], stitch: Sequence[StitchPart], seconds: float | None
    ) -> Sequence[Charge] | None:
        """The same for what a manifest's row says."""
        billed = self._same
        if billed is None:
            billed = self._billed(self._formats.render(fields))
        if seconds is None:
            seconds = _stitched(stitch)
        charges = [each.charge(seconds) for each in billed]
        known = [charge for charge in charges if charge is not None]
        return known if len(known) == len(charges) else None

    def _billed(self, formats: Sequence[Mapping[str, Any]]) -> tuple[_Billed, ...]:
        return tuple(self._bill(each) for wanted in formats for each in _streams(wanted))

    def _bill(self, wanted: Mapping[str, Any]) -> _Billed:
        output = str(wanted.get("output", ""))
        codec = wanted.get("video_codec") or _usual_codec(output)
        price = self._table.per_minute(output, codec, _lines(wanted))
        if price is None and output in _STILL and self._table.rates:
            price = 0.0
        if price is not None:
            price *= self._factor(wanted)
        if output in _STILL:
            return _Billed(output, 0.0, None, price)
        start, most = wanted.get("start_time"), wanted.get("duration")
        return _Billed(
            output,
            as_number(start) if start is not None else 0.0,
            as_number(most) if most is not None else None,
            price,
        )

    def _factor(self, wanted: Mapping[str, Any]) -> float:
        table, factor = self._table, 1.0
        for name, times in (
            ("two_pass", table.two_pass),
            ("optimize_bitrate", table.per_title),
            ("hdr_to_sdr", table.hdr_to_sdr),
        ):
            if as_flag(wanted.get(name) or 0):
                factor *= times
        return factor


def _usual_codec(output: str) -> str:
    """The codec of an output that names none; "" of one without a picture."""
    model = OUTPUTS.get(output)
    field = ((model and stream_of(model)) or model or Mp4).model_fields.get("video_codec")
    return str(field.default) if field else ""


def _what_matters(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """An output without what its bill does not depend on."""
    kept = {name: value for name, value in wanted.items() if name in _MATTERS}
    streams = wanted.get("stream")
    if streams:
        listed = streams if isinstance(streams, list | tuple) else (streams,)
        kept["stream"] = [_what_matters(stream) for stream in listed]
    return kept


def _streams(wanted: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """An output's streams, each with what the output says for all; itself if it has none."""
    streams = wanted.get("stream")
    if not streams:
        yield wanted
        return
    common = {name: value for name, value in wanted.items() if name != "stream"}
    for stream in streams:
        yield {**common, **stream}


def _lines(wanted: Mapping[str, Any]) -> int | None:
    """The shorter side of the frame, at most; None where it is as large as the source's."""
    if wanted.get("resolution") is not None:
        return as_whole(wanted["resolution"])
    try:
        sides = as_text(wanted.get("size", "")).lower().split("x")
        given = [as_whole(side) for side in sides if side]
    except PydanticCustomError:
        given = []
    for name in ("width", "height"):
        if wanted.get(name) is not None:
            given.append(as_whole(wanted[name]))
    return min(given) if given else None


def _stitched(parts: Sequence[StitchPart]) -> float | None:
    """How long a stitched source is, where every part says how long it is."""
    lengths = [part.duration for part in parts]
    if not lengths or None in lengths:
        return None
    return sum(length for length in lengths if length is not None)
