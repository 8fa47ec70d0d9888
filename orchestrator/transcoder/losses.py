"""Outputs that failed and may (``allow_soft_fail``): the others go on without them."""

from collections.abc import Iterable

from orchestrator.query import EncodeQuery
from orchestrator.transcoder.plan.context import places_of
from orchestrator.transcoder.ports import EncodingFailed, MediaError, Missed, Notice

_IGNORED = "Errors Ignored by 'allow_soft_fail'"


class Losses:
    """What one task has lost so far, by the outputs' places in the query's ``format``."""

    def __init__(self, query: EncodeQuery, missed: Iterable[Missed] = ()) -> None:
        places = tuple(places_of(query))
        self._tags = {place.index: place.tag for place in places}
        self._soft = {place.index for place in places if place.asked.allow_soft_fail}
        self._missed = {each.format_index: each for each in missed}
        self._worth_a_retry = False

    @property
    def missed(self) -> tuple[Missed, ...]:
        """In the order of the query."""
        return tuple(self._missed[index] for index in sorted(self._missed))

    def has(self, index: int) -> bool:
        """Whether the output is lost."""
        return index in self._missed

    def bear(self, indexes: Iterable[int], error: MediaError) -> None:
        """Go on without these outputs; raises ``error`` where one of them may not fail."""
        lost = set(indexes)
        if not lost <= self._soft:
            raise error
        self._worth_a_retry |= isinstance(error, EncodingFailed)
        for index in lost - self._missed.keys():
            self._missed[index] = Missed(self._tags[index], index, str(error))

    def total(self) -> MediaError:
        """Why a task failed that has lost every output."""
        reasons = dict.fromkeys(each.reason for each in self.missed)
        kind = EncodingFailed if self._worth_a_retry else MediaError
        return kind("; ".join(reasons))


def ignored(missed: Iterable[Missed]) -> tuple[Notice, ...]:
    """The warnings of the status that tell of lost outputs."""
    return tuple(Notice(_IGNORED, each.reason, each.tag) for each in missed)
