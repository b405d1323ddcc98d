"""Scores follow what is known of a lead."""

from collections.abc import Sequence
from typing import Any

from services.leads.commands import ScoreLead
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import (
    ConversionReverted,
    FollowUpRecorded,
    LeadCaptured,
    LeadProfileChanged,
    LeadReopened,
    StatementMerged,
)


@whenever(
    LeadCaptured,
    StatementMerged,
    LeadProfileChanged,
    FollowUpRecorded,
    LeadReopened,
    ConversionReverted,
)
def score_lead(recorded: Recorded[Any]) -> Sequence[Reaction]:
    """Whenever something new is known of a lead, or it is taken up again, score it."""
    return [ScoreLead(lead_id=recorded.stream_id)]
