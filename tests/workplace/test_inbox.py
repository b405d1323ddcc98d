"""Who is told of what."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.workplace.application import WorkplaceApplication
from services.workplace.commands import Notify, ReadNotification
from services.workplace.domain.notification import NotTheRecipient
from services.workplace.policies.remind_of_activity import remind_of_activity
from services.workplace.policies.remind_of_follow_up import remind_of_follow_up
from services.workplace.service import SERVICE
from shared.chassis.shapes import Actor, Cancel, Later, NotFound
from shared.chassis.testing import NOON, recorded, scenario
from shared.events.accounts import ActivityCancelled, ActivityPlanned
from shared.events.base import Event
from shared.events.billing import ContractDrafted, InstalmentFellOverdue
from shared.events.leads import (
    FollowUpCancelled,
    FollowUpPlanned,
    FollowUpRecorded,
    LeadAssigned,
    LeadRecycled,
    RecycleWarned,
)
from shared.events.pipeline import QuoteAccepted
from shared.events.support import (
    RatingGiven,
    SlaBreached,
    SlaClock,
    SlaRiskRaised,
    TicketAssigned,
)
from shared.events.values import AssignmentMethod, Money
from shared.events.workplace import NotificationRead
from tests.workplace.builders import LI, WU, notification_sent

pytestmark = pytest.mark.capability("WRK-06")

YUAN = Money.of(1000, "CNY")
OFFER = {"lines": (), "net": YUAN, "tax": Money.zero("CNY"), "total": YUAN}

CONCERNING_LI: list[tuple[Event, str, str, str]] = [
    (
        LeadAssigned(owner_id=LI, method=AssignmentMethod.ROUND_ROBIN),
        "lead_assigned", "lead", "stream-1",
    ),
    (
        RecycleWarned(pool_id="pool", owner_id=LI, recycle_at=NOON, idle_days=12),
        "recycle_warned", "lead", "stream-1",
    ),
    (
        LeadRecycled(pool_id="pool", owner_id=LI, idle_days=15, idle_since=NOON),
        "lead_recycled", "lead", "stream-1",
    ),
    (
        QuoteAccepted.model_validate(
            {**OFFER, "opportunity_id": "deal-1", "revision": 1, "number": "Q-1", "owner_id": LI}
        ),
        "quote_accepted", "opportunity", "deal-1",
    ),
    (
        ContractDrafted.model_validate(
            {**OFFER, "account_id": "account-1", "number": "C-1", "owner_id": LI}
        ),
        "contract_drafted", "contract", "stream-1",
    ),
    (
        InstalmentFellOverdue(
            contract_id="contract-1", account_id="account-1", owner_id=LI,
            instalment_id="instalment-1", due_on=date(2026, 3, 1), outstanding=YUAN,
        ),
        "instalment_overdue", "contract", "contract-1",
    ),
    (TicketAssigned(employee_id=LI), "ticket_assigned", "ticket", "stream-1"),
    (
        SlaBreached(clock=SlaClock.RESPONSE, employee_id=LI),
        "sla_breached", "ticket", "stream-1",
    ),
    (
        SlaRiskRaised(clock=SlaClock.RESPONSE, employee_id=LI, due_at=NOON),
        "sla_at_risk", "ticket", "stream-1",
    ),
    (
        RatingGiven(ticket_id="ticket-1", employee_id=LI, score=1, is_low=True),
        "low_rating", "ticket", "ticket-1",
    ),
]  # fmt: skip


def reactions(fact: Any) -> list[Any]:
    """What the service as a whole does about a fact."""
    return [reaction for policy in SERVICE.policies for reaction in policy(fact)]


@pytest.mark.parametrize(("event", "kind", "about", "about_id"), CONCERNING_LI)
def test_an_employee_is_told_of_what_concerns_them(
    event: Event, kind: str, about: str, about_id: str
) -> None:
    (message,) = reactions(recorded(event, by="system:rule"))
    assert isinstance(message, Notify)
    assert (message.recipient_id, message.kind) == (LI, kind)
    assert (message.about_kind, message.about_id) == (about, about_id)
    assert reactions(recorded(event, by="system:rule")) == [message]


@pytest.mark.parametrize("event", [case[0] for case in CONCERNING_LI])
def test_nobody_is_told_of_their_own_acts_or_of_imported_history(event: Event) -> None:
    assert reactions(recorded(event, by=LI)) == []
    assert reactions(recorded(event)._replace(import_id="import-1")) == []


@pytest.mark.parametrize(
    "event",
    [
        TicketAssigned(unit_id="desk"),
        RatingGiven(ticket_id="ticket-1", employee_id=LI, score=4),
        SlaBreached(clock=SlaClock.RESPONSE),
    ],
)
def test_what_concerns_nobody_in_particular_tells_nobody(event: Event) -> None:
    assert reactions(recorded(event)) == []


def test_a_planned_follow_up_is_reminded_of_unless_it_is_done_or_dropped() -> None:
    due = NOON + timedelta(days=1)
    planned = FollowUpPlanned(follow_up_id="plan-1", employee_id=LI, due_at=due)
    (later,) = remind_of_follow_up(recorded(planned, by=LI))
    assert isinstance(later, Later)
    assert (later.at, later.key) == (due, "plan-1")
    assert isinstance(later.command, Notify)
    assert later.command.kind == "follow_up_overdue"
    passed_on = planned.model_copy(update={"employee_id": "ben"})
    (instead,) = remind_of_follow_up(recorded(passed_on, by="manager", version=2))
    assert isinstance(instead, Later)
    assert isinstance(instead.command, Notify)
    assert (instead.key, instead.command.recipient_id) == (later.key, "ben")
    assert instead.command.notification_id != later.command.notification_id
    done = FollowUpRecorded(
        at=NOON, follow_up_id="talk-1", plan_id="plan-1", employee_id=LI, method="phone"
    )
    assert remind_of_follow_up(recorded(done)) == [Cancel("plan-1")]
    dropped = FollowUpCancelled(follow_up_id="plan-1", reason="met them")
    assert remind_of_follow_up(recorded(dropped)) == [Cancel("plan-1")]
    unplanned = FollowUpRecorded(at=NOON, follow_up_id="talk-2", employee_id=LI, method="phone")
    assert remind_of_follow_up(recorded(unplanned)) == []


def test_a_planned_activity_is_reminded_of_unless_it_is_done_or_dropped() -> None:
    about = {"account_id": "account-1", "employee_id": LI, "method": "visit"}
    planned = ActivityPlanned.model_validate({**about, "due_at": NOON})
    (later,) = remind_of_activity(recorded(planned, stream_id="activity-1"))
    assert isinstance(later, Later)
    assert later.key == "activity-1"
    dropped = ActivityCancelled.model_validate({**about, "reason": "ill"})
    assert remind_of_activity(recorded(dropped, stream_id="activity-1")) == [Cancel("activity-1")]


def test_a_message_is_sent_once() -> None:
    command = Notify(
        notification_id="message-1", recipient_id=LI, kind="lead_assigned", about_kind="lead",
        about_id="lead-1", title="A lead was assigned to you",
    )  # fmt: skip
    (
        scenario(WorkplaceApplication)
        .when(command)
        .then(notification_sent())
        .when(command)
        .then_nothing()
    )


def test_a_message_is_read_by_its_recipient() -> None:
    read = ReadNotification(notification_id="message-1")
    (
        scenario(WorkplaceApplication)
        .given("message-1", notification_sent())
        .when(read, by=Actor(id=WU))
        .then_refused(NotTheRecipient)
        .when(read, by=Actor(id=LI))
        .then(NotificationRead(recipient_id=LI))
        .when(read, by=Actor(id=LI))
        .then_nothing()
        .when(ReadNotification(notification_id="nope"))
        .then_refused(NotFound, id="nope")
    )
