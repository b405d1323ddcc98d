"""What the analytics service is made of: read models over every context's facts, no commands."""

from services.analytics.projections.customer import get_customer360, list_timeline
from services.analytics.projections.deals import Deals, StageStays
from services.analytics.projections.funnel import get_funnel, list_channels
from services.analytics.projections.leads import Leads
from services.analytics.projections.money import (
    Balances,
    Contracts,
    Instalments,
    Invoices,
    Payments,
    get_ledger_account,
    get_trial_balance,
)
from services.analytics.projections.people import (
    Activities,
    ContactRoles,
    Contacts,
    Customers,
    OwnerSpells,
)
from services.analytics.projections.service_desk import Quotes, Ratings, Tickets
from services.analytics.visibility import GUARDS
from shared.chassis.service import Service
from shared.chassis.shapes.history import Concerns, Facts

SERVICE = Service(
    name="analytics",
    description="Cross-context read models: customer 360, timeline, funnel, channels, ledger.",
    projections=(
        Facts,
        Concerns,
        Customers,
        Contacts,
        ContactRoles,
        OwnerSpells,
        Activities,
        Leads,
        Deals,
        StageStays,
        Quotes,
        Contracts,
        Instalments,
        Invoices,
        Payments,
        Balances,
        Tickets,
        Ratings,
    ),
    questions=(
        get_customer360,
        list_timeline,
        get_funnel,
        list_channels,
        get_ledger_account,
        get_trial_balance,
    ),
    guards=GUARDS,
)
