"""What a run would come to, before it begins."""

from orchestrator.config import Config
from orchestrator.ledger import Planned
from orchestrator.model.decisions import Action
from orchestrator.model.money import Account, Lengths
from orchestrator.query import Job
from orchestrator.query.pricing import Pricer
from orchestrator.wiring import requests
from orchestrator.wiring.bounds import price_table

#: What a run does for these costs something.
_ENCODED = frozenset({Action.NEW, Action.AGAIN, Action.KEEP})


class Estimate:
    """Adds up what the rows of a plan would cost."""

    def __init__(self, config: Config, job: Job) -> None:
        table = price_table(config)
        self._pricer = Pricer(requests.billed(requests.for_service(config, job)), table)
        self._lengths = Lengths()
        self.account = Account(table.currency)

    def add(self, planned: Planned) -> None:
        """One more row; what is done already, or under way, costs nothing more."""
        row = planned.row
        if row is None or planned.action not in _ENCODED:
            return
        self._lengths.learn(row.duration, row.size)
        length = self._lengths.of(row.duration, row.size)
        charges = self._pricer.of(row.fields, row.stitch, length.seconds)
        self.account.add(charges, guessed=length.guessed)
