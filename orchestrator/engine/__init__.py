"""Scheduler, admission gate, stages and poller."""

from orchestrator.engine.engine import Engine, Parts
from orchestrator.engine.limits import Limits, Patience

__all__ = ["Engine", "Limits", "Parts", "Patience"]
