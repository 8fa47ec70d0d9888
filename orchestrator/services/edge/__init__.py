"""Transparent Edge's transcoding service: orders, profiles, and what becomes of them."""

from orchestrator.services.edge.client import EdgeClient
from orchestrator.services.edge.service import EdgeService

__all__ = ["EdgeClient", "EdgeService"]
