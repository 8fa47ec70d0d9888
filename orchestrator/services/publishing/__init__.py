"""Makes local sources readable for services that download what they encode."""

from orchestrator.services.publishing.mapped import MappedUploader
from orchestrator.services.publishing.removal import (
    Remover,
    RemovingCollector,
    RemovingObserver,
)
from orchestrator.services.publishing.uploader import PlaceUploader

__all__ = ["MappedUploader", "PlaceUploader", "Remover", "RemovingCollector", "RemovingObserver"]
