"""What a customer has bought, and how far that brings the relation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from services.accounts.commands import CountDeal, UncountDeal
from shared.events.accounts import CustomerDealsFact, DealCounted, DealUncounted, Lifecycle
from shared.events.base import Event

__all__ = ["LOST_AFTER", "RESTS_AFTER", "CustomerDeals"]

RESTS_AFTER = timedelta(days=365)
LOST_AFTER = timedelta(days=730)


@dataclass(frozen=True, kw_only=True)
class CustomerDeals:
    """The deals made with a customer: a won opportunity and its contract are one deal."""

    made_at: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))

    @staticmethod
    def stream_of(account_id: str) -> str:
        return f"{account_id}.deals"

    def count(self, command: CountDeal) -> list[Event]:
        if _deal(command.opportunity_id, command.contract_id) in self.made_at:
            return []
        return [
            DealCounted(
                account_id=command.account_id,
                opportunity_id=command.opportunity_id,
                contract_id=command.contract_id,
                made_at=command.at,
            )
        ]

    def uncount(self, command: UncountDeal) -> list[Event]:
        if command.opportunity_id not in self.made_at:
            return []
        return [DealUncounted(account_id=command.account_id, opportunity_id=command.opportunity_id)]

    def lifecycle(self, at: datetime) -> Lifecycle:
        """Return how far the relation has come by then."""
        if not self.made_at:
            return Lifecycle.POTENTIAL
        last = max(self.made_at.values())
        silence = at - last
        if silence >= LOST_AFTER:
            return Lifecycle.LOST
        if silence >= RESTS_AFTER:
            return Lifecycle.DORMANT
        return Lifecycle.SIGNED if len(self.made_at) == 1 else Lifecycle.REPURCHASING

    @staticmethod
    def evolve(state: "CustomerDeals | None", event: Event) -> "CustomerDeals | None":
        if not isinstance(event, CustomerDealsFact):
            return state
        made_at = dict(state.made_at) if state else {}
        deal = _deal(event.opportunity_id, event.contract_id)
        match event:
            case DealCounted():
                made_at[deal] = event.made_at
            case DealUncounted():
                made_at.pop(deal, None)
        return CustomerDeals(made_at=MappingProxyType(made_at))


def _deal(opportunity_id: str | None, contract_id: str | None) -> str:
    return opportunity_id or contract_id or ""
