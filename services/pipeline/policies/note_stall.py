"""Deals that stand still are noted."""

from services.pipeline.commands import NoteStall
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.pipeline import (
    OpportunityLost,
    OpportunityOpened,
    OpportunityReopened,
    OpportunityWithdrawn,
    OpportunityWon,
    StageMoved,
)

__all__ = ["note_stall"]

Entry = OpportunityOpened | StageMoved | OpportunityReopened


@whenever(
    OpportunityOpened,
    StageMoved,
    OpportunityReopened,
    OpportunityWon,
    OpportunityLost,
    OpportunityWithdrawn,
)
def note_stall(
    recorded: Recorded[Entry | OpportunityWon | OpportunityLost | OpportunityWithdrawn],
) -> list[Reaction]:
    """Whenever a deal enters a stage, note it as stalled unless it has left when its time is up."""
    match recorded.event:
        case OpportunityOpened() as entry:
            return [_wait(recorded.stream_id, entry, entry.stage)]
        case StageMoved() | OpportunityReopened() as entry:
            return [_wait(recorded.stream_id, entry, entry.to_stage)]
    return [Cancel(recorded.stream_id)]


def _wait(opportunity_id: str, entry: Entry, stage: str) -> Reaction:
    if entry.stalls_at is None:
        return Cancel(opportunity_id)
    stall = NoteStall(opportunity_id=opportunity_id, stage=stage, entered_at=entry.entered_at)
    return Later(entry.stalls_at, stall, opportunity_id)
