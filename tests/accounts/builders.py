"""Facts as they usually are, for the tests of accounts."""

from datetime import timedelta
from typing import Any

from shared.chassis.testing import NOON
from shared.events.accounts import (
    AccountOpened,
    ActivityDone,
    ActivityPlanned,
    ContactAdded,
    DealCounted,
    TeamAccess,
    TeamMemberAdded,
)
from shared.events.billing import ContractActivated
from shared.events.leads import CarriedFollowUp, ConversionReverted, LeadConverted
from shared.events.pipeline import ForecastCategory, OpportunityReopened, OpportunityWon
from shared.events.values import Money

ACCOUNT = "account-1"
CONTACT = "contact-1"
ACTIVITY = "activity-1"
LEAD = "lead-1"
OPPORTUNITY = "opportunity-1"
DEALS = f"{ACCOUNT}.deals"


def account_opened(**fields: Any) -> AccountOpened:
    return AccountOpened(**{"name": "王府井百货", "owner_id": "lin", **fields})


def contact_added(**fields: Any) -> ContactAdded:
    return ContactAdded(**{"name": "王小明", "account_id": ACCOUNT, **fields})


def team_member_added(**fields: Any) -> TeamMemberAdded:
    return TeamMemberAdded(**{"employee_id": "mei", "access": TeamAccess.READ, **fields})


def activity_planned(**fields: Any) -> ActivityPlanned:
    usual = {
        "account_id": ACCOUNT,
        "employee_id": "lin",
        "method": "visit",
        "due_at": NOON + timedelta(days=2),
    }
    return ActivityPlanned(**{**usual, **fields})


def activity_done(**fields: Any) -> ActivityDone:
    usual = {"account_id": ACCOUNT, "employee_id": "lin", "method": "visit"}
    return ActivityDone(**{**usual, **fields})


def deal_counted(**fields: Any) -> DealCounted:
    usual = {"account_id": ACCOUNT, "opportunity_id": OPPORTUNITY, "made_at": NOON}
    return DealCounted(**{**usual, **fields})


def carried_follow_up(**fields: Any) -> CarriedFollowUp:
    usual = {
        "follow_up_id": "follow-up-1",
        "employee_id": "lin",
        "method": "call",
        "at": NOON - timedelta(days=3),
        "content": "问了价格",
    }
    return CarriedFollowUp(**{**usual, **fields})


def lead_converted(**fields: Any) -> LeadConverted:
    usual = {
        "account_id": ACCOUNT,
        "opens_account": True,
        "contact_id": CONTACT,
        "opens_contact": True,
        "owner_id": "lin",
        "account_name": "王府井百货",
        "contact_name": "王小明",
        "phones": ("+8613912345678",),
        "channel": "web form",
        "follow_ups": (carried_follow_up(),),
    }
    return LeadConverted(**{**usual, **fields})


def conversion_reverted(**fields: Any) -> ConversionReverted:
    usual = {
        "account_id": ACCOUNT,
        "withdraws_account": True,
        "contact_id": CONTACT,
        "withdraws_contact": True,
        "reason": "wrong company",
    }
    return ConversionReverted(**{**usual, **fields})


def opportunity_won(**fields: Any) -> OpportunityWon:
    usual = {
        "account_id": ACCOUNT,
        "from_stage": "negotiation",
        "days_in_stage": 1,
        "days_open": 10,
    }
    return OpportunityWon(**{**usual, **fields})


def opportunity_reopened(**fields: Any) -> OpportunityReopened:
    usual = {
        "account_id": ACCOUNT,
        "to_stage": "negotiation",
        "entered_at": NOON,
        "probability": 60,
        "forecast": ForecastCategory.COMMIT,
        "reason": "signed by mistake",
    }
    return OpportunityReopened(**{**usual, **fields})


def contract_activated(**fields: Any) -> ContractActivated:
    usual = {
        "account_id": ACCOUNT,
        "number": "C-1",
        "total": Money.of(100, "CNY"),
        "starts_on": NOON.date(),
    }
    return ContractActivated(**{**usual, **fields})
