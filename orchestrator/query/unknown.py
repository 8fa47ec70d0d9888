"""What to say about an attribute that its place does not know: where it belongs."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from pydantic import BaseModel

from orchestrator.query.codec import OF_LCEVC, CodecParameters
from orchestrator.query.destination import Destination
from orchestrator.query.outputs import OUTPUTS, Spherical, Subtitles, SubtitleSource, stream_of
from orchestrator.query.picture import Logo
from orchestrator.query.problems import Path, nearest
from orchestrator.query.protection import CencDrm, Encryption, FpsDrm

#: The models of attributes that are objects, or lists of them.
_PARTS: Final[dict[str, type[BaseModel]]] = {
    "destination": Destination,
    "video_codec_parameters": CodecParameters,
    "logo": Logo,
    "subtitles": Subtitles,
    "sources": SubtitleSource,
    "encryption": Encryption,
    "cenc_drm": CencDrm,
    "fps_drm": FpsDrm,
    "inject_360_metadata": Spherical,
}

Told = tuple[str, str]


def names_of(model: type[BaseModel]) -> frozenset[str]:
    """The attributes of a model as clients write them."""
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def unknown_in(query: type[BaseModel], stitched: type[BaseModel]) -> Callable[[Path, Any], Told]:
    """Message and hint about an attribute of a query, or below it, that is not known."""
    of_query = names_of(query)

    def unknown(path: Path, doc: Any) -> Told:
        name, above = str(path[-1]), path[:-1]
        inside = next((step for step in reversed(above) if isinstance(step, str)), "")
        if inside in _PARTS:
            return _unknown_in_part(name, _PARTS[inside])
        if inside == "stitch":
            return "unknown attribute", nearest(name, names_of(stitched))
        if inside == "stream":
            return _unknown_in_stream(name, str(doc["format"][path[1]]["output"]))
        if inside == "format":
            return _unknown_in_format(name, doc["format"][path[1]]["output"], of_query)
        if any(name in names_of(model) for model in OUTPUTS.values()):
            return "unknown attribute", "it belongs to a format: query.format[]"
        return "unknown attribute", nearest(name, of_query)

    return unknown


def _unknown_in_part(name: str, model: type[BaseModel]) -> Told:
    if model is CodecParameters and name in OF_LCEVC:
        return "is for LCEVC encoders, which this product does not carry", "leave it out"
    return "unknown attribute", nearest(name, names_of(model))


def _unknown_in_stream(name: str, output: str) -> Told:
    if name == "user_tag":
        return "repeats tag", "the two are one attribute: keep tag"
    if name in names_of(OUTPUTS[output]):
        return "is not an attribute of a stream", "move it to the format"
    stream = stream_of(OUTPUTS[output])
    known = names_of(stream) if stream else frozenset()
    return "unknown attribute", nearest(name, known)


def _unknown_in_format(name: str, output: str, of_query: frozenset[str]) -> Told:
    model = OUTPUTS[output]
    stream = stream_of(model)
    if stream and (name in names_of(stream) or name == "user_tag"):
        return f'is not an attribute of "{output}" itself', "move it to each of its streams"
    if name == "user_tag":
        return "repeats tag", "the two are one attribute: keep tag"
    if having := list(_outputs_with(name)):
        return f'is not an attribute of "{output}" outputs', f"it is for {', '.join(having)}"
    if name in of_query:
        return "unknown attribute", "it belongs to the query itself, not to a format"
    return "unknown attribute", nearest(name, names_of(model))


def _outputs_with(name: str) -> Iterator[str]:
    for output, model in OUTPUTS.items():
        stream = stream_of(model)
        if name in names_of(model) or (stream and name in names_of(stream)):
            yield output
