"""The plan compiler: what ffmpeg is to do for a query, decided without touching a file."""

from orchestrator.transcoder.plan.commands import commands
from orchestrator.transcoder.plan.compiler import compile_plan
from orchestrator.transcoder.plan.context import Means
from orchestrator.transcoder.plan.material import Material, material
from orchestrator.transcoder.plan.soft import compile_softly
from orchestrator.transcoder.plan.steps import (
    Comparison,
    Cut,
    Description,
    Kept,
    Package,
    Pass,
    Plan,
    Rendition,
    Step,
    Subtitling,
    Transcription,
)

__all__ = [
    "Comparison",
    "Cut",
    "Description",
    "Kept",
    "Material",
    "Means",
    "Package",
    "Pass",
    "Plan",
    "Rendition",
    "Step",
    "Subtitling",
    "Transcription",
    "commands",
    "compile_plan",
    "compile_softly",
    "material",
]
