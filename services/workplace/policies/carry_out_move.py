"""Planned moves happen on their day."""

from collections.abc import Sequence
from datetime import UTC, datetime, time

from services.workplace.commands import CarryOutMove
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.workplace import EmployeeLeft, MoveScheduled

__all__ = ["carry_out_move"]


@whenever(MoveScheduled, EmployeeLeft)
def carry_out_move(recorded: Recorded[MoveScheduled | EmployeeLeft]) -> Sequence[Reaction]:
    """Whenever a move is planned, carry it out when its day begins."""
    employee_id = recorded.stream_id
    match recorded.event:
        case MoveScheduled() as move:
            command = CarryOutMove(employee_id=employee_id, **move.model_dump())
            begins = datetime.combine(move.effective_on, time(0), UTC)
            return [Later(begins, command, employee_id)]
    return [Cancel(employee_id)]
