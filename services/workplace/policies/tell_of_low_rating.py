"""Handlers hear of dissatisfied customers."""

from collections.abc import Sequence

from services.workplace.domain.telling import tell
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.support import RatingGiven

__all__ = ["tell_of_low_rating"]


@whenever(RatingGiven)
def tell_of_low_rating(recorded: Recorded[RatingGiven]) -> Sequence[Reaction]:
    """Whenever a customer gives a low score, tell who handled the ticket."""
    rating = recorded.event
    if not rating.is_low or rating.ticket_id is None:
        return []
    return tell(
        recorded,
        rating.employee_id,
        "low_rating",
        f"A ticket of yours was rated {rating.score}",
        about=("ticket", rating.ticket_id),
        score=rating.score,
    )
