"""Owners learn in time that an idle lead will leave them."""

from collections.abc import Sequence
from typing import Any

from services.leads.commands import WarnOfRecycling
from services.leads.policies.recycle_idle_lead import EXEMPT
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import RecycleScheduled


@whenever(RecycleScheduled, *EXEMPT)
def warn_of_recycling(recorded: Recorded[Any]) -> Sequence[Reaction]:
    """Whenever a lead is to be recycled, warn its owner as long before as the pool's rules say."""
    lead_id = recorded.stream_id
    match recorded.event:
        case RecycleScheduled(warn_at=moment) as due if moment is not None:
            warn = WarnOfRecycling(lead_id=lead_id, idle_since=due.idle_since)
            return [Later(moment, warn, key=lead_id)]
    return [Cancel(lead_id)]
