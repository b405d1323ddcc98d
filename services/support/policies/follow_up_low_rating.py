"""Dissatisfied customers are called back."""

from collections.abc import Sequence

from services.support.commands import OpenTicket
from shared.chassis.shapes import Reaction, derived, whenever
from shared.events.base import Recorded
from shared.events.support import Priority, RatingGiven, TicketKind

__all__ = ["follow_up_low_rating"]


@whenever(RatingGiven)
def follow_up_low_rating(recorded: Recorded[RatingGiven]) -> Sequence[Reaction]:
    """Whenever a customer gives a low score, open a ticket to make it good."""
    rating = recorded.event
    if not rating.is_low or recorded.import_id is not None:
        return []
    return [
        OpenTicket(
            ticket_id=derived(recorded, "follow_up"),
            kind=TicketKind.COMPLAINT,
            channel="survey",
            priority=Priority.HIGH,
            subject=f"Low rating: {rating.score} of 5",
            account_id=rating.account_id,
            contact_id=rating.contact_id,
            parent_id=rating.ticket_id,
        )
    ]
