"""The workplace's facts with sensible defaults, and other contexts' that it listens to."""

from datetime import date, datetime
from typing import Any

from shared.chassis.testing import NOON
from shared.events.workplace import (
    EmployeeJoined,
    NotificationSent,
    RoleDefined,
    UnitClosed,
    UnitCreated,
)

UNIT, LI, WU = "unit-1", "emp-li", "emp-wu"
TODAY = NOON.date()


def unit_created(**over: Any) -> UnitCreated:
    return UnitCreated.model_validate({"name": "华东销售"} | over)


def unit_closed(**over: Any) -> UnitClosed:
    return UnitClosed.model_validate({"effective_on": TODAY} | over)


def employee_joined(**over: Any) -> EmployeeJoined:
    values = {"name": "李伟", "joined_on": date(2025, 1, 1), "unit_id": UNIT}
    return EmployeeJoined.model_validate(values | over)


def role_defined(**over: Any) -> RoleDefined:
    values = {"role": "scout", "role_version": 1, "title": "Scout", "rights": ("leads.List*",)}
    return RoleDefined.model_validate(values | over)


def notification_sent(**over: Any) -> NotificationSent:
    values = {
        "recipient_id": LI,
        "kind": "lead_assigned",
        "about_kind": "lead",
        "about_id": "lead-1",
        "title": "A lead was assigned to you",
    }
    return NotificationSent.model_validate(values | over)


def day(number: int) -> date:
    """A day of the month in which tests take place; today is the second."""
    return TODAY.replace(day=number)


def noon(number: int) -> datetime:
    """Noon of such a day."""
    return NOON.replace(day=number)
