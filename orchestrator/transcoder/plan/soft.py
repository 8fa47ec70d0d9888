"""``allow_soft_fail``: an output that can't be planned is left out where it may fail."""

from orchestrator.query import EncodeQuery
from orchestrator.transcoder.plan.compiler import compile_plan
from orchestrator.transcoder.plan.context import Means, places_of
from orchestrator.transcoder.plan.material import Material
from orchestrator.transcoder.plan.steps import Plan
from orchestrator.transcoder.ports import MediaError, Missed


def compile_softly(
    query: EncodeQuery, material: Material, means: Means
) -> tuple[Plan, tuple[Missed, ...]]:
    """``compile_plan``, without the outputs that may fail and do.

    Raises ``MediaError`` where another fails, or none would be left.
    """
    try:
        return compile_plan(query, material, means), ()
    except MediaError:
        missed = tuple(_alone(query, material, means))
        if not missed or len(missed) == len(query.format):
            raise
        without = frozenset(each.format_index for each in missed)
        return compile_plan(query, material, means, without), missed


def _alone(query: EncodeQuery, material: Material, means: Means) -> list[Missed]:
    """The outputs that may fail, and fail even if they are the only ones."""
    everything = frozenset(range(len(query.format)))
    missed: list[Missed] = []
    for place in places_of(query):
        if not place.asked.allow_soft_fail:
            continue
        try:
            compile_plan(query, material, means, everything - {place.index})
        except MediaError as error:
            missed.append(Missed(place.tag, place.index, str(error)))
    return missed
