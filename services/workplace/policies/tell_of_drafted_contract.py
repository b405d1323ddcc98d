"""Owners hear of the contracts that wait for them."""

from collections.abc import Sequence

from services.workplace.domain.telling import tell
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.billing import ContractDrafted

__all__ = ["tell_of_drafted_contract"]


@whenever(ContractDrafted)
def tell_of_drafted_contract(recorded: Recorded[ContractDrafted]) -> Sequence[Reaction]:
    """Whenever a contract is drafted, tell its owner."""
    contract = recorded.event
    return tell(
        recorded,
        contract.owner_id,
        "contract_drafted",
        f"Contract {contract.number} was drafted",
        about=("contract", recorded.stream_id),
        number=contract.number,
        total=contract.total,
    )
