"""Behaviour counts less as time goes by."""

from collections.abc import Sequence
from typing import Any

from services.leads.commands import ScoreLead
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import LeadConverted, LeadDisqualified, LeadScored


@whenever(LeadScored, LeadConverted, LeadDisqualified)
def let_score_fade(recorded: Recorded[Any]) -> Sequence[Reaction]:
    """Whenever a score will fade, score the lead again then, unless it is settled before."""
    lead_id = recorded.stream_id
    match recorded.event:
        case LeadScored(rescore_at=moment) if moment is not None:
            return [Later(moment, ScoreLead(lead_id=lead_id), key=lead_id)]
    return [Cancel(lead_id)]
