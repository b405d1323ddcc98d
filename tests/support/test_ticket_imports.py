from datetime import UTC, datetime, timedelta

import pytest

from services.support.application import SupportApplication
from services.support.commands import ImportTicket, ReopenTicket
from services.support.domain.ticket_rules import ReopeningTimeIsOver
from services.support.policies.close_quiet_ticket import close_quiet_ticket
from shared.chassis.shapes import Invalid, Taken
from shared.chassis.testing import recorded, scenario
from shared.events.support import (
    ClosedBy,
    SlaBreached,
    SlaClock,
    SlaMet,
    TicketAssigned,
    TicketClosed,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)
from shared.events.values import AssignmentMethod

pytestmark = pytest.mark.capability("SUP-01", "SUP-03")

OPENED = datetime(2016, 2, 29, 1, 16, tzinfo=UTC)
RESOLVED = datetime(2016, 2, 29, 11, 29, tzinfo=UTC)
CLOSED = datetime(2016, 3, 5, 12, 0, tzinfo=UTC)
REOPENABLE = CLOSED + timedelta(days=14)


def incident(**over: object) -> ImportTicket:
    values = {
        "ticket_id": "incident-45",
        "source": "servicenow",
        "external_id": "INC0000045",
        "number": "INC0000045",
        "channel": "Phone",
        "category": "Category 55",
        "subcategory": "Subcategory 170",
        "requester": "Caller 2403",
        "unit_id": "group-56",
        "opened_at": OPENED,
        "resolved_at": RESOLVED,
        "closed_at": CLOSED,
        "sla_met": True,
    }
    return ImportTicket.model_validate(values | over)


def test_a_whole_life_is_taken_in_with_its_own_moments() -> None:
    told = scenario(SupportApplication).when(incident())
    told.then_kinds(TicketOpened, TicketAssigned, TicketResolved, SlaMet, TicketClosed)
    opened, assigned, resolved, met, closed = told.news
    assert isinstance(opened.event, TicketOpened)
    assert opened.event.number == opened.event.external_id == "INC0000045"
    assert isinstance(assigned.event, TicketAssigned)
    assert assigned.event.method is AssignmentMethod.IMPORTED
    assert met.event == SlaMet(clock=SlaClock.RESOLUTION)
    assert closed.event == TicketClosed(closed_by=ClosedBy.SYSTEM, reopen_until=REOPENABLE)
    assert [fact.occurred_at for fact in told.news] == [OPENED, OPENED, RESOLVED, RESOLVED, CLOSED]
    assert resolved.occurred_at == RESOLVED


def test_breaches_and_reopenings_are_as_the_source_says() -> None:
    told = scenario(SupportApplication).when(incident(sla_met=False, reopened=2, resolved_at=None))
    told.then_kinds(TicketOpened, TicketAssigned, TicketReopened, SlaBreached, TicketClosed)
    assert told.news[2].event == TicketReopened(reopened=2, reason="imported")


def test_a_row_may_say_little() -> None:
    told = scenario(SupportApplication).when(
        ImportTicket(source="mail", external_id="1", channel="mail", opened_at=OPENED)
    )
    (opened,) = told.then_kinds(TicketOpened).news
    assert isinstance(opened.event, TicketOpened)
    assert opened.event.number.startswith("T1602-")


def test_a_row_is_taken_in_once() -> None:
    (
        scenario(SupportApplication)
        .after(incident())
        .when(incident(ticket_id="incident-46"))
        .then_refused(Taken, holder="incident-45", scope="external:servicenow")
        .when(incident())
        .then_refused(Taken, holder="incident-45")
    )


def test_a_number_belongs_to_one_ticket() -> None:
    (
        scenario(SupportApplication)
        .after(incident())
        .when(incident(ticket_id="incident-46", external_id="INC0000046"))
        .then_refused(Taken, holder="incident-45", scope="ticket_number")
    )


@pytest.mark.parametrize(
    ("field", "over"),
    [
        ("resolved_at", {"resolved_at": OPENED - timedelta(minutes=1)}),
        ("closed_at", {"closed_at": RESOLVED - timedelta(minutes=1)}),
        ("assigned_at", {"assigned_at": OPENED - timedelta(minutes=1)}),
    ],
)
def test_moments_out_of_order_are_refused(field: str, over: dict[str, object]) -> None:
    told = scenario(SupportApplication).when(incident(**over)).then_refused(Invalid)
    assert isinstance(told.refusal, Invalid)
    assert [violation.field for violation in told.refusal.violations] == [field]


def test_imported_resolutions_wait_for_no_deadline() -> None:
    resolved = recorded(TicketResolved(), stream_id="incident-45")._replace(import_id="import-1")
    assert close_quiet_ticket(resolved) == []


def test_an_imported_ticket_is_reopened_within_its_time() -> None:
    reopen = ReopenTicket(ticket_id="incident-45", reason="again")
    (
        scenario(SupportApplication)
        .after(incident())
        .when(reopen)
        .then_refused(ReopeningTimeIsOver, reopen_until=REOPENABLE.isoformat())
        .when(reopen, at=REOPENABLE)
        .then(TicketReopened(reopened=1, reason="again"))
    )
