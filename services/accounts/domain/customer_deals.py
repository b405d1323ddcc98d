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
    contracts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The deal that each contract belongs to."""

    @staticmethod
    def stream_of(account_id: str) -> str:
        return f"{account_id}.deals"

    def count(self, command: CountDeal) -> list[Event]:
        deal = _deal(command.opportunity_id, command.contract_id)
        if deal in self.made_at and command.contract_id in {None, *self.contracts}:
            return []
        return [
            DealCounted(
                account_id=command.account_id,
                opportunity_id=command.opportunity_id,
                contract_id=command.contract_id,
                made_at=self.made_at.get(deal, command.at),
            )
        ]

    def uncount(self, command: UncountDeal) -> list[Event]:
        deal = command.opportunity_id
        if deal not in self.made_at or deal in self.contracts.values():
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
        state = state or CustomerDeals()
        made_at, contracts = dict(state.made_at), dict(state.contracts)
        deal = _deal(event.opportunity_id, event.contract_id)
        match event:
            case DealCounted():
                made_at[deal] = event.made_at
                if event.contract_id is not None:
                    contracts[event.contract_id] = deal
            case DealUncounted():
                made_at.pop(deal, None)
                contracts = {one: of for one, of in contracts.items() if of != deal}
        return CustomerDeals(
            made_at=MappingProxyType(made_at), contracts=MappingProxyType(contracts)
        )


def _deal(opportunity_id: str | None, contract_id: str | None) -> str:
    return opportunity_id or contract_id or ""
