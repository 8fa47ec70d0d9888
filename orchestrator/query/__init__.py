"""The encode request: its models, templates, job files and digest."""

from orchestrator.query.collect import Collect
from orchestrator.query.destination import Destination
from orchestrator.query.job import Job, Limits, load_job
from orchestrator.query.outputs import OUTPUTS, Format, Metadata, Mp4, Thumbnail, Thumbnails
from orchestrator.query.problems import QueryError
from orchestrator.query.recipe import QencodeRecipe
from orchestrator.query.request import EncodeQuery, StitchSource, parse_query
from orchestrator.query.secrets import resolve_secrets
from orchestrator.query.templates import DocumentTemplate, Template, TemplateError, compile_template
from orchestrator.query.values import FrameSize, KeyframeInterval

__all__ = [
    "OUTPUTS",
    "Collect",
    "Destination",
    "DocumentTemplate",
    "EncodeQuery",
    "Format",
    "FrameSize",
    "Job",
    "KeyframeInterval",
    "Limits",
    "Metadata",
    "Mp4",
    "QencodeRecipe",
    "QueryError",
    "StitchSource",
    "Template",
    "TemplateError",
    "Thumbnail",
    "Thumbnails",
    "compile_template",
    "load_job",
    "parse_query",
    "resolve_secrets",
]
