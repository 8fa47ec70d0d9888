"""Callbacks: written down with what they tell of, sent until they arrive or it is enough."""

from orchestrator.transcoder.callbacks.herald import Herald
from orchestrator.transcoder.callbacks.outbox import Outbox
from orchestrator.transcoder.callbacks.sender import Sender

__all__ = ["Herald", "Outbox", "Sender"]
