"""Facts about leads in snake case, with defaults."""

from datetime import date, datetime, timedelta
from typing import Any

from shared.chassis.shapes import Actor
from shared.chassis.testing import NOON
from shared.events.accounts import AccountOpened, ContactAdded
from shared.events.billing import PaymentReceived, PaymentReversed, ReversalReason
from shared.events.leads import (
    FollowUpPlanned,
    FollowUpRecorded,
    HoldingStarted,
    HoldingWay,
    LeadAssigned,
    LeadCaptured,
    LeadClaimed,
    LeadConverted,
    LeadDisqualified,
    LeadNurtured,
    LeadPooled,
    LeadQualified,
    LeadReleased,
    PoolEntry,
    PoolOpened,
    PoolRulesConfigured,
    RecycleScheduled,
)
from shared.events.values import AssignmentMethod, Money

LEAD, POOL, PHONE, EMAIL = "lead-1", "pool-1", "+8613912345678", "wang@example.com"
ANNA = Actor(id="anna", name="Anna", roles=frozenset({"sales"}), unit="hq/east")
BEN = Actor(id="ben", name="Ben", roles=frozenset({"sales"}), unit="hq/west")
DAY = timedelta(days=1)


def lead_captured(**given: Any) -> LeadCaptured:
    return LeadCaptured(
        **dict[str, Any](
            {
                "name": "王伟",
                "company": "云山科技",
                "phones": (PHONE,),
                "emails": (EMAIL,),
                "channel": "web_form",
                "stated_at": NOON,
            }
            | given
        )
    )


def lead_assigned(owner_id: str = "anna", **given: Any) -> LeadAssigned:
    return LeadAssigned(
        **dict[str, Any]({"owner_id": owner_id, "method": AssignmentMethod.MANUAL} | given)
    )


def lead_pooled(pool_id: str = POOL, **given: Any) -> LeadPooled:
    return LeadPooled(**dict[str, Any]({"pool_id": pool_id, "entry": PoolEntry.CAPTURED} | given))


def lead_claimed(owner_id: str = "anna", pool_id: str = POOL) -> LeadClaimed:
    return LeadClaimed(pool_id=pool_id, owner_id=owner_id)


def lead_released(owner_id: str = "anna", **given: Any) -> LeadReleased:
    return LeadReleased(
        **dict[str, Any]({"pool_id": POOL, "owner_id": owner_id, "reason": "no time"} | given)
    )


def lead_qualified(**given: Any) -> LeadQualified:
    return LeadQualified(**dict[str, Any]({"owner_id": "anna"} | given))


def lead_nurtured(**given: Any) -> LeadNurtured:
    return LeadNurtured(**dict[str, Any]({"owner_id": "anna"} | given))


def lead_disqualified(**given: Any) -> LeadDisqualified:
    return LeadDisqualified(**dict[str, Any]({"owner_id": "anna", "reason": "no budget"} | given))


def lead_converted(**given: Any) -> LeadConverted:
    return LeadConverted(
        **dict[str, Any](
            {
                "account_id": "account-1",
                "opens_account": True,
                "contact_id": "contact-1",
                "opens_contact": True,
                "owner_id": "anna",
                "channel": "web_form",
            }
            | given
        )
    )


def follow_up_recorded(**given: Any) -> FollowUpRecorded:
    return FollowUpRecorded(
        **dict[str, Any](
            {
                "follow_up_id": "follow-up-1",
                "employee_id": "anna",
                "owner_id": "anna",
                "at": NOON,
                "method": "call",
                "content": "有兴趣",
            }
            | given
        )
    )


def follow_up_planned(**given: Any) -> FollowUpPlanned:
    return FollowUpPlanned(
        **dict[str, Any](
            {"follow_up_id": "plan-1", "employee_id": "anna", "due_at": NOON + DAY} | given
        )
    )


def recycle_scheduled(since: datetime = NOON, days: int = 7, **given: Any) -> RecycleScheduled:
    return RecycleScheduled(
        **dict[str, Any](
            {
                "pool_id": POOL,
                "owner_id": "anna",
                "idle_since": since,
                "warn_at": since + (days - 2) * DAY,
                "recycle_at": since + days * DAY,
                "rules_version": 1,
            }
            | given
        )
    )


def pool_opened(**given: Any) -> PoolOpened:
    return PoolOpened(**dict[str, Any]({"name": "East"} | given))


def pool_rules_configured(**given: Any) -> PoolRulesConfigured:
    return PoolRulesConfigured(**dict[str, Any]({"rules_version": 1} | given))


def holding_started(lead_id: str = LEAD, employee_id: str = "anna", **given: Any) -> HoldingStarted:
    return HoldingStarted(
        **dict[str, Any](
            {
                "employee_id": employee_id,
                "lead_id": lead_id,
                "pool_id": POOL,
                "way": HoldingWay.CLAIMED,
                "day": NOON.date(),
            }
            | given
        )
    )


def account_opened(**given: Any) -> AccountOpened:
    return AccountOpened(**dict[str, Any]({"name": "云山科技", "phones": (PHONE,)} | given))


def contact_added(**given: Any) -> ContactAdded:
    return ContactAdded(
        **dict[str, Any](
            {"name": "王伟", "account_id": "account-1", "emails": (EMAIL.upper(),)} | given
        )
    )


def payment_received(**given: Any) -> PaymentReceived:
    return PaymentReceived(
        **dict[str, Any](
            {
                "account_id": "account-1",
                "amount": Money.of(100, "CNY"),
                "value_date": date(2026, 3, 2),
                "method": "transfer",
            }
            | given
        )
    )


def payment_reversed(**given: Any) -> PaymentReversed:
    return PaymentReversed(
        **dict[str, Any](
            {
                "account_id": "account-1",
                "amount": Money.of(100, "CNY"),
                "value_date": date(2026, 3, 3),
                "reason": ReversalReason.BOUNCED,
            }
            | given
        )
    )
