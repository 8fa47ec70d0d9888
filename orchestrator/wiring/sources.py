"""Looks at local sources for the engine."""

from dataclasses import dataclass

import anyio

from orchestrator.manifest import FingerprintKind
from orchestrator.manifest.sources import fingerprinter


@dataclass(frozen=True, slots=True)
class LocalSources:
    """Implements ``model.ports.Sources``."""

    kind: FingerprintKind

    async def fingerprint(self, path: str) -> str:
        """The version of the file as it is now. Raises ``SourceMissing``."""
        look = fingerprinter(self.kind)
        if self.kind == "content":
            return (await anyio.to_thread.run_sync(look, path))[0]
        return look(path)[0]  # one system call: a thread would cost more
