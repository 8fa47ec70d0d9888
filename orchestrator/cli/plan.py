"""``orchestrator run --dry-run``: what a run would do, and why."""

import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.cli.exits import OK
from orchestrator.report.bill import bill
from orchestrator.report.words import count, name, printable

if TYPE_CHECKING:
    from orchestrator.cli.given import Given
    from orchestrator.ledger import Planned
    from orchestrator.wiring import RunOptions
    from orchestrator.wiring.estimate import Estimate

#: Lines of a screen that the totals and the prompt take.
_BELOW = 8


def show_plan(asked: "Given", options: "RunOptions", *, as_json: bool) -> int:
    """Print it: a screenful on a terminal, every item as JSON or into a pipe."""
    from orchestrator import wiring
    from orchestrator.wiring.estimate import Estimate

    estimate = Estimate(asked.config, asked.job.with_(service=options.service))
    planned = _added_up(wiring.plan_job(asked.config, asked.job, options), estimate)
    totals: Counter[str] = Counter()
    if as_json:
        _as_json(asked.job.name, planned, totals, estimate)
    else:
        _as_lines(planned, totals, estimate)
    return OK


def _added_up(planned: Iterable["Planned"], estimate: "Estimate") -> Iterator["Planned"]:
    for item in planned:
        estimate.add(item)
        yield item


def _as_json(
    job: str, planned: Iterator["Planned"], totals: Counter[str], estimate: "Estimate"
) -> None:
    from orchestrator.cli.document import print_json

    items: list[dict[str, Any]] = []
    for item in planned:
        totals[str(item.action)] += 1
        items.append(
            {
                "key": item.key,
                "action": str(item.action),
                "reason": item.reason,
                "priority": item.priority,
            }
        )
    print_json(
        {
            "job": job,
            "items": items,
            "totals": dict(totals),
            "estimate": asdict(estimate.account),
            "exit_code": OK,
        }
    )


def _as_lines(planned: Iterator["Planned"], totals: Counter[str], estimate: "Estimate") -> None:
    screen = shutil.get_terminal_size()
    room = max(5, screen.lines - _BELOW) if sys.stdout.isatty() else None
    for number, item in enumerate(planned):
        totals[str(item.action)] += 1
        if room is None:
            print(f"{item.action}\t{name(item.key)}\t{printable(item.reason)}")
        elif number < room:
            print(_line(str(item.action), item.key, item.reason, screen.columns))
    hidden = totals.total() - room if room is not None else 0
    if hidden > 0:
        print(f"  and {count(hidden)} more; add --json, or a pipe, to see them all")
    print()
    for action, number in totals.most_common():
        print(f"{count(number):>12}  {action}")
    print(f"{count(totals.total()):>12}  in all; nothing was done")
    if estimate.account.items:
        print()
        for label, words in bill(estimate.account):
            print(f"{label:>12}  {words}")


def _line(action: str, key: str, reason: str, width: int) -> str:
    half = max(20, (width - 12) * 3 // 5)
    shown = f"{action:<10}{name(key, half):<{half}}  {printable(reason)}"
    return shown if len(shown) <= width else shown[: width - 1] + "…"
