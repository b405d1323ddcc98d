"""What the leads service is made of."""

from services.leads.application import LeadsApplication
from services.leads.policies.assign_new_lead import assign_new_lead
from services.leads.policies.let_score_fade import let_score_fade
from services.leads.policies.recycle_idle_lead import recycle_idle_lead
from services.leads.policies.score_lead import score_lead
from services.leads.policies.warn_of_recycling import warn_of_recycling
from services.leads.projections.claim_books import Holdings, list_holdings
from services.leads.projections.customer_payments import CustomerPayments
from services.leads.projections.follow_up_list import (
    FollowUpList,
    list_follow_ups,
    list_lead_follow_ups,
)
from services.leads.projections.known_customers import CustomerAddresses, KnownCustomers
from services.leads.projections.lead_list import (
    LeadList,
    get_lead,
    list_leads,
    list_pool_leads,
)
from services.leads.projections.pool_list import PoolList, get_pool, list_pools
from services.leads.projections.rules_in_force import (
    RulesInForce,
    get_assignment_rules,
    get_duplicate_rules,
    get_scoring_rules,
)
from services.leads.visibility import GUARDS
from shared.chassis.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="leads",
    description="Leads before there is a customer: captured, claimed, followed up, settled.",
    application=LeadsApplication,
    policies=(
        assign_new_lead,
        score_lead,
        let_score_fade,
        warn_of_recycling,
        recycle_idle_lead,
    ),
    projections=(
        LeadList,
        PoolList,
        FollowUpList,
        Holdings,
        RulesInForce,
        KnownCustomers,
        CustomerAddresses,
        CustomerPayments,
    ),
    questions=(
        get_lead,
        list_leads,
        list_pool_leads,
        get_pool,
        list_pools,
        list_follow_ups,
        list_lead_follow_ups,
        list_holdings,
        get_duplicate_rules,
        get_scoring_rules,
        get_assignment_rules,
    ),
    guards=GUARDS,
)
