"""What a query's outputs come to."""

from typing import Any

import pytest

from orchestrator.model.items import StitchPart
from orchestrator.model.money import Charge
from orchestrator.query.pricing import Pricer, PriceTable, Rate

TABLE = PriceTable(
    currency="EUR",
    rates=(
        Rate("mp4", 4.0, codec="libx265", up_to=480),
        Rate("mp4", 1.0, up_to=480),
        Rate("mp4", 2.0, up_to=1080),
        Rate("thumbnails", 0.1),
    ),
)


def charges(*outputs: dict[str, Any], seconds: float | None = 120.0, **fields: str) -> list[Charge]:
    pricer = Pricer({"format": list(outputs)}, TABLE)
    found = pricer.of(fields, (), seconds)
    assert found is not None
    return list(found)


def mp4(**values: Any) -> dict[str, Any]:
    return {"output": "mp4", "height": 360, **values}


@pytest.mark.parametrize(
    ("sides", "price"),
    [
        ({"height": 480}, 1.0),
        ({"height": 481}, 2.0),
        ({"height": "360"}, 1.0),
        ({"size": "640x360"}, 1.0),
        ({"size": "1080x1920"}, 2.0),  # upright: its shorter side counts
        ({"width": 1920, "height": 1080}, 2.0),
        ({"resolution": 480}, 1.0),
        ({"width": 640}, 2.0),  # at most 640 lines
    ],
)
def test_the_first_rate_that_fits_the_frame_counts(sides: dict[str, Any], price: float) -> None:
    assert charges({"output": "mp4", **sides}) == [Charge("mp4", 2.0, 2 * price)]


def test_a_rate_may_be_for_one_codec() -> None:
    assert charges(mp4(video_codec="libx265")) == [Charge("mp4", 2.0, 8.0)]


def test_a_frame_as_large_as_the_source_costs_the_dearest_that_fits() -> None:
    assert charges({"output": "mp4"}) == [Charge("mp4", 2.0, 4.0)]
    assert charges({"output": "mp4", "video_codec": "libx265"}) == [Charge("mp4", 2.0, 8.0)]


def test_what_no_rate_fits_has_minutes_and_no_price() -> None:
    assert charges(mp4(height=2160)) == [Charge("mp4", 2.0, None)]


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        ({"two_pass": 1}, 2.0),
        ({"two_pass": "1"}, 2.0),
        ({"two_pass": 0}, 1.0),
        ({"optimize_bitrate": 1}, 1.5),
        ({"hdr_to_sdr": 1}, 2.0),
        ({"two_pass": True, "optimize_bitrate": 1, "hdr_to_sdr": 1}, 6.0),
    ],
)
def test_the_documented_multipliers(options: dict[str, Any], factor: float) -> None:
    assert charges(mp4(**options)) == [Charge("mp4", 2.0, 2 * factor)]


def test_an_output_is_billed_by_its_own_length() -> None:
    assert charges(mp4(duration=30))[0].minutes == 0.5
    assert charges(mp4(start_time=90, duration=60))[0].minutes == 0.5
    assert charges(mp4(start_time="600"))[0].minutes == 0.0


def test_each_output_and_each_stream_is_billed() -> None:
    ladder = {
        "output": "advanced_hls",
        "duration": 60,
        "stream": [{"height": 1080}, {"height": 480}],
    }
    assert [charge.minutes for charge in charges(mp4(), ladder)] == [2.0, 1.0, 1.0]


def test_images_count_no_minutes_and_cost_only_what_the_table_says() -> None:
    found = charges({"output": "thumbnail", "time": 0.5}, {"output": "thumbnails", "interval": 5})
    assert found == [Charge("thumbnail", 0.0, 0.0), Charge("thumbnails", 0.0, 0.2)]


def test_without_a_table_minutes_count_and_nothing_has_a_price() -> None:
    pricer = Pricer({"format": [mp4()]}, PriceTable())
    assert pricer.of({}, (), 60.0) == [Charge("mp4", 1.0, None)]


def test_a_length_that_nobody_knows() -> None:
    pricer = Pricer({"format": [mp4()]}, TABLE)
    assert pricer.of({}, (), None) is None
    clip = Pricer({"format": [mp4(duration=30)]}, TABLE)
    assert clip.of({}, (), None) == [Charge("mp4", 0.5, 0.5)]


def test_a_stitched_source_is_as_long_as_its_parts() -> None:
    pricer = Pricer({"format": [mp4()]}, TABLE)
    parts = (StitchPart("http://h/1.mp4", duration=20), StitchPart("http://h/2.mp4", duration=40))
    assert pricer.of({}, parts, None) == [Charge("mp4", 1.0, 1.0)]
    assert pricer.of({}, (*parts, StitchPart("http://h/3.mp4")), None) is None


def test_rows_may_differ_where_a_template_says_so() -> None:
    wanted = mp4(height="{lines}", tag="{stem}")
    assert charges(wanted, lines="480", stem="a")[0].cost == 2.0
    assert charges(wanted, lines="720", stem="a")[0].cost == 4.0
    assert charges(mp4(tag="{stem}"))[0].cost == 2.0  # what does not matter is not even filled in


STREAMS = PriceTable(
    rates=(
        Rate("advanced_hls", 1.0, up_to=480),
        Rate("advanced_hls", 2.0),
        Rate("webm", 5.0, codec="libvpx-vp9"),
        Rate("webm", 3.0, codec="libsvtav1"),
        Rate("hls_audio", 0.5, codec=""),
    )
)


def costs(*outputs: dict[str, Any]) -> list[float | None]:
    found = Pricer({"format": list(outputs)}, STREAMS).of({}, (), 60.0)
    assert found is not None
    return [charge.cost for charge in found]


def test_streams_are_priced_each_by_what_it_asks_for() -> None:
    streams = [
        {"height": 360},
        {"height": 1080, "optimize_bitrate": 1},
        {"height": 360, "hdr_to_sdr": 1, "two_pass": 1, "bitrate": 900},
    ]
    assert costs({"output": "advanced_hls", "stream": streams}) == [1.0, 3.0, 4.0]


def test_what_a_format_says_for_all_its_streams_is_paid_for_with_each() -> None:
    streams = [{"height": 360}, {"height": 360, "optimize_bitrate": 0}]
    assert costs({"output": "advanced_hls", "optimize_bitrate": 1, "stream": streams}) == [1.5, 1.0]


def test_an_output_that_names_no_codec_has_its_own() -> None:
    assert costs({"output": "webm"}, {"output": "webm", "video_codec": "libsvtav1"}) == [5.0, 3.0]
    assert costs({"output": "hls_audio", "stream": [{}, {}]}) == [0.5, 0.5]


def test_measurements_and_transcripts_count_no_minutes() -> None:
    found = Pricer({"format": [{"output": "vmaf"}, {"output": "speech_to_text"}]}, STREAMS).of(
        {}, (), 60.0
    )
    assert found == [Charge("vmaf", 0.0, 0.0), Charge("speech_to_text", 0.0, 0.0)]
