"""The ledger: schema, the group-commit writer, reads, recovery, export."""

from orchestrator.ledger.exporting import export
from orchestrator.ledger.ingest import Ingested
from orchestrator.ledger.ledger import SqlLedger
from orchestrator.ledger.planning import Planned, plan
from orchestrator.ledger.reader import LedgerReader, Run, UnderWay, Volume
from orchestrator.ledger.reads import Event
from orchestrator.ledger.rows import Versions

__all__ = [
    "Event",
    "Ingested",
    "LedgerReader",
    "Planned",
    "Run",
    "SqlLedger",
    "UnderWay",
    "Versions",
    "Volume",
    "export",
    "plan",
]
