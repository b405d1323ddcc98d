"""Scores follow what is known of a lead."""

from collections.abc import Sequence
from typing import Any

from services.leads.commands import ScoreLead
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import (
    FollowUpRecorded,
    LeadCaptured,
    LeadProfileChanged,
    StatementMerged,
)


@whenever(LeadCaptured, StatementMerged, LeadProfileChanged, FollowUpRecorded)
def score_lead(recorded: Recorded[Any]) -> Sequence[Reaction]:
    """Whenever something new is known of a lead, score it."""
    return [ScoreLead(lead_id=recorded.stream_id)]
