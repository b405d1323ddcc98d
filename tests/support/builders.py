"""Support's facts with sensible defaults, and a customer service desk to test at."""

from datetime import UTC, date, datetime, time
from typing import Any

from services.support.application import SupportApplication
from services.support.commands import OpenTicket
from shared.chassis.testing import NOON, Scenario, scenario
from shared.events.billing import ContractActivated
from shared.events.support import (
    CalendarDefined,
    EntitlementGranted,
    Priority,
    SlaClock,
    SlaDueSet,
    SlaPolicyDefined,
    SlaTarget,
    SurveySent,
    TicketClosed,
    TicketKind,
    TicketOpened,
    TicketResolved,
    WorkingHours,
)
from shared.events.values import Money

TICKET, ACCOUNT, CONTRACT = "ticket-1", "account-1", "contract-1"
CALENDAR, POLICY = "calendar-1", "policy-1"

OFFICE_HOURS = tuple(
    WorkingHours(weekday=day, opens=time(9), closes=time(17)) for day in range(1, 6)
)
TARGETS = (
    SlaTarget(priority=Priority.CRITICAL, response_minutes=30, resolution_minutes=240),
    SlaTarget(priority=Priority.MODERATE, response_minutes=120, resolution_minutes=960),
)


def calendar_defined(**over: Any) -> CalendarDefined:
    values = {"calendar_version": 1, "name": "office", "time_zone": "UTC", "hours": OFFICE_HOURS}
    return CalendarDefined.model_validate(values | over)


def sla_policy_defined(**over: Any) -> SlaPolicyDefined:
    values = {"sla_version": 1, "name": "gold", "calendar_id": CALENDAR, "targets": TARGETS}
    return SlaPolicyDefined.model_validate(values | over)


def ticket_opened(**over: Any) -> TicketOpened:
    values: dict[str, Any] = {
        "number": "T2603-1",
        "kind": TicketKind.QUESTION,
        "priority": Priority.MODERATE,
        "channel": "mail",
        "subject": "打印机不工作",
        "account_id": ACCOUNT,
    }
    return TicketOpened.model_validate(values | over)


def covered_ticket_opened(**over: Any) -> TicketOpened:
    values = {
        "sla_policy_id": POLICY,
        "sla_version": 1,
        "calendar_id": CALENDAR,
        "calendar_version": 1,
    }
    return ticket_opened(**(values | over))


def sla_due_set(clock: SlaClock, due_at: datetime, target_minutes: int, **over: Any) -> SlaDueSet:
    values = {
        "clock": clock,
        "due_at": due_at,
        "target_minutes": target_minutes,
        "account_id": ACCOUNT,
        "sla_policy_id": POLICY,
        "sla_version": 1,
    }
    return SlaDueSet.model_validate(values | over)


def ticket_resolved(**over: Any) -> TicketResolved:
    return TicketResolved.model_validate({"account_id": ACCOUNT} | over)


def ticket_closed(**over: Any) -> TicketClosed:
    return TicketClosed.model_validate({"account_id": ACCOUNT, "closed_by": "agent"} | over)


def survey_sent(**over: Any) -> SurveySent:
    return SurveySent.model_validate({"account_id": ACCOUNT, "ticket_id": TICKET} | over)


def entitlement_granted(**over: Any) -> EntitlementGranted:
    values = {
        "account_id": ACCOUNT,
        "contract_id": CONTRACT,
        "sla_policy_id": POLICY,
        "starts_on": date(2026, 1, 1),
    }
    return EntitlementGranted.model_validate(values | over)


def contract_activated(**over: Any) -> ContractActivated:
    values = {
        "account_id": ACCOUNT,
        "number": "C-1",
        "total": Money.of(1000, "CNY"),
        "starts_on": date(2026, 1, 1),
    }
    return ContractActivated.model_validate(values | over)


def open_ticket(**over: Any) -> OpenTicket:
    values: dict[str, Any] = {
        "ticket_id": TICKET,
        "kind": TicketKind.QUESTION,
        "channel": "mail",
        "subject": "打印机不工作",
        "account_id": ACCOUNT,
    }
    return OpenTicket.model_validate(values | over)


def desk() -> Scenario[SupportApplication]:
    """A desk with office hours in UTC and a customer entitled to the gold policy."""
    return (
        scenario(SupportApplication)
        .given(CALENDAR, calendar_defined(), at=datetime(2026, 1, 1, tzinfo=UTC))
        .given(POLICY, sla_policy_defined(), at=datetime(2026, 1, 1, tzinfo=UTC))
        .given(ACCOUNT, entitlement_granted(), at=datetime(2026, 1, 1, tzinfo=UTC))
    )


def monday(hour: int, minute: int = 0) -> datetime:
    """A moment of the Monday on which tests begin."""
    return NOON.replace(hour=hour, minute=minute)
