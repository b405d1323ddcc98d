"""Whose the rows of the cross-context read models are.

A customer's money, service and activities go with the customer; leads and opportunities are their
owners'. Facts are visible with whatever they concern, unless they happened to a record that is not.
"""

from services.analytics.projections.deals import deals, stage_stays
from services.analytics.projections.leads import leads
from services.analytics.projections.money import (
    balances,
    contracts,
    instalments,
    invoices,
    payments,
)
from services.analytics.projections.people import (
    activities,
    contact_roles,
    contacts,
    customers,
    owner_spells,
)
from services.analytics.projections.service_desk import quotes, ratings, tickets
from shared.chassis.shapes.guard import Guard, Via
from shared.chassis.shapes.history import concerns, facts

__all__ = ["GUARDS"]

_WITH_CUSTOMER = Via(("account_id",), (customers.c.account_id,))
_WITH_LEAD = Via(("lead_id",), (leads.c.lead_id,))
_WITH_DEAL = Via(("opportunity_id",), (deals.c.opportunity_id,))
_OWNED = (customers.c.account_id, leads.c.lead_id, deals.c.opportunity_id)

GUARDS = (
    Guard(table=customers, record="account", owners=("owner_id",), members=("team_ids",)),
    Guard(table=owner_spells, record="account", via=(_WITH_CUSTOMER,)),
    Guard(table=contact_roles, record="contact", via=(_WITH_CUSTOMER,)),
    Guard(
        table=contacts,
        record="contact",
        via=(Via(("contact_id",), (contact_roles.c.contact_id,)),),
    ),
    Guard(
        table=activities,
        record="activity",
        owners=("employee_id",),
        via=(_WITH_CUSTOMER, _WITH_LEAD),
    ),
    Guard(
        table=leads,
        record="lead",
        owners=("owner_id",),
        fields={
            "won_amount": "opportunity.amount",
            "paid_amount": "payment.amount",
            "cost": "follow_up.cost_amount",
        },
    ),
    Guard(table=deals, record="opportunity", owners=("owner_id",), members=("team_ids",)),
    Guard(table=stage_stays, record="opportunity", via=(_WITH_DEAL,)),
    Guard(table=quotes, record="quote", via=(_WITH_DEAL,)),
    Guard(table=contracts, record="contract", owners=("owner_id",), via=(_WITH_CUSTOMER,)),
    Guard(table=instalments, record="instalment", via=(_WITH_CUSTOMER,)),
    Guard(table=invoices, record="invoice", via=(_WITH_CUSTOMER,)),
    Guard(table=payments, record="payment", via=(_WITH_CUSTOMER,)),
    Guard(
        table=balances,
        record="posting",
        via=(_WITH_CUSTOMER,),
        fields={"debit": "posting.amount", "credit": "posting.amount"},
    ),
    Guard(table=tickets, record="ticket", owners=("employee_id",), via=(_WITH_CUSTOMER,)),
    Guard(table=ratings, record="survey", via=(_WITH_CUSTOMER,)),
    Guard(
        table=concerns,
        record="fact",
        via=tuple(Via(("entity_id",), (key,)) for key in (*_OWNED, tickets.c.ticket_id)),
    ),
    Guard(
        table=facts,
        record="fact",
        via=(Via(("context", "position"), (concerns.c.context, concerns.c.position)),),
        withheld=tuple(Via(("stream_id",), (key,)) for key in _OWNED),
    ),
)
