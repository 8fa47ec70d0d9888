"""Transparent Edge's transcode order: what a job asks for there.

The facts are the service's documents (``{company_id}/transcode``) and its own
clients'. A job's ``[order]`` table is an order without its origin, which is
each item's source.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from orchestrator.query.base import Part
from orchestrator.query.destination import REVEAL, Secret
from orchestrator.query.places import FileName, WebUrl
from orchestrator.query.problems import Path, QueryError, nearest, problems_in
from orchestrator.query.values import Number, Side, Text, Whole, as_text, refuse

#: Where a service downloads from, and where it stores. The documents show origins at ftp, http(s)
#: and s3; the one that the product carries reads the secure kinds of ftp as well.
ORIGINS: Final = ("ftp", "ftps", "sftp", "http", "https", "s3")
STORES: Final = ("ftp", "s3")

#: The service's lowest and highest priority; higher goes first.
LOWEST, HIGHEST = 5, 10

_HEX = re.compile(r"[0-9a-fA-F]{32}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LONGEST_LABEL = 100


def order_priority(priority: int) -> int:
    """The service's priority (5 to 10) for an item's (0 to 10)."""
    return LOWEST + priority * (HIGHEST - LOWEST) // 10


def _place(schemes: tuple[str, ...]) -> BeforeValidator:
    def read(value: object) -> str:
        url = as_text(value)
        try:
            parts = urlsplit(url)
        except ValueError:
            raise refuse("is not a URL", "write scheme://host/path") from None
        if parts.scheme not in schemes or not parts.netloc:
            raise refuse("is no place of this service", f"use one of {', '.join(schemes)}")
        return url

    return BeforeValidator(read)


def _hex(value: object) -> object:
    if isinstance(value, str) and not _HEX.fullmatch(value):
        raise refuse("must be 32 hexadecimal digits")
    return value


def _mail(value: object) -> str:
    text = as_text(value)
    if not _MAIL.fullmatch(text):
        raise refuse("is not an email address", 'write it as in "ops@example.com"')
    return text


def _label(value: object) -> str:
    text = as_text(value)
    if not text.strip() or len(text) > _LONGEST_LABEL or not text.isprintable():
        raise refuse(f"must be a line of at most {_LONGEST_LABEL} characters")
    return text


Label = Annotated[str, BeforeValidator(_label)]
Hex = Annotated[str, BeforeValidator(_hex)]


class OrderThumbnail(Part):
    """One image, at ``time``, a fraction of the duration; sides in pixels."""

    filename: FileName
    label: Label | None = None
    width: Side
    height: Side
    time: Annotated[Number, Field(ge=0, le=1)] = 0.0


class OrderJob(Part):
    """One file to make: with a profile of the account, by id or by name."""

    label: Label
    filename: FileName
    profile_id: Annotated[Whole, Field(ge=1)] | None = None
    profile: Text | None = None
    thumbnails: tuple[OrderThumbnail, ...] = ()

    @model_validator(mode="after")
    def _one_profile(self) -> Self:
        if (self.profile_id is None) == (self.profile is None):
            given = "both are here" if self.profile else "neither is here"
            hint = "profile is the name, profile_id the number"
            raise refuse(f"a job has a profile or a profile_id; {given}", hint, field="profile")
        return self


class Notification(Part):
    """Who is told of the end: an address for mail, or a URL to call."""

    email: Annotated[str, BeforeValidator(_mail)] | None = None
    call: WebUrl | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.email is None and self.call is None:
            raise refuse("tells nobody", "set email or call", field="email")
        return self


class Drm(Part):
    """How the result is protected; keys are 16 bytes in hexadecimal."""

    key: Annotated[Secret, BeforeValidator(_hex)]
    key_id: Hex
    key_iv: Hex | None = None
    pssh: Text | None = Field(default=None, repr=False)
    encryption_scheme: Literal["cenc", "cbc1", "cens", "cbcs"] = "cbcs"


class PostProcess(Part):
    """What is done with the files once they are encoded."""

    drm: Drm


class Order(Part):
    """An order as the service takes it. Without ``priority`` the account's usual holds."""

    origin: Annotated[str, _place(ORIGINS)] = Field(repr=False)
    priority: Annotated[Whole, Field(ge=LOWEST, le=HIGHEST)] | None = None
    destinations: Annotated[
        tuple[Annotated[str, _place(STORES)], ...], Field(min_length=1, repr=False)
    ]
    notifications: tuple[Notification, ...] = ()
    jobs: Annotated[tuple[OrderJob, ...], Field(min_length=1)]
    thumbnails: tuple[OrderThumbnail, ...] = ()
    post_process: tuple[PostProcess, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        """Two files of one name would overwrite each other."""
        images = [each.filename for job in self.jobs for each in job.thumbnails]
        names = [each.filename for each in self.jobs] + images
        names += [each.filename for each in self.thumbnails]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise refuse("has two files of one name", "give each its own filename", field="jobs")
        return self

    def document(self) -> dict[str, Any]:
        """The order as a client sends it, keys included; what was left out stays out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, context=REVEAL)


_PARTS: Final[Mapping[str, type[Part]]] = {
    "jobs": OrderJob,
    "thumbnails": OrderThumbnail,
    "notifications": Notification,
    "post_process": PostProcess,
    "drm": Drm,
}


def parse_order(doc: Mapping[str, Any], *, file: str = "order", root: str = "order") -> Order:
    """Read an order; ``file`` is how problems name it, ``root`` where the order is in it.

    Raises ``QueryError`` with every problem, each at its dotted path.
    """
    try:
        return Order.model_validate(doc)
    except ValidationError as error:
        raise QueryError(problems_in(error, doc, file, root, unknown=_unknown)) from None


def _unknown(path: Path, _doc: Any) -> tuple[str, str]:
    inside = next((step for step in reversed(path[:-1]) if isinstance(step, str)), "")
    model = _PARTS.get(inside, Order)
    return "unknown attribute", nearest(str(path[-1]), model.model_fields)
