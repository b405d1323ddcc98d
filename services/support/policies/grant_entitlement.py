"""Entitlements come from contracts in force."""

from collections.abc import Sequence

from services.support.commands import GrantEntitlement
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.billing import ContractActivated, ContractAmended

__all__ = ["grant_entitlement"]


@whenever(ContractActivated, ContractAmended)
def grant_entitlement(
    recorded: Recorded[ContractActivated | ContractAmended],
) -> Sequence[Reaction]:
    """Whenever a contract is in force, its customer is entitled to the service it names."""
    contract = recorded.event
    if contract.starts_on is None:
        return []
    return [
        GrantEntitlement(
            account_id=contract.account_id,
            contract_id=recorded.stream_id,
            sla_policy_id=contract.sla_policy_id,
            starts_on=contract.starts_on,
            ends_on=contract.ends_on,
            time_zone=contract.time_zone,
            is_amended=isinstance(contract, ContractAmended),
        )
    ]
