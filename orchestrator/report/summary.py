"""What a person reads after a run: what came of it, what failed and why, what to type next."""

import io
from collections.abc import Iterator, Mapping

from rich.console import Console, ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orchestrator.model.items import Problem
from orchestrator.model.outcome import Ending, Failure, RunOutcome
from orchestrator.model.states import State
from orchestrator.report.bill import bill
from orchestrator.report.typed import Typed
from orchestrator.report.words import count, counted, duration, name, printable, size

#: Columns of a page that nothing reaches the end of.
_NO_EDGE = 8000

#: Failures and problems shown one by one.
FIRST = 10

_STYLES = {State.COMPLETED: "green", State.FAILED: "bold red", State.CANCELLED: "yellow"}
#: How a run ended, in words, by the value that the ledger has of it.
TITLES = {
    Ending.FINISHED.value: "finished",
    Ending.CLOSED.value: "ended as planned, with items left",
    Ending.DRAINED.value: "stopped as asked",
    Ending.ACCOUNT.value: "stopped: the service refused the account",
    Ending.BROKEN.value: "could not go on",
    Ending.REFUSED.value: "nothing was begun",
}

#: Endings that somebody wanted.
_ASKED = (Ending.CLOSED, Ending.DRAINED)


def summary(outcome: RunOutcome, console: Console, typed: Typed) -> None:
    """Print the summary of a run; ``typed`` is how the person called it."""
    parts = Group(*_parts(outcome, typed))
    if console.is_terminal:
        console.print(parts)
    else:
        console.file.write(_unwrapped(parts))


def _unwrapped(parts: ConsoleRenderable) -> str:
    """As text for a file or a pipe, which has no edge to wrap at: paths stay whole."""
    page = Console(file=io.StringIO(), width=_NO_EDGE, no_color=True)
    with page.capture() as captured:
        page.print(parts)
    return "".join(line.rstrip() + "\n" for line in captured.get().splitlines())


def _parts(outcome: RunOutcome, typed: Typed) -> Iterator[ConsoleRenderable]:
    yield _title(outcome)
    if outcome.message and outcome.message != TITLES[outcome.ending.value]:
        yield Padding(Text(_tidy(outcome.message)), (0, 2))
    if outcome.problems:
        yield problems(outcome.problems, outcome.problems_total)
    if outcome.counts:
        yield _counts(outcome)
    if outcome.failed:
        by_class = failures_by_class(outcome.failures_by_class)
        yield Group(Text(), by_class, Text(), failures(outcome.failures, outcome.failed, typed))
    yield _facts(outcome)
    yield _next(outcome, typed)


def _title(outcome: RunOutcome) -> Text:
    words = TITLES[outcome.ending.value]
    good = outcome.ending is Ending.FINISHED and not outcome.failed
    if outcome.ending is Ending.FINISHED and outcome.failed:
        words += f", {counted(outcome.failed, 'item')} failed"
    elif outcome.skipped and outcome.skipped == sum(outcome.counts.values()):
        words = f"nothing to do: {_all_done(outcome.skipped)}"
    style = "green" if good else "yellow" if outcome.ending in _ASKED else "red"
    text = Text(name(outcome.job), style="bold").append(f"  {words}", f"bold {style}")
    return text.append(f"  in {duration(outcome.seconds)}", "not bold dim")


def _all_done(items: int) -> str:
    return (
        "the item is done already" if items == 1 else f"all {count(items)} items are done already"
    )


def _counts(outcome: RunOutcome) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=10)
    table.add_column(justify="right", min_width=9)
    table.add_column(style="dim")
    for state in State:
        number = outcome.counts.get(state, 0)
        if number:
            skipped = outcome.skipped if state is State.COMPLETED else 0
            before = f"{count(skipped)} of them before this run" if skipped else ""
            table.add_row(Text(state.value, style=_STYLES.get(state, "")), count(number), before)
    return Padding(table, (1, 2, 0, 2))


def failures_by_class(by_class: Mapping[str, int]) -> Padding:
    """How many items failed with each class of error, the most frequent first."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", min_width=9)
    table.add_column(style="bold")
    for error_class, number in sorted(by_class.items(), key=lambda pair: (-pair[1], pair[0])):
        table.add_row(count(number), printable(error_class))
    return Padding(table, (0, 2))


def failures(few: tuple[Failure, ...], total: int, typed: Typed) -> Group:
    """The first failed items with their reasons, and how to see the rest."""
    rows: list[ConsoleRenderable] = []
    for failure in few[:FIRST]:
        rows.append(Text(f"  {name(failure.key)}", style="bold", overflow="fold"))
        reason = f"{printable(failure.error_class)}: {_tidy(failure.error)}"
        rows.append(Padding(Text(reason, style="red", overflow="fold"), (0, 0, 0, 4)))
    if total > FIRST:
        more = f"  and {count(total - min(FIRST, len(few)))} more: {typed.on_job('status')}"
        rows.append(Text(more, style="dim"))
    return Group(*rows)


def problems(few: tuple[Problem, ...], total: int) -> Group:
    """What is wrong with a job file or a manifest, the first of it."""
    rows: list[ConsoleRenderable] = [
        Padding(Text(_tidy(str(problem)), overflow="fold"), (0, 2)) for problem in few[:FIRST]
    ]
    if total > FIRST:
        rows.append(Text(f"  and {counted(total - min(FIRST, len(few)), 'more problem')}", "dim"))
    return Group(*rows)


def _facts(outcome: RunOutcome) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", min_width=10)
    table.add_column(overflow="fold")
    if outcome.started or outcome.sent_bytes or outcome.got_bytes:
        started = counted(outcome.started, "encode")
        sent, got = size(outcome.sent_bytes), size(outcome.got_bytes)
        table.add_row("this run", f"{started} started, {sent} uploaded, {got} collected")
    if outcome.account is not None and outcome.account.items:
        for label, words in bill(outcome.account):
            table.add_row(label, words)
    if outcome.outputs_folder:
        table.add_row("outputs", Text(outcome.outputs_folder))
    table.add_row("ledger", Text(outcome.ledger))
    return Padding(table, (1, 2))


def _next(outcome: RunOutcome, typed: Typed) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(style="dim")
    for command, why in next_steps(outcome, typed):
        table.add_row(Text(command), why)
    return Padding(table, (0, 2))


def next_steps(outcome: RunOutcome, typed: Typed) -> Iterator[tuple[str, str]]:
    """What can sensibly be typed next, and what it is good for."""
    if outcome.ending is Ending.REFUSED:
        yield typed.on_job("validate", typed.manifest), "shows every problem"
        yield typed.run("--keep-going"), "sets bad rows aside and does the rest"
        return
    if outcome.ending is Ending.ACCOUNT:
        yield f"{typed.program} doctor", "tries the service and its key"
    if outcome.ending is not Ending.FINISHED:
        yield typed.run(), "goes on where it stopped"
    elif outcome.failed:
        yield typed.run(), "tries again what can get better"
    if outcome.failed:
        yield typed.on_job("status"), "says why each item failed"
    if outcome.counts.get(State.COMPLETED):
        target = f"{outcome.job}.csv"
        yield typed.on_job("export", f"--to {target}"), "lists items and outputs"


def _tidy(text: str) -> str:
    return "\n".join(printable(line) for line in text.splitlines())
