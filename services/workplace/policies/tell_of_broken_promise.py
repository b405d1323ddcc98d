"""Handlers hear of promises that are broken or nearly so."""

from collections.abc import Sequence

from services.workplace.domain.telling import tell
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.support import SlaBreached, SlaRiskRaised

__all__ = ["tell_of_broken_promise"]


@whenever(SlaRiskRaised, SlaBreached)
def tell_of_broken_promise(
    recorded: Recorded[SlaRiskRaised | SlaBreached],
) -> Sequence[Reaction]:
    """Whenever a ticket is late or nearly so, tell its handler."""
    fact = recorded.event
    late = isinstance(fact, SlaBreached)
    return tell(
        recorded,
        fact.employee_id,
        "sla_breached" if late else "sla_at_risk",
        f"The {fact.clock} time of a ticket {'is over' if late else 'is nearly over'}",
        about=("ticket", recorded.stream_id),
        clock=fact.clock,
        due_at=fact.due_at.isoformat() if fact.due_at else None,
    )
