"""Reads XML that a stranger wrote: no document type, so no entity that could expand or fetch."""

from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from orchestrator.model.errors import OutputMissing


def read_xml(data: bytes) -> Element:
    """The document's root; names are without namespaces. Raises ``OutputMissing``.

    The standard library's expat is told to stop at ``<!DOCTYPE``: without one, only
    XML's own five entities exist.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: builder.start(
        _local(name), {_local(key): value for key, value in attributes.items()}
    )
    parser.EndElementHandler = lambda name: builder.end(_local(name))
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError) as error:
        raise OutputMissing(f"it can't be read as XML: {error}") from error
    return builder.close()


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _refuse(*_: Any) -> None:
    raise OutputMissing("it has a document type (<!DOCTYPE>), which no manifest needs")
