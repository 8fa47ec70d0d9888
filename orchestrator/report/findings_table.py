"""The findings of ``orchestrator doctor``, for a person."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.report.findings import Finding
from orchestrator.report.words import printable


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """A line per finding, what to do under each that is not good, and a verdict."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mark = Text("✓", "green") if finding.ok else Text("✗", "bold red")
        detail = Text("\n".join(map(printable, finding.detail.splitlines())))
        if finding.hint and not finding.ok:
            detail.append(f"\n→ {printable(finding.hint)}", "yellow")
        table.add_row(mark, Text(finding.name, "bold"), detail)
    console.print(table)
    bad = sum(not finding.ok for finding in findings)
    verdict = Text("\nready to run", "green") if not bad else Text(f"\n{bad} to put right", "red")
    console.print(verdict)
