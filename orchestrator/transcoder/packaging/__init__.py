"""Packaging and protection of outputs for HTTP streaming: HLS, DASH, CMAF.

One rendition is one packaging unit: a track that was encoded is cut, protected
and described by itself. The master manifests are a pure function of the
renditions that have landed, so that writing them again after each one, going on
with an earlier output, and leaving renditions out are all the same thing.
"""

from orchestrator.transcoder.packaging.manifests import manifests, write_manifests
from orchestrator.transcoder.packaging.package import Packaging
from orchestrator.transcoder.packaging.packing import (
    Aes128,
    Caption,
    Cenc,
    FairPlay,
    Packing,
    Protection,
    from_hex,
)
from orchestrator.transcoder.packaging.rendition import (
    Kind,
    Rendition,
    Track,
    recall,
    record,
)

__all__ = [
    "Aes128",
    "Caption",
    "Cenc",
    "FairPlay",
    "Kind",
    "Packaging",
    "Packing",
    "Protection",
    "Rendition",
    "Track",
    "from_hex",
    "manifests",
    "recall",
    "record",
    "write_manifests",
]
