"""Promises that are not kept in time are breached."""

from collections.abc import Sequence

from services.support.commands import BreachSla
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

__all__ = ["breach_sla"]


@whenever(SlaDueSet, SlaMet, SlaBreached, TicketPended, TicketMerged)
def breach_sla(
    recorded: Recorded[SlaDueSet | SlaMet | SlaBreached | TicketPended | TicketMerged],
) -> Sequence[Reaction]:
    """Whenever a promise is made, note its breach when its time is over, unless it is kept."""
    ticket_id, fact = recorded.stream_id, recorded.event
    match fact:
        case SlaDueSet():
            command = BreachSla(ticket_id=ticket_id, clock=fact.clock, due_at=fact.due_at)
            return [Later(fact.due_at, command, f"{ticket_id}/{fact.clock}")]
        case SlaMet() | SlaBreached():
            return [Cancel(f"{ticket_id}/{fact.clock}")]
    return [Cancel(f"{ticket_id}/{clock}") for clock in SlaClock]
