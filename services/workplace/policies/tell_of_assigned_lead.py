"""Owners hear of the leads they are given."""

from collections.abc import Sequence

from services.workplace.domain.telling import tell
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import LeadAssigned

__all__ = ["tell_of_assigned_lead"]


@whenever(LeadAssigned)
def tell_of_assigned_lead(recorded: Recorded[LeadAssigned]) -> Sequence[Reaction]:
    """Whenever a lead is given to somebody, tell them."""
    return tell(
        recorded,
        recorded.event.owner_id,
        "lead_assigned",
        "A lead was assigned to you",
        about=("lead", recorded.stream_id),
        method=recorded.event.method,
    )
