"""A deal that turns out to be none no longer counts."""

from services.accounts.commands import UncountDeal
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.pipeline import OpportunityReopened, OpportunityWithdrawn

__all__ = ["uncount_deal"]


@whenever(OpportunityReopened, OpportunityWithdrawn)
def uncount_deal(
    recorded: Recorded[OpportunityReopened | OpportunityWithdrawn],
) -> list[Reaction]:
    """Whenever an opportunity is taken up again or withdrawn, stop counting it as a deal."""
    account_id = recorded.event.account_id
    if account_id is None:
        return []
    return [UncountDeal(account_id=account_id, opportunity_id=recorded.stream_id)]
