"""What a run at several services takes from its job: names, and versions for all of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b

from orchestrator.config import Config
from orchestrator.ledger.rows import Versions
from orchestrator.model.errors import AccountProblem, BadInput
from orchestrator.model.items import Problem, Row
from orchestrator.model.outcome import Ending
from orchestrator.model.plain import PlainRecipe
from orchestrator.query import Job, OrderRecipe, QencodeRecipe
from orchestrator.query.digest import BYTES
from orchestrator.settings import TranscoderService


class Versioned(Versions):
    """What the ledger is told of rows, whichever service takes them.

    With two requests in the job a version covers both. ``services`` are those of the
    run, where it has several: a row may name one of them.
    """

    def __init__(
        self,
        job: Job,
        recipes: Sequence[QencodeRecipe | OrderRecipe],
        services: Collection[str] = (),
    ) -> None:
        self._job = job
        self._recipes = recipes
        self._services = services
        self._stitches = any(isinstance(recipe, QencodeRecipe) for recipe in recipes)

    def digest(self, row: Row) -> str:
        """See ``Versions``."""
        digests = [recipe.digest(row) for recipe in self._recipes]
        if len(digests) == 1:
            return digests[0]
        return blake2b("\n".join(digests).encode(), digest_size=BYTES).hexdigest()

    def folder(self, row: Row) -> str:
        """See ``Versions``."""
        return self._recipes[0].folder(row)

    def check(self, row: Row) -> Problem | None:
        """See ``Versions``."""
        own = row.fields.get("service", "") if self._services else ""
        if own and own not in self._services:
            message, hint = f"the run has no service {own!r}", ", ".join(self._services)
            return Problem(
                self._job.manifest, message, f"it has: {hint}", row.line, "service", row.key
            )
        for recipe in self._recipes:
            if row.stitch and self._stitches and isinstance(recipe, OrderRecipe):
                continue  # it goes to a service that takes it
            if problem := recipe.check(row):
                return problem
        return None

    def plain(self) -> PlainRecipe | None:
        """See ``TemplatedRecipe``; None where a row's version takes more than one look."""
        if len(self._recipes) > 1:
            return None
        plain = self._recipes[0].plain()
        if plain is None or not self._services:
            return plain
        return plain._replace(looked_at=("service",))


def versions(config: Config, job: Job) -> Versioned | QencodeRecipe | OrderRecipe:
    """What makes a row's encode current, under a job as its file has it."""
    names = names_of(config, job)
    recipes: list[QencodeRecipe | OrderRecipe] = []
    if job.query:
        recipes.append(QencodeRecipe(job))
    if job.order is not None:
        recipes.append(OrderRecipe(job))
    if len(recipes) == len(names) == 1:
        return recipes[0]
    return Versioned(job, recipes, names if len(names) > 1 else ())


def names_of(config: Config, job: Job) -> tuple[str, ...]:
    """The services of a run, each once. Raises ``BadInput`` where two can't work together."""
    names = tuple(dict.fromkeys(job.services)) or (job.service or config.default_service,)
    check_apart(config, names)
    return names


def check_apart(config: Config, names: Iterable[str]) -> None:
    """Raise ``BadInput`` where two of these services would work in one folder."""
    folders: dict[object, str] = {}
    for name in names:
        settings = config.service(name)
        if isinstance(settings, TranscoderService):
            other = folders.setdefault(settings.data, name)
            if other != name:
                raise BadInput(
                    f"the services {other!r} and {name!r} have the same data folder, "
                    f"{settings.data}: give each one of its own"
                )


def ending(lost: Mapping[str, Exception], left: int) -> tuple[Ending, str]:
    """How a run ended of which some services were lost, with so many items left."""
    told = "; ".join(f"{name} did no more: {error}" for name, error in lost.items())
    if not left:
        return Ending.FINISHED, f"{told}; the other services did the rest"
    account = any(isinstance(error, AccountProblem) for error in lost.values())
    return Ending.ACCOUNT if account else Ending.BROKEN, f"{told}; {items(left)} left"


def items(left: int) -> str:
    """So many items, and the verb."""
    return "1 item is" if left == 1 else f"{left:,} items are"


def shares(done: Mapping[str, int]) -> str:
    """How many items each service completed, in words."""
    return ", ".join(f"{number:,} at {name}" for name, number in done.items() if number)
