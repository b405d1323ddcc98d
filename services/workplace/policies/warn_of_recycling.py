"""Owners are warned before they lose an idle lead."""

from collections.abc import Sequence

from services.workplace.domain.telling import tell
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import RecycleWarned

__all__ = ["warn_of_recycling"]


@whenever(RecycleWarned)
def warn_of_recycling(recorded: Recorded[RecycleWarned]) -> Sequence[Reaction]:
    """Whenever a lead is about to go back to the pool, warn its owner."""
    warned = recorded.event
    return tell(
        recorded,
        warned.owner_id,
        "recycle_warned",
        "An idle lead of yours will go back to the pool",
        about=("lead", recorded.stream_id),
        recycle_at=warned.recycle_at.isoformat(),
        idle_days=warned.idle_days,
    )
