"""Promises that come to be at risk are warned of in time."""

from collections.abc import Sequence

from services.support.commands import RaiseSlaRisk
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.support import (
    SlaBreached,
    SlaClock,
    SlaDueSet,
    SlaMet,
    TicketMerged,
    TicketPended,
)

__all__ = ["raise_sla_risk"]


@whenever(SlaDueSet, SlaMet, SlaBreached, TicketPended, TicketMerged)
def raise_sla_risk(
    recorded: Recorded[SlaDueSet | SlaMet | SlaBreached | TicketPended | TicketMerged],
) -> Sequence[Reaction]:
    """Whenever a promise is made, warn when it comes to be at risk, unless it is kept before."""
    ticket_id, fact = recorded.stream_id, recorded.event
    match fact:
        case SlaDueSet(warn_at=warn_at) if warn_at is not None:
            command = RaiseSlaRisk(ticket_id=ticket_id, clock=fact.clock, due_at=fact.due_at)
            return [Later(warn_at, command, f"{ticket_id}/{fact.clock}")]
        case SlaDueSet() | SlaMet() | SlaBreached():
            return [Cancel(f"{ticket_id}/{fact.clock}")]
    return [Cancel(f"{ticket_id}/{clock}") for clock in SlaClock]
