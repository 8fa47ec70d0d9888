"""DASH manifests as others write them: every way to name segments."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.errors import OutputMissing
from orchestrator.services.streaming import segments
from orchestrator.services.streaming.dash import Representation, read_mpd

URL = "http://host/t/playlist.mpd"
XMLNS = 'xmlns="urn:mpeg:dash:schema:mpd:2011"'


LENGTH = 'mediaPresentationDuration="PT10.5S"'


def mpd(group: str, *, head: str = "", attributes: str = LENGTH) -> bytes:
    period = f"{head}<Period>{group}</Period>"
    return f"<?xml version='1.0'?><MPD {XMLNS} {attributes}>{period}</MPD>".encode()


def one(group: str, **more: Any) -> Representation:
    (found,) = read_mpd(mpd(group, **more), URL)
    return found


def under(base: str, *names: str) -> tuple[str, ...]:
    return tuple(f"http://host/t/{base}{name}" for name in names)


def test_by_number() -> None:
    found = one(
        '<AdaptationSet mimeType="video/mp4" width="64" height="48">'
        '<SegmentTemplate timescale="10" duration="40" startNumber="5" media="$RepresentationID$/'
        '$Number%03d$_$Bandwidth$_$$.m4s" initialization="$RepresentationID$/init.mp4"/>'
        '<Representation id="v&amp;1" bandwidth="900"/></AdaptationSet>'
    )
    names = ("v&1/005_900_$.m4s", "v&1/006_900_$.m4s", "v&1/007_900_$.m4s")
    assert found == Representation(
        "v&1", "video", (64, 48), under("", "v&1/init.mp4"), under("", *names), 10.5, False
    )


def test_by_time_over_a_timeline() -> None:
    found = one(
        '<SegmentTemplate timescale="1000" media="$Time$.m4s"><SegmentTimeline>'
        '<S t="500" d="2000" r="1"/><S d="1000"/><S t="9000" d="500" r="-1"/>'
        "</SegmentTimeline></SegmentTemplate>"
        '<AdaptationSet contentType="audio"><ContentProtection schemeIdUri="x"/>'
        '<Representation id="a"/></AdaptationSet>'
    )
    times = (500, 2500, 4500, 9000, 9500, 10000)
    assert found.media == under("", *(f"{time}.m4s" for time in times))
    assert (found.kind, found.seconds, found.protected, found.heads) == ("audio", 6.5, True, ())


def test_a_repeat_until_the_next() -> None:
    found = one(
        '<AdaptationSet><Representation id="a"><SegmentTemplate media="$Number$"><SegmentTimeline>'
        '<S t="0" d="2" r="-1"/><S t="5" d="1"/></SegmentTimeline></SegmentTemplate>'
        "</Representation></AdaptationSet>"
    )
    assert len(found.media) == 4


def test_by_a_list_below_base_urls() -> None:
    found = one(
        '<BaseURL>p/</BaseURL><AdaptationSet mimeType="video/webm"><BaseURL>s/</BaseURL>'
        '<Representation id="a"><BaseURL> r/ </BaseURL><SegmentList duration="5">'
        '<Initialization sourceURL="i.webm"/><SegmentURL media="1.webm"/>'
        '<SegmentURL media="2.webm"/></SegmentList></Representation></AdaptationSet>',
        head="<BaseURL>m/</BaseURL><BaseURL>http://else/</BaseURL>",
    )
    assert found.heads == under("m/p/s/r/", "i.webm")
    assert found.media == under("m/p/s/r/", "1.webm", "2.webm")
    assert found.seconds == 10.5


def test_one_file() -> None:
    found = one(
        '<AdaptationSet contentType="text"><Representation id="t" mimeType="text/vtt">'
        "<BaseURL>a.vtt</BaseURL></Representation></AdaptationSet>"
    )
    assert (found.kind, found.media, found.seconds) == ("subtitle", under("", "a.vtt"), None)


def test_several_periods() -> None:
    period = (
        '<Period duration="PT{0}S"><BaseURL>{0}/</BaseURL><AdaptationSet>'
        '<SegmentTemplate duration="2" media="$Number$.m4s"/><Representation id="v"/>'
        "</AdaptationSet></Period>"
    )
    data = f"<MPD {XMLNS}>{period.format(2)}{period.format(3)}</MPD>".encode()
    (found,) = read_mpd(data, URL)
    assert found.media == under("", "2/1.m4s", "3/1.m4s", "3/2.m4s")
    assert found.seconds == 5


def template(attributes: str, inside: str = "") -> str:
    return (
        f"<AdaptationSet><SegmentTemplate {attributes}>{inside}</SegmentTemplate>"
        '<Representation id="a"/></AdaptationSet>'
    )


BOMB = '<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]><MPD><Period>&b;</Period></MPD>'
XXE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><MPD>&f;</MPD>'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "can't be read as XML"),
        (b"<MPD>", "can't be read as XML"),
        (b"<MPD>&nope;</MPD>", "can't be read as XML"),
        (BOMB.encode(), "document type"),
        (XXE.encode(), "document type"),
        (XXE.encode("utf-16"), "document type"),
        (b'<!DOCTYPE MPD SYSTEM "http://127.0.0.1/x.dtd"><MPD/>', "document type"),
        (b"<html/>", "its root is <html>"),
        (b'<MPD type="dynamic"/>', "live stream"),
        (b"<MPD/>", "names no Representation"),
        (
            b'<MPD xmlns:x="http://www.w3.org/1999/xlink"><Period x:href="http://else/p"/></MPD>',
            "xlink",
        ),
        (mpd(template('media="$Number$"')), "how many segments"),
        (mpd(template('duration="1" media="$Number$"'), attributes=""), "how many segments"),
        (mpd(template('duration="1"')), "without media"),
        (mpd(template('duration="x" media="a"')), "no whole number"),
        (mpd(template('duration="1" media="a" initialization="$Number$"')), "segment's number"),
        (mpd(template('media="a"', "<SegmentTimeline/>")), "no segment"),
        (mpd(template('media="a"', '<SegmentTimeline><S d="0"/></SegmentTimeline>')), "duration"),
        (
            mpd(
                template(
                    'media="a"', '<SegmentTimeline><S d="1" r="9999999999"/></SegmentTimeline>'
                )
            ),
            "too many",
        ),
        (
            mpd(
                template('duration="1" media="a"'),
                attributes='mediaPresentationDuration="PT999999999H"',
            ),
            "too many",
        ),
        (mpd("<AdaptationSet><SegmentList/><Representation/></AdaptationSet>"), "names no file"),
    ],
)
def test_what_is_refused(data: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MOST_FILES", 1000)
    with pytest.raises(OutputMissing, match=words):
        read_mpd(data, URL)


@given(st.binary(max_size=100) | st.text(max_size=100).map(lambda text: mpd(text)))
def test_anything_is_understood_or_refused(data: bytes) -> None:
    with suppress(OutputMissing):
        read_mpd(data, URL)
