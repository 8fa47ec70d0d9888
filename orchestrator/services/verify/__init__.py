"""Proof that what was collected is what was asked for."""

from orchestrator.services.verify.probing import Found, Prober, Unreadable
from orchestrator.services.verify.verifier import OutputVerifier

__all__ = ["Found", "OutputVerifier", "Prober", "Unreadable"]
