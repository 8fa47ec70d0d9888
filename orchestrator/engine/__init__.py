"""Scheduler, admission gate, stages and poller."""

from orchestrator.engine.engine import Engine
from orchestrator.engine.limits import Limits, Patience
from orchestrator.engine.parts import Parts

__all__ = ["Engine", "Limits", "Parts", "Patience"]
