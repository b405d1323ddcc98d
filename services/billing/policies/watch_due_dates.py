"""What falls due is noticed on its day."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from services.billing.commands import NoteInstalmentDue
from services.billing.domain.calendar import day_end, day_start
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.billing import InstalmentScheduled, PaymentPlanAgreed, PaymentPlanRevised

__all__ = ["watch_due_dates"]

IMPORT_GRACE = timedelta(days=1)
"""How long an import may take to bring the payments of the plans it brought."""


@whenever(PaymentPlanAgreed, PaymentPlanRevised, InstalmentScheduled)
def watch_due_dates(recorded: Recorded[Any]) -> list[Reaction]:
    """Whenever an instalment has a due date, look at it as that day begins and as it ends."""
    event = recorded.event
    if isinstance(event, InstalmentScheduled):
        return list(_watched(recorded, event.instalment_id, event.due_on))
    reactions: list[Reaction] = []
    if isinstance(event, PaymentPlanRevised):
        for instalment_id in event.dropped_ids:
            reactions += [Cancel(f"due:{instalment_id}"), Cancel(f"overdue:{instalment_id}")]
    for instalment in event.instalments:
        reactions += _watched(recorded, instalment.instalment_id, instalment.due_on)
    return reactions


def _watched(
    recorded: Recorded[Any], instalment_id: str, due_on: date | None
) -> Iterator[Reaction]:
    if due_on is None:
        return
    note = NoteInstalmentDue(contract_id=recorded.event.contract_id, instalment_id=instalment_id)
    over = day_end(due_on, recorded.event.time_zone)
    if recorded.import_id is not None:
        over = max(over, recorded.recorded_at + IMPORT_GRACE)
    elif recorded.occurred_at < over:
        yield Later(day_start(due_on, recorded.event.time_zone), note, f"due:{instalment_id}")
    yield Later(over, note, f"overdue:{instalment_id}")
