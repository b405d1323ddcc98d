"""New leads find an owner or a pool."""

from collections.abc import Sequence

from services.leads.commands import AssignNext
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import LeadCaptured


@whenever(LeadCaptured)
def assign_new_lead(recorded: Recorded[LeadCaptured]) -> Sequence[Reaction]:
    """Whenever a lead is captured, assign it by the rules; an import says itself who has it."""
    if recorded.import_id is not None:
        return []
    return [AssignNext(lead_id=recorded.stream_id)]
