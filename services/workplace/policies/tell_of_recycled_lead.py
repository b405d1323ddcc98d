"""Owners hear of the leads they lost."""

from collections.abc import Sequence

from services.workplace.domain.telling import tell
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import LeadRecycled

__all__ = ["tell_of_recycled_lead"]


@whenever(LeadRecycled)
def tell_of_recycled_lead(recorded: Recorded[LeadRecycled]) -> Sequence[Reaction]:
    """Whenever an idle lead goes back to the pool, tell who lost it."""
    recycled = recorded.event
    return tell(
        recorded,
        recycled.owner_id,
        "lead_recycled",
        "An idle lead of yours went back to the pool",
        about=("lead", recorded.stream_id),
        pool_id=recycled.pool_id,
        idle_days=recycled.idle_days,
    )
