"""Behaviour counts less as time goes by."""

from collections.abc import Sequence

from services.leads.commands import ScoreLead
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import LeadScored


@whenever(LeadScored)
def let_score_fade(recorded: Recorded[LeadScored]) -> Sequence[Reaction]:
    """Whenever a score will fade, score the lead again then."""
    lead_id, moment = recorded.stream_id, recorded.event.rescore_at
    if moment is None:
        return [Cancel(lead_id)]
    return [Later(moment, ScoreLead(lead_id=lead_id), key=lead_id)]
