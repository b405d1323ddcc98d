"""What the workplace is made of."""

from services.workplace.application import WorkplaceApplication
from services.workplace.policies.carry_out_departure import carry_out_departure
from services.workplace.policies.carry_out_move import carry_out_move
from services.workplace.policies.remind_of_activity import remind_of_activity
from services.workplace.policies.remind_of_follow_up import remind_of_follow_up
from services.workplace.policies.tell_of_accepted_quote import tell_of_accepted_quote
from services.workplace.policies.tell_of_assigned_lead import tell_of_assigned_lead
from services.workplace.policies.tell_of_assigned_ticket import tell_of_assigned_ticket
from services.workplace.policies.tell_of_broken_promise import tell_of_broken_promise
from services.workplace.policies.tell_of_drafted_contract import tell_of_drafted_contract
from services.workplace.policies.tell_of_low_rating import tell_of_low_rating
from services.workplace.policies.tell_of_overdue_instalment import tell_of_overdue_instalment
from services.workplace.policies.tell_of_recycled_lead import tell_of_recycled_lead
from services.workplace.policies.warn_of_recycling import warn_of_recycling
from services.workplace.projections.employees import Employees, get_employee, list_employees
from services.workplace.projections.inbox import Inbox, list_inbox
from services.workplace.projections.roles import Roles, get_role, list_roles
from services.workplace.projections.units import Units, get_unit, list_units
from services.workplace.visibility import GUARDS
from shared.chassis.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="workplace",
    description="The organisation, its staff and their roles, and everybody's inbox.",
    application=WorkplaceApplication,
    policies=(
        carry_out_move,
        carry_out_departure,
        tell_of_assigned_lead,
        warn_of_recycling,
        tell_of_recycled_lead,
        remind_of_follow_up,
        remind_of_activity,
        tell_of_accepted_quote,
        tell_of_drafted_contract,
        tell_of_overdue_instalment,
        tell_of_assigned_ticket,
        tell_of_broken_promise,
        tell_of_low_rating,
    ),
    projections=(Units, Employees, Roles, Inbox),
    questions=(
        get_unit,
        list_units,
        get_employee,
        list_employees,
        get_role,
        list_roles,
        list_inbox,
    ),
    guards=GUARDS,
)
