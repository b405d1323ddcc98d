"""The service as a whole: commands, policies, deadlines, read models, questions."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest

from services.support.commands import (
    AssignTicket,
    ChangeTicket,
    CloseTicket,
    DefineBusinessCalendar,
    DefineSlaPolicy,
    ImportTicket,
    MergeTicket,
    OpenTicket,
    PendTicket,
    RateTicket,
    RebaseSla,
    ReopenTicket,
    ReplyToTicket,
    ResolveTicket,
    ResumeTicket,
    SplitTicket,
    TicketPart,
    UnmergeTicket,
    WatchTicket,
)
from services.support.projections.business_calendars import (
    GetBusinessCalendar,
    ListBusinessCalendars,
)
from services.support.projections.entitlements import Entitlements, ListEntitlements
from services.support.projections.sla_policies import GetSlaPolicy, ListSlaPolicies
from services.support.projections.surveys import ListSurveys
from services.support.projections.tickets import GetTicket, ListTickets, Tickets
from services.support.service import SERVICE
from shared.chassis import tracking
from shared.chassis.clock import Clock
from shared.chassis.messaging.deadlines import Deadlines
from shared.chassis.messaging.handlers import PoliciesHandler
from shared.chassis.service import open_service
from shared.chassis.shapes import Answer, Command, NotFound, Query
from shared.chassis.testing import TESTER, folded, issue, recorded
from shared.events.support import EntitlementEnded, Priority, SlaTarget, TicketKind
from tests.support.builders import (
    ACCOUNT,
    CALENDAR,
    CONTRACT,
    OFFICE_HOURS,
    POLICY,
    TARGETS,
    TICKET,
    contract_activated,
    entitlement_granted,
    monday,
    ticket_opened,
)


class Hand(Clock):
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = monday(8)

    def now(self) -> datetime:
        return self.at


class Desk:
    """The service with everything that moves it, one step after the other."""

    def __init__(self) -> None:
        self.clock = Hand()
        self.service = open_service(SERVICE, clock=self.clock)
        assert self.service.application is not None
        self.application = self.service.application
        self.deadlines = Deadlines(self.application, self.clock)
        self.policies = PoliciesHandler(
            SERVICE.policies, self.application, self.deadlines, self.clock
        )
        self.reacted = self.folded = 0

    def hears(self, *facts: Any) -> None:
        """React to facts of other contexts."""
        with self.service.log_database.transaction() as connection:
            self.policies.apply(connection, facts, frozenset())
        self.settle()

    def does(self, command: Command, at: datetime) -> Answer:
        """Let the time come, then carry out a command."""
        self.wait(at)
        answer = self.application.handle(issue(command, at=at))
        self.settle()
        return answer

    def wait(self, until: datetime) -> None:
        """Keep every deadline up to a moment, each at its own time."""
        self.settle()
        while (moment := self.deadlines.next()) is not None and moment <= until:
            self.clock.at = max(moment, self.clock.at)
            self.deadlines.keep(self.clock.at)
            self.settle()
        self.clock.at = until

    def settle(self) -> None:
        """Let policies react and read models fold until nothing is left."""
        while facts := self.service.log.read(self.reacted, 1000):
            with self.service.log_database.transaction() as connection:
                self.policies.apply(connection, facts, frozenset())
            self.reacted = facts[-1].position
        if facts := self.service.log.read(self.folded, 1000):
            with self.service.views_database.transaction() as connection:
                for projection in SERVICE.projections:
                    self.service.projector.apply(connection, projection, facts)
                    tracking.advance(connection, projection.name, "support", facts[-1].position)
            self.folded = facts[-1].position

    def asks(self, query: Query) -> Any:
        return self.service.ask(SERVICE.asked[type(query).__name__], query, TESTER)


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    calendar = DefineBusinessCalendar(
        calendar_id=CALENDAR, name="office", time_zone="UTC", hours=OFFICE_HOURS
    )
    policy = DefineSlaPolicy(
        sla_policy_id=POLICY, name="gold", calendar_id=CALENDAR, targets=TARGETS
    )
    desk.does(calendar, monday(8))
    desk.does(policy, monday(8))
    desk.hears(recorded(contract_activated(sla_policy_id=POLICY), stream_id=CONTRACT))
    return desk


def open_ticket(ticket_id: str) -> OpenTicket:
    return OpenTicket(
        ticket_id=ticket_id,
        kind=TicketKind.FAULT,
        channel="phone",
        subject="没有电",
        account_id=ACCOUNT,
    )


@pytest.mark.capability("SUP-01", "SUP-03", "SUP-08")
def test_one_ticket_is_answered_in_time_and_another_is_breached(desk: Desk) -> None:
    desk.does(open_ticket(TICKET), monday(9))
    desk.does(open_ticket("ticket-2"), monday(10))
    desk.does(AssignTicket(ticket_id=TICKET, employee_id="emp-li"), monday(10))
    desk.does(ReplyToTicket(ticket_id=TICKET, message="请重启"), monday(10, 30))
    desk.does(WatchTicket(ticket_id=TICKET, employee_id="emp-wu"), monday(10, 30))
    desk.does(PendTicket(ticket_id=TICKET), monday(10, 30))
    desk.does(ResumeTicket(ticket_id=TICKET), monday(15))
    desk.does(ResolveTicket(ticket_id=TICKET, cause="电源", resolution="换了"), monday(16))
    desk.does(CloseTicket(ticket_id=TICKET), monday(16, 30))
    desk.does(RateTicket(ticket_id=TICKET, score=2, comment="慢"), monday(17))

    ticket = desk.asks(GetTicket(ticket_id=TICKET))
    assert (ticket.status, ticket.response_sla, ticket.resolution_sla) == ("closed", "met", "met")
    assert (ticket.rating, ticket.rating_comment, ticket.is_breached) == (2, "慢", False)
    assert (ticket.opened_at, ticket.answered_at) == (monday(9), monday(10, 30))
    assert (ticket.resolved_at, ticket.closed_at) == (monday(16), monday(16, 30))
    assert ticket.watchers == ["emp-wu"]
    assert [message.message for message in ticket.messages] == ["请重启"]

    other = desk.asks(GetTicket(ticket_id="ticket-2"))
    assert (other.status, other.response_sla, other.is_breached) == ("new", "breached", True)
    assert other.response_due_at == monday(12)

    (survey,) = desk.asks(ListSurveys(filter=f"account_id = {ACCOUNT}")).items
    assert (survey.status, survey.score, survey.is_low) == ("answered", 2, True)
    assert survey.employee_id == "emp-li"
    (follow_up,) = desk.asks(ListTickets(filter=f"parent_id = {TICKET}")).items
    assert (follow_up.kind, follow_up.priority) == ("complaint", "high")

    desk.wait(monday(16) + timedelta(days=1))
    assert desk.asks(GetTicket(ticket_id="ticket-2")).resolution_sla == "at_risk"


@pytest.mark.capability("SUP-01")
def test_the_parts_of_a_ticket_are_found_and_promised_service(desk: Desk) -> None:
    desk.does(open_ticket(TICKET), monday(9))
    parts = (TicketPart(subject="墨盒漏墨"), TicketPart(subject="发票抬头有误"))
    desk.does(SplitTicket(ticket_id=TICKET, parts=parts), monday(10))
    found = desk.asks(ListTickets(filter=f"split_from_id = {TICKET}", order_by="subject")).items
    assert [part.subject for part in found] == sorted(part.subject for part in parts)
    assert {(part.account_id, part.response_sla) for part in found} == {(ACCOUNT, "running")}
    assert {part.response_due_at for part in found} == {monday(12)}
    assert len({part.number for part in found}) == 2
    assert desk.asks(GetTicket(ticket_id=TICKET)).status == "new"


@pytest.mark.capability("SUP-01")
def test_a_resolved_ticket_is_closed_after_a_quiet_week(desk: Desk) -> None:
    desk.does(open_ticket(TICKET), monday(9))
    desk.does(ResolveTicket(ticket_id=TICKET), monday(10))
    desk.wait(monday(9) + timedelta(days=7))
    assert desk.asks(GetTicket(ticket_id=TICKET)).status == "resolved"
    desk.wait(monday(10) + timedelta(days=7))
    assert desk.asks(GetTicket(ticket_id=TICKET)).status == "closed"
    desk.wait(monday(10) + timedelta(days=40))
    (survey,) = desk.asks(ListSurveys()).items
    assert survey.status == "expired"


@pytest.mark.capability("SUP-01")
def test_a_reopened_ticket_is_open_in_every_respect(desk: Desk) -> None:
    desk.does(open_ticket(TICKET), monday(9))
    desk.does(ResolveTicket(ticket_id=TICKET), monday(10))
    desk.does(ReopenTicket(ticket_id=TICKET, reason="again"), monday(11))
    ticket = desk.asks(GetTicket(ticket_id=TICKET))
    assert (ticket.status, ticket.reopened, ticket.resolved_at) == ("open", 1, None)
    assert ticket.resolution_sla == "running"
    changed = ChangeTicket(ticket_id=TICKET, category="硬件", contract_id=CONTRACT)
    answer = desk.does(changed, monday(11))
    ticket = desk.asks(GetTicket(ticket_id=TICKET))
    assert (ticket.category, ticket.contract_id, ticket.version) == (
        "硬件", CONTRACT, answer.version,
    )  # fmt: skip


@pytest.mark.capability("SUP-01", "SUP-03")
def test_a_merge_and_its_undoing_do_not_end_the_wait_for_the_customer(desk: Desk) -> None:
    desk.does(open_ticket(TICKET), monday(9))
    desk.does(open_ticket("ticket-2"), monday(9))
    desk.does(PendTicket(ticket_id=TICKET), monday(10))
    desk.does(MergeTicket(ticket_id=TICKET, into_id="ticket-2"), monday(14))
    desk.does(UnmergeTicket(ticket_id=TICKET), monday(15))
    desk.wait(monday(9) + timedelta(days=7))
    ticket = desk.asks(GetTicket(ticket_id=TICKET))
    assert (ticket.status, ticket.waiting_since) == ("pending", monday(10))
    assert (ticket.response_sla, ticket.is_breached) == ("running", False)


@pytest.mark.capability("SUP-03")
def test_a_ticket_is_at_risk_as_long_as_one_of_its_promises_is(desk: Desk) -> None:
    def told() -> tuple[str | None, str | None, bool]:
        ticket = desk.asks(GetTicket(ticket_id=TICKET))
        return ticket.response_sla, ticket.resolution_sla, ticket.is_at_risk

    equal = SlaTarget(priority=Priority.MODERATE, response_minutes=60, resolution_minutes=60)
    policy = DefineSlaPolicy(
        sla_policy_id=POLICY, name="gold", calendar_id=CALENDAR, targets=(equal, *TARGETS[:1])
    )
    desk.does(policy, monday(8))
    desk.does(open_ticket(TICKET), monday(9))
    desk.does(ReplyToTicket(ticket_id=TICKET, message="请重启"), monday(9, 50))
    assert told() == ("met", "at_risk", True)
    desk.does(PendTicket(ticket_id=TICKET), monday(9, 50))
    desk.does(ResumeTicket(ticket_id=TICKET), monday(11))
    assert told() == ("met", "at_risk", True)
    desk.does(ChangeTicket(ticket_id=TICKET, priority=Priority.CRITICAL), monday(11))
    assert told() == ("met", "running", False)
    desk.does(policy.model_copy(update={"targets": TARGETS}), monday(11))
    desk.does(RebaseSla(ticket_id=TICKET), monday(11))
    assert desk.asks(GetTicket(ticket_id=TICKET)).sla_version == 3
    desk.wait(monday(15))
    assert told() == ("met", "breached", False)


@pytest.mark.capability("SUP-03")
def test_entitlements_and_levels_can_be_read(desk: Desk) -> None:
    (entitlement,) = desk.asks(ListEntitlements(filter=f"account_id = {ACCOUNT}")).items
    assert (entitlement.contract_id, entitlement.sla_policy_id) == (CONTRACT, POLICY)
    assert (entitlement.status, entitlement.time_zone) == ("granted", "UTC")
    policy = desk.asks(GetSlaPolicy(sla_policy_id=POLICY))
    assert tuple(policy.targets) == TARGETS
    assert desk.asks(ListSlaPolicies()).items == [policy]
    calendar = desk.asks(GetBusinessCalendar(calendar_id=CALENDAR))
    assert calendar.hours[0].opens == time(9)
    assert desk.asks(ListBusinessCalendars()).items == [calendar]


@pytest.mark.parametrize(
    "query",
    [
        GetTicket(ticket_id="nope"),
        GetSlaPolicy(sla_policy_id="nope"),
        GetBusinessCalendar(calendar_id="nope"),
    ],
)
def test_what_is_unknown_is_not_found(desk: Desk, query: Query) -> None:
    with pytest.raises(NotFound):
        desk.asks(query)


@pytest.mark.capability("SUP-01")
def test_an_import_answers_the_figures_of_its_source(desk: Desk) -> None:
    commands = [
        issue(
            ImportTicket(
                source="servicenow",
                external_id=f"INC{number}",
                channel="Phone",
                opened_at=monday(9),
                resolved_at=monday(10) if number % 2 else None,
                closed_at=monday(11),
                sla_met=number % 3 == 0,
                reopened=number % 5 == 0,
            ),
            import_id="import-1",
        )
        for number in range(30)
    ]
    assert all(isinstance(answer, Answer) for answer in desk.application.bulk(commands))
    desk.settle()

    def count(condition: str) -> int:
        return len(desk.asks(ListTickets(filter=condition, page_size=100)).items)

    assert count("status = closed") == 30
    assert count("resolution_sla = met") == 10
    assert count("is_breached = true") == 20
    assert count("reopened >= 1") == 6
    assert count("resolved_at = null") == 15
    assert desk.deadlines.next() is None


def test_an_entitlement_that_ended_says_why() -> None:
    ended = EntitlementEnded(
        account_id=ACCOUNT, contract_id=CONTRACT, on=monday(9).date(), reason="contract expired"
    )
    rows = folded(
        Entitlements,
        [
            recorded(entitlement_granted(), stream_id=ACCOUNT),
            recorded(ended, stream_id=ACCOUNT, version=2),
        ],
    )
    assert rows[CONTRACT,]["status"] == "ended"
    assert rows[CONTRACT,]["ended_because"] == "contract expired"


def test_an_erased_customer_leaves_a_ticket_without_words() -> None:
    erased = ticket_opened(subject=None)
    row = folded(Tickets, [recorded(erased, stream_id=TICKET, erased=True)])[TICKET,]
    assert (row["subject"], row["number"]) == (None, "T2603-1")
