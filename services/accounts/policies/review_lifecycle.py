"""A customer who stays silent is reviewed."""

from services.accounts.commands import ReviewLifecycle
from services.accounts.domain.customer_deals import LOST_AFTER, RESTS_AFTER
from shared.chassis.shapes import Later, Reaction, whenever
from shared.events.accounts import DealCounted
from shared.events.base import Recorded

__all__ = ["review_lifecycle"]


@whenever(DealCounted)
def review_lifecycle(recorded: Recorded[DealCounted]) -> list[Reaction]:
    """Whenever a deal is counted, see after a year and after two whether another one followed."""
    deal = recorded.event
    review = ReviewLifecycle(account_id=deal.account_id)
    return [
        Later(deal.made_at + silence, review, f"{recorded.event_id}:{silence.days}")
        for silence in (RESTS_AFTER, LOST_AFTER)
    ]
