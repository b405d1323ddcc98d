"""Planned departures happen when the last day is over."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from services.workplace.commands import CarryOutDeparture
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.workplace import DepartureScheduled, EmployeeLeft

__all__ = ["carry_out_departure"]


@whenever(DepartureScheduled, EmployeeLeft)
def carry_out_departure(
    recorded: Recorded[DepartureScheduled | EmployeeLeft],
) -> Sequence[Reaction]:
    """Whenever a departure is planned, let the employee go at the end of the last day."""
    employee_id = recorded.stream_id
    match recorded.event:
        case DepartureScheduled(left_on=left_on, reason=reason):
            command = CarryOutDeparture(employee_id=employee_id, left_on=left_on, reason=reason)
            over = datetime.combine(left_on + timedelta(days=1), time(0), UTC)
            return [Later(over, command, employee_id)]
    return [Cancel(employee_id)]
