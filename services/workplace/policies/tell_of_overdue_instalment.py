"""Owners hear of customers who do not pay."""

from collections.abc import Sequence

from services.workplace.domain.telling import tell
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.billing import InstalmentFellOverdue

__all__ = ["tell_of_overdue_instalment"]


@whenever(InstalmentFellOverdue)
def tell_of_overdue_instalment(recorded: Recorded[InstalmentFellOverdue]) -> Sequence[Reaction]:
    """Whenever an instalment falls overdue, tell the owner of the contract."""
    overdue = recorded.event
    return tell(
        recorded,
        overdue.owner_id,
        "instalment_overdue",
        f"An instalment of {overdue.outstanding} is overdue",
        about=("contract", overdue.contract_id),
        instalment_id=overdue.instalment_id,
        due_on=overdue.due_on,
        outstanding=overdue.outstanding,
    )
