"""Takes a manifest in: one transaction, constant memory, all of it or nothing."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import lt
from typing import Any, cast

from sqlalchemy.exc import IntegrityError

from orchestrator.ledger import clashes, rows
from orchestrator.ledger.intake import Intake
from orchestrator.ledger.met import Met
from orchestrator.ledger.rows import Entry, Found, Versions
from orchestrator.ledger.staging import said
from orchestrator.model.decisions import Action, Version, decide
from orchestrator.model.items import Problem, Row
from orchestrator.model.plain import PlainColumns, PlainRow

#: Problems kept in memory; more are counted.
MOST_PROBLEMS = 1000

#: A ``PlainRow``, perhaps without its name.
_Said = tuple[Any, ...]


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
        self._stage = intake.stage
        self._new_items = intake.new_items
        self._met = Met(intake.connection, intake.job, intake.seen)
        self._manifest = manifest
        self._versions = versions
        self._keep_going = keep_going
        self._retry = retry
        self._following = following
        self._total = 0
        self._written = 0
        self._counts: Counter[Action] = Counter()
        self._problems: list[Problem] = []
        self._problem_count = 0
        self._last_folder = ""
        self._may_clash = following

    def take(
        self, manifest: Iterable[Entry], proceed: Callable[[], None] = lambda: None
    ) -> Ingested:
        """Read all rows. The caller commits if the answer is ``taken``, else rolls back.

        ``proceed`` is called once per chunk, and may raise to stop.
        """
        self._stage.open()
        for chunk in rows.several(manifest):
            proceed()
            if isinstance(chunk, PlainColumns):
                self._total += chunk.count
                self._see_to(self._write(chunk))
            else:
                self._total += len(chunk)
                self._take_chunk(chunk)
        self._stage.close()
        if not self._following:
            self._met.forget_the_others()
        if self._may_clash and (self._written or not self._following):
            self._take_clashes()
        return Ingested(
            total=self._total,
            taken=self._keep_going or self._following or not self._problem_count,
            counts=+self._counts,
            problems=tuple(self._problems),
            problem_count=self._problem_count,
        )

    def _take_chunk(self, chunk: Sequence[Entry]) -> None:
        made = list(map(self._made, chunk))
        usable = [each for each in made if not isinstance(each, Problem)]
        problems = [each for each in made if isinstance(each, Problem)]
        columns = PlainColumns.of(list(zip(*usable, strict=True)))
        self._see_to([*problems, *self._write(columns)])

    def _see_to(self, problems: list[Problem]) -> None:
        if not problems:
            return
        problems.sort(key=lambda problem: problem.line)
        self._report(problems)
        if self._keep_going and not self._following:
            self._set_aside(problems)

    def _made(self, entry: Entry) -> _Said | Problem:
        if not isinstance(entry, Row):
            return cast("_Said | Problem", entry)
        made = rows.candidate(entry, self._versions, self._manifest)
        return made if isinstance(made, Problem) else said(made, self._intake.turn.weight(entry))

    # --- rows that can be used ---------------------------------------------------------

    def _write(self, usable: PlainColumns) -> list[Problem]:
        """Write what is decided about each row; the answer is the repeated ones."""
        if not usable.count:
            return []
        self._look_at_folders(usable)
        if not self._met.any_before and self._all_new(usable):
            return []
        self._stage.fill(usable)
        alone: set[int] = set()
        if self._met.any_before and len(set(usable.column("key"))) == usable.count:
            alone = self._left_alone()
        if len(alone) == usable.count:
            return []
        return self._decided([PlainRow._make(each) for each in usable.rows()], alone)

    def _all_new(self, usable: PlainColumns) -> bool:
        """Whether the rows could be added whole, as in a first run nearly all can."""
        try:
            self._new_items.add(self._intake.connection, usable)
        except IntegrityError:
            return False
        self._counts[Action.NEW] += usable.count
        self._written += usable.count
        return True

    def _look_at_folders(self, usable: PlainColumns) -> None:
        """Note whether folders rise from row to row: then no two rows have the same."""
        folders = [self._last_folder, *filter(None, usable.column("folder"))]
        self._last_folder = folders[-1]
        self._may_clash = self._may_clash or not all(map(lt, folders, folders[1:]))

    def _left_alone(self) -> set[int]:
        """Rows that need neither a decision nor a write."""
        found = self._stage.followed() if self._following else self._stage.settled()
        alone = {number for number, item in found if self._met.first_time(item)}
        if not self._following:
            self._counts[Action.SKIP] += len(alone)
        return alone

    def _decided(self, usable: Sequence[PlainRow], alone: set[int]) -> list[Problem]:
        """Decide about the rows that are not left ``alone``, and write what follows."""
        known = {number: (same, found) for number, same, found in self._stage.compare()}
        verdict = _Verdict(drop=list(alone))
        lines: dict[str, int] = {}
        for number, each in enumerate(usable, 1):
            if number in alone:
                continue
            same, before = known.get(number, (False, None))
            first = self._first_line(each.key, before, lines)
            if first is not None:
                repeated = rows.repeated(self._manifest, each.key, each.line, first)
                verdict.problems.append(repeated)
                verdict.drop.append(number)
                continue
            lines[each.key] = each.line
            self._decide(number, each, before, verdict, same=same)
        self._intake.write_staged(verdict.drop, verdict.match)
        self._intake.requeue(verdict.again)
        self._intake.prioritise(verdict.followed)
        self._written += len(usable) - len(verdict.drop)
        return verdict.problems

    def _first_line(self, key: str, before: Found | None, lines: Mapping[str, int]) -> int | None:
        """The line on which this manifest had the key already."""
        if key in lines:
            return lines[key]
        if before is not None and not self._met.first_time(before.id):
            return before.line
        return None

    def _decide(
        self, number: int, each: PlainRow, before: Found | None, verdict: "_Verdict", *, same: bool
    ) -> None:
        if self._following and before is not None and before.seen_run == self._intake.seen:
            verdict.followed.append((each, before))
            verdict.drop.append(number)
            return
        version = Version(each.fingerprint, each.digest)
        decision = decide(before.known if before else None, version, self._retry)
        self._counts[decision.action] += 1
        if before is None:
            return
        if decision.action is Action.AGAIN:
            verdict.again.append((before, decision.reason))
        if same:
            verdict.drop.append(number)
        else:
            verdict.match.append((before.id, number))

    # --- rows that can't ---------------------------------------------------------------

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
                taken = before is not None and before.id in self._met
                if not key or taken or key in new or key in known:
                    continue
                if before is None:
                    new[key] = problem
                else:
                    known[key] = before, problem
                    self._met.first_time(before.id)
                break
        self._may_clash = self._may_clash or bool(known)  # these keep their folders
        self._intake.add_problems(list(new.items()))
        self._intake.see_problems(list(known.values()))
        self._counts[Action.SET_ASIDE] += len(problems)

    def _take_clashes(self) -> None:
        intake = self._intake
        for some in clashes.find(intake, self._manifest, oldest_first=self._following):
            if self._following:
                some = [clash for clash in some if clash.found.id not in self._met.before]
            self._report([clash.problem for clash in some])
            failing = [clash for clash in some if clash.may_fail]
            if (self._keep_going or self._following) and failing:
                for clash in failing:
                    self._counts[clash.counted_as] -= 1
                self._counts[Action.SET_ASIDE] += len(failing)
                intake.set_aside([(clash.found, str(clash.problem)) for clash in failing])

    def _report(self, problems: Sequence[Problem]) -> None:
        self._problem_count += len(problems)
        self._problems += problems[: MOST_PROBLEMS - len(self._problems)]

    def _look_up(self, keys: Sequence[str]) -> dict[str, Found]:
        """What is on record about keys: up to two for each row of a chunk."""
        intake = self._intake
        found: dict[str, Found] = {}
        for at in range(0, len(keys), rows.CHUNK):
            found |= rows.look_up(intake.connection, intake.job, keys[at : at + rows.CHUNK])
        return found


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is to be done about the rows of a chunk, which have numbers on the stage."""

    drop: list[int]
    match: list[tuple[int, int]] = field(default_factory=list)
    again: list[tuple[Found, str]] = field(default_factory=list)
    followed: list[tuple[PlainRow, Found]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _place(problem: Problem) -> str:
    return f"{problem.file}:{problem.line}"
