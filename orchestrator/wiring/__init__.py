"""The only place that builds concrete objects and connects them.

What a command does not need is not imported: a run that finds everything done
answers before a service and its libraries would even be loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.wiring.asking import ask as ask
    from orchestrator.wiring.checks import diagnose as diagnose
    from orchestrator.wiring.inspection import export_job as export_job
    from orchestrator.wiring.inspection import open_reader as open_reader
    from orchestrator.wiring.inspection import plan_job as plan_job
    from orchestrator.wiring.inspection import validate_job as validate_job
    from orchestrator.wiring.options import RunOptions as RunOptions
    from orchestrator.wiring.profiles import stored_profiles as stored_profiles
    from orchestrator.wiring.runs import run_job as run_job
    from orchestrator.wiring.serving import make_samples as make_samples
    from orchestrator.wiring.serving import serve as serve

_HOMES = {
    "RunOptions": "options",
    "ask": "asking",
    "diagnose": "checks",
    "export_job": "inspection",
    "make_samples": "serving",
    "open_reader": "inspection",
    "plan_job": "inspection",
    "run_job": "runs",
    "serve": "serving",
    "stored_profiles": "profiles",
    "validate_job": "inspection",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
