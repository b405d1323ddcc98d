"""A bounced payment may leave a debt that is overdue at once."""

from typing import Any

from services.billing.commands import NoteInstalmentDue
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.billing import InstalmentReopened

__all__ = ["note_reopened_instalments"]


@whenever(InstalmentReopened)
def note_reopened_instalments(recorded: Recorded[Any]) -> list[Reaction]:
    """Whenever an instalment is open again, look whether it is overdue."""
    event: InstalmentReopened = recorded.event
    return [NoteInstalmentDue(contract_id=event.contract_id, instalment_id=event.instalment_id)]
