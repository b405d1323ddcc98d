"""Handlers hear of the tickets they are given."""

from collections.abc import Sequence

from services.workplace.domain.telling import tell
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.support import TicketAssigned

__all__ = ["tell_of_assigned_ticket"]


@whenever(TicketAssigned)
def tell_of_assigned_ticket(recorded: Recorded[TicketAssigned]) -> Sequence[Reaction]:
    """Whenever a ticket is given to somebody, tell them."""
    return tell(
        recorded,
        recorded.event.employee_id,
        "ticket_assigned",
        "A ticket was assigned to you",
        about=("ticket", recorded.stream_id),
    )
