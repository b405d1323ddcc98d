"""Deals count towards the customer's lifecycle."""

from services.accounts.commands import CountDeal
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.billing import ContractActivated
from shared.events.pipeline import OpportunityWon

__all__ = ["count_deal"]


@whenever(OpportunityWon, ContractActivated)
def count_deal(recorded: Recorded[OpportunityWon | ContractActivated]) -> list[Reaction]:
    """Whenever an opportunity is won or a contract comes into force, count the deal once."""
    match recorded.event:
        case OpportunityWon(account_id=str(account_id)):
            return [CountDeal(account_id=account_id, opportunity_id=recorded.stream_id)]
        case ContractActivated(account_id=account_id, opportunity_id=opportunity_id):
            return [
                CountDeal(
                    account_id=account_id,
                    opportunity_id=opportunity_id,
                    contract_id=recorded.stream_id,
                )
            ]
    return []
