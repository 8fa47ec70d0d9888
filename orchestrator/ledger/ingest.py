"""Takes a manifest in: one transaction, constant memory, all of it or nothing."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.ledger import clashes, rows
from orchestrator.ledger.intake import Intake
from orchestrator.ledger.rows import Candidate, Found, Versions
from orchestrator.model.decisions import Action, decide
from orchestrator.model.items import Problem, Row

#: Problems kept in memory; more are counted.
MOST_PROBLEMS = 1000


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of taking a manifest in.

    ``taken`` is False where problems kept everything out: the ledger is then as
    it was. ``counts`` says what was decided, row by row. ``problems`` holds the
    first thousand of ``problem_count``.
    """

    total: int
    taken: bool
    counts: Mapping[Action, int]
    problems: tuple[Problem, ...]
    problem_count: int


class Ingest:
    """One manifest on its way into the ledger."""

    def __init__(
        self,
        intake: Intake,
        manifest: str,
        versions: Versions,
        *,
        keep_going: bool,
        retry: Callable[[str], bool],
        following: bool = False,
    ) -> None:
        self._intake = intake
        self._manifest = manifest
        self._versions = versions
        self._keep_going = keep_going
        self._retry = retry
        self._following = following
        self._total = 0
        self._counts: Counter[Action] = Counter()
        self._problems: list[Problem] = []
        self._problem_count = 0

    def take(
        self, manifest: Iterable[Row | Problem], proceed: Callable[[], None] = lambda: None
    ) -> Ingested:
        """Read all rows. The caller commits if the answer is ``taken``, else rolls back.

        ``proceed`` is called once per chunk, and may raise to stop.
        """
        for chunk in rows.chunks(manifest):
            proceed()
            self._total += len(chunk)
            self._take_chunk(chunk)
        self._take_clashes()
        return Ingested(
            total=self._total,
            taken=self._keep_going or self._following or not self._problem_count,
            counts=+self._counts,
            problems=tuple(self._problems),
            problem_count=self._problem_count,
        )

    def _take_chunk(self, chunk: Sequence[Row | Problem]) -> None:
        usable: list[Candidate] = []
        problems: list[Problem] = []
        for entry in chunk:
            made = self._made(entry)
            if isinstance(made, Problem):
                problems.append(made)
            else:
                usable.append(made)
        problems += self._write(usable)
        problems.sort(key=lambda problem: problem.line)
        self._report(problems)
        if self._keep_going and problems and not self._following:
            self._set_aside(problems)

    def _made(self, entry: Row | Problem) -> Candidate | Problem:
        if isinstance(entry, Problem):
            return entry
        return rows.candidate(entry, self._versions, self._manifest)

    def _write(self, usable: Sequence[Candidate]) -> list[Problem]:
        """Write what is decided about each row; the answer is the repeated ones."""
        found = self._look_up([each.row.key for each in usable])
        new: list[Candidate] = []
        seen: list[tuple[Candidate, Found]] = []
        again: list[tuple[Found, str]] = []
        problems: list[Problem] = []
        lines = self._lines_of(found.values())
        followed: list[tuple[Candidate, Found]] = []
        for each in usable:
            key = each.row.key
            if self._following and key in found and found[key].seen_run == self._intake.run:
                followed.append((each, found[key]))
                continue
            if key in lines:
                problems.append(rows.repeated(self._manifest, each.row, lines[key]))
                continue
            lines[key] = each.row.line
            before = found.get(key)
            decision = decide(before.known if before else None, each.version, self._retry)
            self._counts[decision.action] += 1
            if before is None:
                new.append(each)
                continue
            seen.append((each, before))
            if decision.action is Action.AGAIN:
                again.append((before, decision.reason))
        self._intake.add(new)
        self._intake.see(seen)
        self._intake.requeue(again)
        self._intake.prioritise(followed)
        return problems

    def _lines_of(self, found: Iterable[Found]) -> dict[str, int]:
        """Keys that this manifest had already, and on which line first."""
        run = self._intake.run
        return {each.key: each.line for each in found if each.seen_run == run}

    def _set_aside(self, problems: Sequence[Problem]) -> None:
        """Failed items for rows that can't be used.

        By the row's key, else by its place: also where another row of this
        manifest has the key.
        """
        named = {problem.key for problem in problems if problem.key}
        places = {_place(problem) for problem in problems}
        found = self._look_up([*named, *places])
        new: dict[str, Problem] = {}
        known: dict[str, tuple[Found, Problem]] = {}
        for problem in problems:
            for key in (problem.key, _place(problem)):
                before = found.get(key) if key else None
                taken = before is not None and before.seen_run == self._intake.run
                if not key or taken or key in new or key in known:
                    continue
                if before is None:
                    new[key] = problem
                else:
                    known[key] = before, problem
                break
        self._intake.add_problems(list(new.items()))
        self._intake.see_problems(list(known.values()))
        self._counts[Action.SET_ASIDE] += len(problems)

    def _take_clashes(self) -> None:
        intake = self._intake
        for some in clashes.find(intake.connection, intake.job, intake.run, self._manifest):
            self._report([clash.problem for clash in some])
            failing = [clash for clash in some if clash.may_fail]
            if self._keep_going and failing:
                for clash in failing:
                    self._counts[clash.counted_as] -= 1
                self._counts[Action.SET_ASIDE] += len(failing)
                intake.set_aside([(clash.found, str(clash.problem)) for clash in failing])

    def _report(self, problems: Sequence[Problem]) -> None:
        self._problem_count += len(problems)
        self._problems += problems[: MOST_PROBLEMS - len(self._problems)]

    def _look_up(self, keys: Sequence[str]) -> dict[str, Found]:
        intake = self._intake
        return rows.look_up(intake.connection, intake.job, keys)


def _place(problem: Problem) -> str:
    return f"{problem.file}:{problem.line}"
