"""Whose the rows of the support read models are."""

from services.support.projections.business_calendars import business_calendars
from services.support.projections.entitlements import entitlements
from services.support.projections.sla_policies import sla_policies
from services.support.projections.surveys import surveys
from services.support.projections.ticket_messages import ticket_messages
from services.support.projections.tickets import tickets
from shared.chassis.shapes.guard import Guard, Via

__all__ = ["GUARDS"]

_WITH_TICKET = Via(("ticket_id",), (tickets.c.ticket_id,))

GUARDS = (
    Guard(table=tickets, record="ticket", owners=("employee_id",), members=("watchers",)),
    Guard(table=ticket_messages, record="ticket", via=(_WITH_TICKET,)),
    Guard(table=surveys, record="survey", owners=("employee_id",), via=(_WITH_TICKET,)),
    Guard(table=entitlements, record="entitlement"),
    Guard(table=sla_policies, record="sla_policy", everyone=True),
    Guard(table=business_calendars, record="calendar", everyone=True),
)
