"""Idle leads go back to their pool."""

from collections.abc import Sequence
from typing import Any

from services.leads.commands import RecycleLead
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import (
    LeadConverted,
    LeadDisqualified,
    LeadLocked,
    LeadNurtured,
    LeadPooled,
    LeadReleased,
    RecycleScheduled,
)

EXEMPT = (
    LeadConverted,
    LeadDisqualified,
    LeadLocked,
    LeadNurtured,
    LeadPooled,
    LeadReleased,
)


@whenever(RecycleScheduled, *EXEMPT)
def recycle_idle_lead(recorded: Recorded[Any]) -> Sequence[Reaction]:
    """Whenever a lead's time without follow-up is laid down, recycle it then, unless exempted."""
    lead_id = recorded.stream_id
    match recorded.event:
        case RecycleScheduled() as due:
            recycle = RecycleLead(lead_id=lead_id, idle_since=due.idle_since)
            return [Later(due.recycle_at, recycle, key=lead_id)]
    return [Cancel(lead_id)]
