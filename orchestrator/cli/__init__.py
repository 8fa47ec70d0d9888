"""The ``orchestrator`` command. Modules import what is heavy inside their functions.

A rerun of a finished job must answer at once, and so must ``--help``.
"""

from orchestrator.cli.app import main

__all__ = ["main"]
