"""Every URL that a query reads from, and the field that names it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pydantic import BaseModel

from orchestrator.query import EncodeQuery

#: Attributes of an output that name a file to read: logos and subtitles, and the
#: video that ``vmaf`` compares.
_READ = ("source", "distorted")
#: Of those, the ones that may be as large as a source.
_LARGE = ("distorted",)


@dataclass(frozen=True, slots=True)
class Named:
    """A URL, the dotted path of its field, and whether it is a small file's.

    What is ``spare`` is for an output that may fail (``allow_soft_fail``).
    """

    where: str
    url: str = field(repr=False)
    small: bool = False
    spare: bool = False


def sources_in(query: EncodeQuery) -> tuple[Named, ...]:
    """The query's one source, or its stitch list, in order."""
    if query.source is not None:
        return (Named("query.source", query.source),)
    parts = query.stitch or ()
    return tuple(Named(f"query.stitch[{at}].url", part.url) for at, part in enumerate(parts))


def assets_in(query: EncodeQuery) -> tuple[Named, ...]:
    """The other files that outputs need, in order."""
    return tuple(
        replace(named, spare=wanted.allow_soft_fail)
        for place, wanted in enumerate(query.format)
        for named in _within(wanted, f"query.format[{place}]")
    )


def _within(value: object, path: str) -> Iterator[Named]:
    if isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from _within(each, f"{path}[{place}]")
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            inner = getattr(value, name)
            if name in _READ and isinstance(inner, str):
                yield Named(f"{path}.{name}", inner, small=name not in _LARGE)
            else:
                yield from _within(inner, f"{path}.{name}")
