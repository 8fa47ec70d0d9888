"""Which items of the ledger the manifest that is being read has named so far.

A byte for each item, so that nothing needs to be written about items that are as
they were: a million of them take a megabyte.
"""

from array import array

from sqlalchemy import Connection, bindparam, func, select, update

from orchestrator.ledger import schema
from orchestrator.ledger.bulk import Bulk

_I = schema.items.c

#: In place of ``seen_run`` where the present manifest leaves an item out.
LEFT_OUT = -1

_FORGET = Bulk(
    update(schema.items).where(_I.id == bindparam("of_item")).values(seen_run=bindparam("left_out"))
)


class Met:
    """The items that were there ``before`` (a range of numbers), met or not."""

    def __init__(self, connection: Connection, job: int, seen: int) -> None:
        self._connection = connection
        self._ours = (_I.job_id == job, _I.seen_run == seen)
        last = connection.execute(select(func.max(_I.id))).scalar() or 0
        some = select(_I.id).where(_I.job_id == job).limit(1)
        #: Whether the job had any item.
        self.any_before = connection.execute(some).scalar() is not None
        self.before = range(1, last + 1)
        self._met = bytearray(last + 1)

    def first_time(self, item: int) -> bool:
        """Note that a row names this item; whether it is the first that does."""
        if item in self:
            return False
        self._met[item] = 1
        return True

    def __contains__(self, item: int) -> bool:
        """Whether a row has named it. One that was not there before came with its row."""
        return item >= len(self._met) or bool(self._met[item])

    def forget_the_others(self) -> None:
        """Items that no row names belong to the manifest no longer."""
        if not self.any_before:
            return
        before = (*self._ours, _I.id < len(self._met))
        count = self._connection.execute(select(func.count()).where(*before)).scalar()
        if count == self._met.count(1):
            return
        found = self._connection.execute(
            select(_I.id).where(*before), execution_options={"yield_per": 1000}
        )
        gone = array("q", (item for (item,) in found if not self._met[item]))
        _FORGET.run(self._connection, [{"of_item": item, "left_out": LEFT_OUT} for item in gone])
