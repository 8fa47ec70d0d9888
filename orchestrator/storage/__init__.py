"""Where outputs go when they leave the service: one ``Place`` for each scheme of URL."""

from orchestrator.storage.deliver import NotStored, Seen, Told, deliver
from orchestrator.storage.opening import Target, open_place
from orchestrator.storage.place import (
    Passing,
    Patience,
    Place,
    Reach,
    Refused,
    Upload,
)
from orchestrator.storage.resuming import Resumable, Sending

__all__ = [
    "NotStored",
    "Passing",
    "Patience",
    "Place",
    "Reach",
    "Refused",
    "Resumable",
    "Seen",
    "Sending",
    "Target",
    "Told",
    "Upload",
    "deliver",
    "open_place",
]
