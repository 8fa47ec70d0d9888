"""Results as one JSON document on standard output, for scripts."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.cli.exits import exit_code
from orchestrator.model.outcome import RunOutcome


def print_json(document: Mapping[str, Any]) -> None:
    """Write the document and a line break."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def of_outcome(outcome: RunOutcome) -> dict[str, Any]:
    """A run's outcome; its fields are those of ``RunOutcome``, and ``exit_code``."""
    document = asdict(outcome)
    document["counts"] = {state.value: number for state, number in outcome.counts.items()}
    return document | {"failed": outcome.failed, "exit_code": exit_code(outcome)}
