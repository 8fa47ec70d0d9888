"""What an engine is built from."""

from dataclasses import dataclass

from orchestrator.model.ports import (
    Clock,
    Collector,
    Ledger,
    Observer,
    Recipe,
    Room,
    Service,
    Sources,
    Uploader,
    Verifier,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is built from.

    Without a ``verifier`` outputs are taken as they are; without ``room`` nobody
    looks whether there is any for them.
    """

    service: Service
    uploader: Uploader
    sources: Sources
    collector: Collector
    recipe: Recipe
    ledger: Ledger
    observer: Observer
    clock: Clock
    verifier: Verifier | None = None
    room: Room | None = None
