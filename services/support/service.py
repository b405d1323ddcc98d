"""What support is made of."""

from services.support.application import SupportApplication
from services.support.policies.breach_sla import breach_sla
from services.support.policies.close_quiet_ticket import close_quiet_ticket
from services.support.policies.end_entitlement import end_entitlement
from services.support.policies.expire_survey import expire_survey
from services.support.policies.follow_up_low_rating import follow_up_low_rating
from services.support.policies.grant_entitlement import grant_entitlement
from services.support.policies.raise_sla_risk import raise_sla_risk
from services.support.projections.business_calendars import (
    BusinessCalendars,
    get_business_calendar,
    list_business_calendars,
)
from services.support.projections.entitlements import Entitlements, list_entitlements
from services.support.projections.sla_policies import (
    SlaPolicies,
    get_sla_policy,
    list_sla_policies,
)
from services.support.projections.surveys import Surveys, list_surveys
from services.support.projections.ticket_messages import TicketMessages
from services.support.projections.tickets import Tickets, get_ticket, list_tickets
from services.support.visibility import GUARDS
from shared.chassis.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="support",
    description="Tickets, the service promised for them, and what customers thought of it.",
    application=SupportApplication,
    policies=(
        grant_entitlement,
        end_entitlement,
        raise_sla_risk,
        breach_sla,
        close_quiet_ticket,
        expire_survey,
        follow_up_low_rating,
    ),
    projections=(Tickets, TicketMessages, Surveys, Entitlements, SlaPolicies, BusinessCalendars),
    questions=(
        get_ticket,
        list_tickets,
        list_surveys,
        list_entitlements,
        get_sla_policy,
        list_sla_policies,
        get_business_calendar,
        list_business_calendars,
    ),
    guards=GUARDS,
)
