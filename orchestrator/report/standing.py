"""How a job stands, from its ledger: what ``orchestrator status`` shows."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleRenderable
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orchestrator.model.outcome import Failure
from orchestrator.model.states import State
from orchestrator.report.summary import TITLES
from orchestrator.report.typed import Typed
from orchestrator.report.words import count, counted, duration, name, printable

#: Items under way, and failures of one class, that are shown one by one.
SHOWN = 10
EXAMPLES = 3

_STYLES = {State.COMPLETED: "green", State.FAILED: "bold red", State.CANCELLED: "yellow"}


@dataclass(frozen=True, slots=True)
class Flying:
    """An item under way; ``since`` (UNIX seconds) is when it came into its state."""

    key: str
    state: State
    since: float


@dataclass(frozen=True, slots=True)
class LastRun:
    """The job's last run. Times are UNIX seconds.

    ``outcome`` is None while it goes on, ``ended`` also where it never said so.
    """

    number: int
    service: str
    began: float
    ended: float | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands. ``earlier`` counts items that are no longer in its manifest."""

    job: str
    ledger: str
    counts: Mapping[State, int] = field(default_factory=dict)
    earlier: int = 0
    flying: Sequence[Flying] = ()
    failures: Sequence[Failure] = ()
    by_class: Mapping[str, int] = field(default_factory=dict)
    run: LastRun | None = None


def print_standing(standing: Standing, console: Console, typed: Typed, now: float) -> None:
    """Print it; ``typed`` is how the person called it, ``now`` UNIX seconds."""
    for part in _parts(standing, typed, now):
        console.print(part)


def _parts(standing: Standing, typed: Typed, now: float) -> Iterator[ConsoleRenderable]:
    yield _title(standing, now)
    if standing.counts:
        yield _counts(standing)
    flying = sum(standing.counts.get(state, 0) for state in _UNDER_WAY)
    if standing.flying:
        yield _flying(standing.flying[:SHOWN], flying, now)
    for error_class, number in sorted(standing.by_class.items(), key=lambda pair: -pair[1]):
        few = [each for each in standing.failures if each.error_class == error_class]
        yield _class(error_class, number, few[:EXAMPLES])
    if standing.by_class:
        words = f"all of them: {typed.on_job('export', f'--to {standing.job}.csv')}"
        yield Text(f"  {words}\n", style="dim")
    yield Text(f"  ledger  {standing.ledger}", style="dim")


_UNDER_WAY = (
    State.UPLOADING,
    State.UPLOADED,
    State.STARTING,
    State.ENCODING,
    State.COLLECTING,
)


def _title(standing: Standing, now: float) -> Text:
    text = Text(name(standing.job), style="bold")
    run = standing.run
    if run is None:
        return text.append("  has not run yet", "not bold")
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.began))
    if run.ended is None:
        how = f"{run.outcome}; began" if run.outcome else "going on since"
        words = f"run {run.number} at {run.service}: {how} {began}, {_ago(run.began, now)}"
    else:
        took = duration(max(0.0, run.ended - run.began))
        ended = TITLES.get(run.outcome or "", run.outcome)
        words = f"run {run.number} at {run.service}: {ended}; began {began}, took {took}"
    return text.append(f"  {printable(words)}", "not bold")


def _ago(then: float, now: float) -> str:
    return f"{duration(max(0.0, now - then))} ago"


def _counts(standing: Standing) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=10)
    table.add_column(justify="right", min_width=9)
    for state in State:
        if number := standing.counts.get(state, 0):
            table.add_row(Text(state.value, style=_STYLES.get(state, "")), count(number))
    table.add_row(Text("in all", "dim"), Text(count(sum(standing.counts.values())), "dim"))
    if standing.earlier:
        words = "no longer in the manifest"
        table.add_row(Text(words, "dim"), Text(count(standing.earlier), "dim"))
    return Padding(table, (1, 2))


def _flying(few: Sequence[Flying], total: int, now: float) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for each in few:
        since = duration(max(0.0, now - each.since))
        table.add_row(each.state.value, since, Text(name(each.key)))
    if total > len(few):
        table.add_row("", "", Text(f"and {counted(total - len(few), 'more item')}", "dim"))
    return Padding(table, (0, 2, 1, 2))


def _class(error_class: str, number: int, few: Sequence[Failure]) -> Padding:
    table = Table.grid()
    table.add_column(overflow="fold")
    title = Text(printable(error_class), "bold red").append(f"  {counted(number, 'item')}", "dim")
    table.add_row(title)
    for failure in few:
        table.add_row(Text(f"  {name(failure.key)}"))
        table.add_row(Padding(Text(printable(failure.error), "dim"), (0, 0, 0, 4)))
    if number > len(few):
        table.add_row(Text(f"  and {count(number - len(few))} more", "dim"))
    return Padding(table, (0, 2, 1, 2))
