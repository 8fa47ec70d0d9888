"""An order and its profiles as a query of the work queue.

The formats of that query stand for the order's files: what they can't say (a
codec that the other API does not know, a bitrate that hangs on the source) is
put right when the plan is compiled (``plan``).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Self
from urllib.parse import quote

from pydantic import Field, ValidationError

from orchestrator.model.items import Problem
from orchestrator.query import EncodeQuery, QueryError, parse_query
from orchestrator.query.order import Drm, Order, OrderThumbnail, parse_order
from orchestrator.query.problems import problems_in
from orchestrator.transcoder.edge.profile import Hls, Profile, parse_profile
from orchestrator.transcoder.sources.urls import BadUrl, read_remote

_IMAGES: Final = {".jpg": "jpg", ".jpeg": "jpg", ".png": "png"}
_FIELD = re.compile(r"query\.(source|format\[(\d+)\](?:\.destination(?:\[(\d+)\])?)?)")
#: The query's words for ours of a profile.
_X264: Final = ("refs", "sc_threshold", "coder", "b_strategy")


@dataclass(frozen=True, slots=True)
class Made:
    """What a format of the query is of: the place of a job (None: of the whole order), and
    the profile that a film is made with (None: an image).
    """

    job: int | None
    profile: Profile | None = None


class OrderQuery(EncodeQuery):
    """The query of an order.

    ``made`` tells of each of its formats, in their order, ``drm`` how films are protected.
    """

    made: tuple[Made, ...] = Field(default=(), exclude=True)
    drm: Drm | None = Field(default=None, exclude=True)

    @classmethod
    def of(cls, order: Order, profiles: Mapping[int, Profile]) -> Self:
        """Raises ``QueryError`` naming the order's fields."""
        pairs = list(_formats(order, profiles))
        doc = {"source": order.origin, "upscale": 1, "format": [each for each, _ in pairs]}
        try:
            query = cls.model_validate(doc)
        except ValidationError as error:
            problems = problems_in(error, doc, "order", "query", unknown=_nothing)
            raise QueryError(
                [_about(each, [made for _, made in pairs]) for each in problems]
            ) from None
        drm = order.post_process[0].drm if order.post_process else None
        return query.model_copy(update={"made": tuple(made for _, made in pairs), "drm": drm})


def read_request(doc: Mapping[str, Any]) -> EncodeQuery:
    """The query of a task, whichever API it came by. Raises ``QueryError``."""
    if "order" not in doc:
        return parse_query(doc)
    profiles = {int(key): parse_profile(each) for key, each in doc["profiles"].items()}
    return OrderQuery.of(parse_order(doc["order"]), profiles)


def check_makeable(profile: Profile) -> None:
    """Raises ``QueryError`` for a profile that no file can be made with."""
    doc = {"source": "tus:0", "format": [_film(profile, "file", ["ftp://host"])]}
    try:
        parse_query(doc)
    except QueryError as error:
        raise QueryError(
            [
                Problem("profile", each.message, each.hint, field=f"profile.{_last(each.field)}")
                for each in error.problems
            ]
        ) from None


def named(query: OrderQuery, text: str) -> str:
    """A message about the query in the order's own words."""

    def word(match: re.Match[str]) -> str:
        if match[1] == "source":
            return "order.origin"
        if "destination" in match[1]:
            return f"order.destinations[{match[3] or 0}]"
        job = query.made[int(match[2])].job
        return "order.thumbnails" if job is None else f"order.jobs[{job}]"

    return _FIELD.sub(word, text)


def folder_of(filename: str) -> str:
    """The folder of a job that makes many files: its file's name without the ending."""
    return PurePosixPath(filename).stem


def _formats(
    order: Order, profiles: Mapping[int, Profile]
) -> Iterator[tuple[dict[str, Any], Made]]:
    """The films of all jobs first, then the images."""
    _check_images(order)
    _check_folders(order, profiles)
    for place, job in enumerate(order.jobs):
        profile = profiles[job.profile_id or 0]
        _check_drm(order, profile, place)
        yield _film(profile, job.filename, order.destinations), Made(place, profile)
    for place, job in enumerate(order.jobs):
        for each in job.thumbnails:
            yield _image(each, order.destinations), Made(place)
    for each in order.thumbnails:
        yield _image(each, order.destinations), Made(None)


def _film(profile: Profile, filename: str, places: Any) -> dict[str, Any]:
    sound = "mp3" if profile.audio_codec == "mp3" else "aac"
    doc: dict[str, Any] = {"audio_codec": sound, "audio_bitrate": min(320, profile.audio_bitrate)}
    shaped = {
        "width": profile.video_width,
        "height": profile.video_height,
        "aspect_ratio": profile.video_aspect,
        "logo": {"source": profile.overlay.url} if profile.overlay else None,
    }
    doc |= {name: value for name, value in shaped.items() if value is not None}
    doc["bitrate"] = profile.video_bitrate
    if profile.hls:
        folder = _stored(places, folder_of(filename) + "/")
        return _ladder(profile.hls, {**doc, "video_codec": "libx264"}, folder)
    doc |= {"destination": _stored(places, filename), "subtitles_copy": 0}
    if profile.video_codec == "webm":
        return {**doc, "output": "webm", "audio_codec": "libopus"}
    return {**doc, "output": "mp4"}


def _ladder(hls: Hls, stream: dict[str, Any], folder: list[dict[str, Any]]) -> dict[str, Any]:
    """One rendition, with its sound in the segments."""
    coding: dict[str, Any] = {
        name: value for name in _X264 if (value := getattr(hls, name)) is not None
    }
    if hls.h264_level:
        coding["level"] = int(hls.h264_level)
    if hls.h264_preset:
        coding["preset"] = hls.h264_preset
    if hls.maxrate is not None:
        coding["max_rate"] = hls.maxrate / 1000  # Mbit/s
    if hls.bufsize is not None:
        coding["bufsize"] = hls.bufsize / 1000
    stream = {**stream, "pix_format": hls.pix_fmt}
    if coding:
        stream["video_codec_parameters"] = coding
    if hls.framerate is not None:
        stream["framerate"] = str(hls.framerate)
    if hls.h264_profile:
        stream["profile"] = hls.h264_profile
    return {
        "output": "advanced_hls",
        "segment_duration": hls.hls_time,
        "playlist_name": hls.master_pl_name,
        "single_folder": 1,
        "separate_audio": 0,
        "subtitles_copy": 0,
        "stream": [stream],
        "destination": folder,
    }


def _image(asked: OrderThumbnail, places: Any) -> dict[str, Any]:
    return {
        "output": "thumbnail",
        "time": asked.time,
        "width": asked.width,
        "height": asked.height,
        "image_format": _IMAGES[PurePosixPath(asked.filename).suffix.lower()],
        "destination": _stored(places, asked.filename),
    }


def _check_images(order: Order) -> None:
    images = [each for job in order.jobs for each in job.thumbnails]
    for each in (*images, *order.thumbnails):
        if PurePosixPath(each.filename).suffix.lower() not in _IMAGES:
            hint = "end its name in .jpg or .png"
            raise _refused("order.thumbnails", "filename asks for no image that is made", hint)


def _check_folders(order: Order, profiles: Mapping[int, Profile]) -> None:
    """Jobs of many files need a folder each."""
    folders = [folder_of(job.filename) for job in order.jobs if profiles[job.profile_id or 0].hls]
    if len(folders) > len(set(folders)):
        hint = "their files' names may not differ by the ending alone"
        raise _refused("order.jobs", "two hls jobs would share a folder", hint)


def _check_drm(order: Order, profile: Profile, place: int) -> None:
    if not order.post_process:
        return
    if len(order.post_process) > 1:
        raise _refused("order.post_process", "has more than one drm", "a file has one key")
    if profile.hls or profile.video_format != "mp4" or profile.video_codec == "webm":
        hint = "choose a profile of mp4 without hls, or leave out post_process"
        raise _refused(f"order.jobs[{place}].profile_id", "drm protects mp4 files alone", hint)


def _stored(places: Any, name: str) -> list[dict[str, Any]]:
    """The name at each of the order's destinations, with the credentials that are in its URL."""
    return [_place(url, name, number) for number, url in enumerate(places)]


def _place(url: str, name: str, number: int) -> dict[str, Any]:
    field = f"order.destinations[{number}]"
    try:
        remote = read_remote(f"{url.rstrip('/')}/{quote(name.rstrip('/'))}")
    except BadUrl as error:
        raise _refused(field, str(error)) from None
    host = f"[{remote.host}]" if ":" in remote.host else remote.host
    port = f":{remote.port}" if remote.port_given else ""
    place = {"url": f"{remote.scheme}://{host}{port}/{quote(remote.path)}"}
    if remote.scheme == "s3" and not (remote.user and remote.password):
        hint = "write s3://KEY:SECRET@host/bucket/folder"
        raise _refused(field, "this service has no keys of that bucket", hint)
    if name.endswith("/"):
        place["url"] += "/"
    if remote.user:
        place |= {"key": remote.user, "secret": remote.password}
    return place


def _about(problem: Problem, made: list[Made]) -> Problem:
    """A problem of the query as one of the order's jobs."""
    match = _FIELD.match(problem.field)
    place = made[int(match[2])].job if match and match[2] else None
    field = "order.origin" if place is None else f"order.jobs[{place}].{_last(problem.field)}"
    return Problem("order", problem.message, problem.hint, field=field)


def _last(field: str) -> str:
    return field.rpartition(".")[2]


def _refused(field: str, message: str, hint: str = "") -> QueryError:
    return QueryError([Problem("order", message, hint, field=field)])


def _nothing(_path: object, _doc: object) -> tuple[str, str]:
    return "unknown attribute", ""
