"""The plan compiler: what ffmpeg is to do for a query, decided without touching a file."""

from orchestrator.transcoder.plan.commands import commands
from orchestrator.transcoder.plan.compiler import compile_plan
from orchestrator.transcoder.plan.steps import Description, Pass, Plan, Rendition

__all__ = ["Description", "Pass", "Plan", "Rendition", "commands", "compile_plan"]
