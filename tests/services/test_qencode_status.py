"""Status documents, as they are documented and as they are not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.errors import EncodeFailed, Transient
from orchestrator.model.ports import Phase, TaskReport
from orchestrator.services.qencode_status import read_status

BASE = "http://127.0.0.1:8080"
TASK, OTHER = "a" * 32, "b1" * 16


def read(**doc: Any) -> TaskReport:
    report = read_status(TASK, doc, BASE, set())
    assert report is not None
    return report


def test_a_completed_task() -> None:
    report = read(
        status="completed",
        percent=100,
        error=0,
        error_description=None,
        status_url=BASE + "/v1/status",
        duration="30.017",
        videos=[
            {
                "tag": "video-0-0",
                "user_tag": "480p",
                "url": BASE + "/v1/download/x/1.mp4",
                "bitrate": 142,
                "size": "0.179412",
                "duration": "10.077",
                "meta": '{"width": 854, "height": 480}',
            },
            {"tag": "text-0-0", "url": "https://s/x.json", "meta": "no json", "size": None},
            {"tag": "video-0-1", "url": None, "error": "1", "error_description": "no audio"},
        ],
        images=[{"tag": "image-0-0", "url": "s3://b/k.png", "duration": "None"}, 7],
        warnings=[{"message": "Low Audio Bitrate", "tag": "audio-0-1"}],
    )
    assert (report.phase, report.percent, report.duration) == (Phase.DONE, 100, 30.017)
    assert report.status_url == "/v1/status"
    video, metadata, image = report.outputs
    assert (video.kind, video.size, video.bitrate, video.user_tag) == ("video", 179412, 142, "480p")
    assert video.url == "/v1/download/x/1.mp4"
    assert video.meta == {"width": 854, "height": 480}
    assert (metadata.kind, metadata.size, metadata.meta) == ("text", None, {})
    assert (image.kind, image.url, image.duration) == ("image", "s3://b/k.png", None)
    assert report.warnings == ("audio-0-1: Low Audio Bitrate", "video-0-1: no audio")


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("queued", Phase.QUEUED),
        ("downloading", Phase.RUNNING),
        ("encoding", Phase.RUNNING),
        ("saving", Phase.SAVING),
        ("saved", Phase.DONE),
        ("Completed", Phase.DONE),
        ("something new", Phase.RUNNING),
        ("error", Phase.FAULTED),
    ],
)
def test_phases(status: str, phase: Phase) -> None:
    assert read(status=status, percent="None").phase is phase


@pytest.mark.parametrize("doc", [None, [], "x", {}, {"status": "created"}, {"status": None}])
def test_what_was_never_started(doc: Any) -> None:
    assert read_status(TASK, doc, BASE, set()) is None


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("Source download timed out", Transient),
        ("network is unreachable", Transient),
        ("No space left on device", Transient),
        ("Internal error", Transient),
        ("Error downloading source: HTTP 503", Transient),
        ("Error downloading source: HTTP 404 Not Found", EncodeFailed),
        ("connection to s3 denied: 403", EncodeFailed),
        ("Invalid data found when processing input", EncodeFailed),
        (None, EncodeFailed),
    ],
)
def test_faults(text: str | None, family: type[Exception]) -> None:
    report = read(status="error", error=1, error_description=text)
    assert type(report.fault) is family
    assert str(report.fault) == (text or "the service gave no reason")


def test_an_error_flag_is_stronger_than_the_status() -> None:
    assert read(status="encoding", error="1").phase is Phase.FAULTED
    assert read(status="encoding", error="None").phase is Phase.RUNNING


def test_a_fault_shows_no_secret() -> None:
    text = "can't write s3://AKIA:topsecret@bucket, key hunter22"
    report = read_status(TASK, {"error": 1, "error_description": text}, BASE, {"hunter22"})
    assert report is not None
    assert str(report.fault) == "can't write s3://***@bucket, key ***"


def test_a_restarted_task_names_its_successor() -> None:
    warnings = [
        {"message": "An error occurred while processing your job.", "details": OTHER},
        {"message": "Retry on error triggered.", "details": f"{TASK} goes on as {OTHER}."},
    ]
    assert read(status="error", error=1, warnings=warnings).replaced_by == OTHER
    assert read(status="error", error=1, warnings=warnings[:1]).replaced_by is None
    assert read(status="completed", warnings=warnings).replaced_by is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
FIELDS = ["status", "percent", "error", "error_description", "duration", "status_url", "warnings"]
OBJECT = st.dictionaries(
    st.sampled_from(["url", "tag", "size", "meta", "bitrate", "duration", "error", "message"]),
    JSON | st.just("http://h/x"),
)


@given(
    doc=st.dictionaries(
        st.sampled_from([*FIELDS, "videos", "audios", "images", "texts"]),
        JSON | st.lists(OBJECT | JSON, max_size=3),
    )
)
def test_nothing_that_a_service_says_breaks_it(doc: dict[str, Any]) -> None:
    report = read_status(TASK, {"status": "encoding", **doc}, BASE, set())
    assert report is None or 0 <= report.percent <= 100
