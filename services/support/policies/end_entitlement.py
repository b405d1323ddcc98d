"""Entitlements end with the contract."""

from collections.abc import Sequence

from services.support.commands import EndEntitlement
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.billing import (
    ContractExpired,
    ContractFulfilled,
    ContractTerminated,
    ContractWithdrawn,
)

__all__ = ["end_entitlement"]

Ended = ContractTerminated | ContractExpired | ContractFulfilled | ContractWithdrawn


@whenever(ContractTerminated, ContractExpired, ContractFulfilled, ContractWithdrawn)
def end_entitlement(recorded: Recorded[Ended]) -> Sequence[Reaction]:
    """Whenever a contract is no longer in force, what it entitled to ends."""
    contract = recorded.event
    on = recorded.occurred_at.date() if isinstance(contract, ContractWithdrawn) else contract.on
    reason = _REASONS[type(contract)]
    return [
        EndEntitlement(
            account_id=contract.account_id, contract_id=recorded.stream_id, on=on, reason=reason
        )
    ]


_REASONS: dict[type[Ended], str] = {
    ContractTerminated: "contract terminated",
    ContractExpired: "contract expired",
    ContractFulfilled: "contract fulfilled",
    ContractWithdrawn: "contract withdrawn",
}
