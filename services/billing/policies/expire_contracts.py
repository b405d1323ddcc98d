"""A term runs out."""

from typing import Any

from services.billing.commands import ExpireContract
from services.billing.domain.calendar import day_end
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.billing import ContractActivated, ContractAmended

__all__ = ["expire_contracts"]


@whenever(ContractActivated, ContractAmended)
def expire_contracts(recorded: Recorded[Any]) -> list[Reaction]:
    """Whenever a running contract has a last day, end it when that day is over."""
    event: ContractActivated | ContractAmended = recorded.event
    contract_id = recorded.stream_id
    if event.ends_on is None:
        return [Cancel(contract_id)]
    over = day_end(event.ends_on, event.time_zone)
    return [Later(over, ExpireContract(contract_id=contract_id), contract_id)]
