"""Whose the rows of the workplace's read models are: the staff directory is everybody's."""

from services.workplace.projections.employees import employees
from services.workplace.projections.inbox import inbox
from services.workplace.projections.roles import roles
from services.workplace.projections.units import units
from shared.chassis.shapes.guard import Guard

__all__ = ["GUARDS"]

GUARDS = (
    Guard(table=employees, record="employee", everyone=True),
    Guard(table=units, record="unit", everyone=True),
    Guard(table=roles, record="role", everyone=True),
    Guard(table=inbox, record="notification", owners=("recipient_id",)),
)
