"""Resolved tickets that nobody speaks of any more are closed."""

from collections.abc import Sequence
from datetime import timedelta

from services.support.commands import CloseQuietTicket
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.support import (
    TicketClosed,
    TicketMerged,
    TicketReopened,
    TicketResolved,
    TicketStatus,
    TicketUnmerged,
)

__all__ = ["close_quiet_ticket"]

_QUIET_FOR = timedelta(days=7)

Settled = TicketResolved | TicketReopened | TicketClosed | TicketMerged | TicketUnmerged


@whenever(TicketResolved, TicketReopened, TicketClosed, TicketMerged, TicketUnmerged)
def close_quiet_ticket(recorded: Recorded[Settled]) -> Sequence[Reaction]:
    """Whenever a ticket is resolved, close it a week later, unless it is reopened before."""
    if recorded.import_id is not None:
        return []
    ticket_id = recorded.stream_id
    match recorded.event:
        case TicketResolved() | TicketUnmerged(status=TicketStatus.RESOLVED):
            at = recorded.occurred_at + _QUIET_FOR
            return [Later(at, CloseQuietTicket(ticket_id=ticket_id), ticket_id)]
    return [Cancel(ticket_id)]
