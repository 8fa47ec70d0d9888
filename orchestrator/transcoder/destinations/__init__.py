"""Where outputs go when they leave the service: one ``Place`` for each scheme of URL."""

from orchestrator.transcoder.destinations.deliver import Seen, Told, deliver
from orchestrator.transcoder.destinations.opening import Target, open_place
from orchestrator.transcoder.destinations.place import (
    Passing,
    Patience,
    Place,
    Reach,
    Refused,
    Upload,
)

__all__ = [
    "Passing",
    "Patience",
    "Place",
    "Reach",
    "Refused",
    "Seen",
    "Target",
    "Told",
    "Upload",
    "deliver",
    "open_place",
]
