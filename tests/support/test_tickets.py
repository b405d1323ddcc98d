from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.support.application import SupportApplication
from services.support.commands import (
    AssignTicket,
    ChangeTicket,
    CloseQuietTicket,
    CloseTicket,
    MergeTicket,
    PendTicket,
    ReopenTicket,
    ReplyToTicket,
    ResolveTicket,
    ResumeTicket,
    SplitTicket,
    TicketPart,
    UnmergeTicket,
    UnwatchTicket,
    WatchTicket,
)
from services.support.domain.ticket_rules import (
    MergeGoesInCircles,
    ParentGoesInCircles,
    ReopeningTimeIsOver,
    TicketIsClosed,
    TicketIsNotMerged,
    TicketIsNotResolved,
    TicketIsNotWaiting,
    TicketIsResolved,
    TicketsAreOfTwoCustomers,
)
from services.support.policies.close_quiet_ticket import close_quiet_ticket
from shared.chassis.shapes import Cancel, Invalid, Later, NotFound, Taken
from shared.chassis.testing import NOON, Scenario, recorded, scenario
from shared.events.support import (
    Author,
    ClosedBy,
    Priority,
    SurveySent,
    TicketAssigned,
    TicketChanged,
    TicketClosed,
    TicketKind,
    TicketMerged,
    TicketOpened,
    TicketPended,
    TicketReopened,
    TicketReplied,
    TicketResolved,
    TicketResumed,
    TicketSplit,
    TicketStatus,
    TicketUnmerged,
    WatcherAdded,
    WatcherRemoved,
)
from tests.support.builders import (
    ACCOUNT,
    TICKET,
    open_ticket,
    ticket_closed,
    ticket_opened,
    ticket_resolved,
)

pytestmark = pytest.mark.capability("SUP-01")


def opened() -> Scenario[SupportApplication]:
    return scenario(SupportApplication).given(TICKET, ticket_opened())


def test_a_ticket_is_opened_with_a_number_of_its_own() -> None:
    told = scenario(SupportApplication).when(open_ticket(ticket_id=None))
    (fact,) = told.then_kinds(TicketOpened).news
    assert isinstance(fact.event, TicketOpened)
    assert fact.event.number.startswith("T2603-")
    assert told.answer is not None
    assert told.answer.id == fact.stream_id


def test_the_same_external_ticket_is_taken_in_once() -> None:
    mail = {"source": "mail", "external_id": "<42@example.cn>"}
    (
        scenario(SupportApplication)
        .after(open_ticket(**mail))
        .when(open_ticket(ticket_id="ticket-2", **mail))
        .then_refused(Taken, holder=TICKET)
    )


def test_an_id_is_used_once() -> None:
    opened().when(open_ticket()).then_refused(Taken, holder=TICKET)


def test_an_external_id_needs_its_source() -> None:
    scenario(SupportApplication).when(open_ticket(external_id="42")).then_refused(Invalid)


@pytest.mark.parametrize(
    "over",
    [
        {"subject": ""},
        {"subject": "x" * 301},
        {"kind": "wish"},
        {"priority": "urgent"},
        {"ticket_id": "not an id"},
        {"surprise": 1},
    ],
)
def test_what_does_not_fit_is_refused_at_the_door(over: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        open_ticket(**over)


def test_a_ticket_is_classified_anew() -> None:
    (
        opened()
        .when(ChangeTicket(ticket_id=TICKET, kind=TicketKind.COMPLAINT, category="硬件"))
        .then(
            TicketChanged(
                account_id=ACCOUNT,
                kind=TicketKind.COMPLAINT,
                priority=Priority.MODERATE,
                category="硬件",
                subject="打印机不工作",
                changed=("category", "kind"),
            )
        )
        .when(ChangeTicket(ticket_id=TICKET, category="硬件"))
        .then_nothing()
    )


def test_a_ticket_is_assigned_to_a_handler_and_a_team() -> None:
    (
        opened()
        .when(AssignTicket(ticket_id=TICKET, employee_id="emp-li", unit_id="desk"))
        .then(TicketAssigned(account_id=ACCOUNT, employee_id="emp-li", unit_id="desk"))
        .when(AssignTicket(ticket_id=TICKET, employee_id="emp-li"))
        .then_nothing()
        .when(AssignTicket(ticket_id=TICKET, employee_id="emp-wu"))
        .then(
            TicketAssigned(
                account_id=ACCOUNT,
                employee_id="emp-wu",
                unit_id="desk",
                previous_employee_id="emp-li",
            )
        )
        .when(AssignTicket(ticket_id=TICKET))
        .then_refused(Invalid)
    )


def test_notes_among_colleagues_answer_nobody() -> None:
    note = ReplyToTicket(ticket_id=TICKET, message="ask the plant", is_public=False)
    answer = ReplyToTicket(ticket_id=TICKET, message="请重启")
    said = {"account_id": ACCOUNT, "author": Author.AGENT, "employee_id": "tester"}
    (
        opened()
        .when(note)
        .then(TicketReplied.model_validate({**said, "message": note.message, "is_public": False}))
        .when(answer)
        .then(
            TicketReplied.model_validate(
                {**said, "message": answer.message, "is_first_response": True}
            )
        )
        .when(answer)
        .then(TicketReplied.model_validate({**said, "message": answer.message}))
    )


def test_a_customer_who_writes_ends_the_wait() -> None:
    (
        opened()
        .after(PendTicket(ticket_id=TICKET))
        .when(
            ReplyToTicket(ticket_id=TICKET, message="here it is", author=Author.CUSTOMER),
            at=NOON + timedelta(minutes=30),
        )
        .then_kinds(TicketReplied, TicketResumed)
    )


def test_a_customer_who_writes_takes_a_resolved_ticket_up_again() -> None:
    (
        opened()
        .given(TICKET, ticket_resolved())
        .when(ReplyToTicket(ticket_id=TICKET, message="still broken", author=Author.CUSTOMER))
        .then_kinds(TicketReplied, TicketReopened)
    )


def test_a_ticket_waits_and_resumes() -> None:
    (
        opened()
        .when(PendTicket(ticket_id=TICKET, reason="needs serial number"))
        .then(TicketPended(account_id=ACCOUNT, waiting_since=NOON, reason="needs serial number"))
        .when(PendTicket(ticket_id=TICKET))
        .then_nothing()
        .when(ResumeTicket(ticket_id=TICKET), at=NOON + timedelta(minutes=90))
        .then(TicketResumed(account_id=ACCOUNT, paused_minutes=90))
        .when(ResumeTicket(ticket_id=TICKET))
        .then_refused(TicketIsNotWaiting, status="open")
    )


def test_a_resolved_ticket_does_not_wait() -> None:
    (
        opened()
        .given(TICKET, ticket_resolved())
        .when(PendTicket(ticket_id=TICKET))
        .then_refused(TicketIsResolved)
    )


def test_a_ticket_is_resolved_then_closed_and_the_customer_is_asked() -> None:
    (
        opened()
        .when(CloseTicket(ticket_id=TICKET))
        .then_refused(TicketIsNotResolved, status="new")
        .when(ResolveTicket(ticket_id=TICKET, resolution="replaced", cause="wear"))
        .then(
            TicketResolved(
                account_id=ACCOUNT, employee_id="tester", cause="wear", resolution="replaced"
            )
        )
        .when(ResolveTicket(ticket_id=TICKET))
        .then_nothing()
        .when(CloseTicket(ticket_id=TICKET, by_customer=True))
        .then(
            TicketClosed(
                account_id=ACCOUNT,
                employee_id="tester",
                closed_by=ClosedBy.CUSTOMER,
                reopen_until=NOON + timedelta(days=14),
            ),
            SurveySent(
                account_id=ACCOUNT,
                ticket_id=TICKET,
                employee_id="tester",
                expires_at=NOON + timedelta(days=30),
            ),
        )
        .when(CloseTicket(ticket_id=TICKET))
        .then_nothing()
    )


@pytest.mark.parametrize(
    "command",
    [
        ChangeTicket(ticket_id=TICKET, category="other"),
        AssignTicket(ticket_id=TICKET, employee_id="emp-li"),
        ReplyToTicket(ticket_id=TICKET, message="hello"),
        PendTicket(ticket_id=TICKET),
        ResolveTicket(ticket_id=TICKET),
    ],
)
def test_a_closed_ticket_is_not_worked_on(command: ResolveTicket) -> None:
    (
        opened()
        .given(TICKET, ticket_resolved(), ticket_closed())
        .when(command)
        .then_refused(TicketIsClosed, status="closed")
    )


def test_a_ticket_is_reopened_within_its_time() -> None:
    until = NOON + timedelta(days=14)
    closed = opened().given(TICKET, ticket_resolved(), ticket_closed(reopen_until=until))
    reopen = ReopenTicket(ticket_id=TICKET, reason="broke again", note="昨天")
    (
        closed.when(reopen, at=until + timedelta(seconds=1))
        .then_refused(ReopeningTimeIsOver, reopen_until=until.isoformat())
        .when(reopen, at=until)
        .then(TicketReopened(account_id=ACCOUNT, reopened=1, reason="broke again", note="昨天"))
        .when(reopen)
        .then_nothing()
    )


def test_a_resolved_ticket_that_nobody_speaks_of_is_closed() -> None:
    resolved = recorded(ticket_resolved(), stream_id=TICKET)
    (later,) = close_quiet_ticket(resolved)
    assert later == Later(NOON + timedelta(days=7), CloseQuietTicket(ticket_id=TICKET), TICKET)
    told = opened().given(TICKET, ticket_resolved()).when(CloseQuietTicket(ticket_id=TICKET))
    told.then_kinds(TicketClosed, SurveySent)
    told.when(CloseQuietTicket(ticket_id=TICKET)).then_nothing()


def test_a_reopened_ticket_is_not_closed_for_being_quiet() -> None:
    reopened = TicketReopened(reopened=1, reason="broke again")
    assert close_quiet_ticket(recorded(reopened, stream_id=TICKET)) == [Cancel(TICKET)]
    (
        opened()
        .given(TICKET, ticket_resolved(), reopened)
        .when(CloseQuietTicket(ticket_id=TICKET))
        .then_nothing()
    )


def test_a_ticket_is_merged_and_taken_apart_again() -> None:
    merge = MergeTicket(ticket_id=TICKET, into_id="ticket-2")
    (
        opened()
        .given("ticket-2", ticket_opened(number="T2603-2"))
        .when(merge)
        .then(TicketMerged(account_id=ACCOUNT, into_id="ticket-2"))
        .when(merge)
        .then_nothing()
        .when(ResolveTicket(ticket_id=TICKET))
        .then_refused(TicketIsClosed, into_id="ticket-2")
        .when(ReopenTicket(ticket_id=TICKET, reason="again"))
        .then_refused(TicketIsClosed)
        .when(MergeTicket(ticket_id="ticket-2", into_id=TICKET))
        .then_refused(MergeGoesInCircles)
        .when(UnmergeTicket(ticket_id=TICKET))
        .then(TicketUnmerged(account_id=ACCOUNT, from_id="ticket-2", status=TicketStatus.NEW))
        .when(UnmergeTicket(ticket_id=TICKET))
        .then_refused(TicketIsNotMerged)
    )


def test_a_resolved_ticket_that_was_merged_is_closed_when_it_is_taken_out_and_quiet() -> None:
    told = opened().given(TICKET, ticket_resolved()).given("ticket-2", ticket_opened())
    told.after(MergeTicket(ticket_id=TICKET, into_id="ticket-2"))
    told.when(UnmergeTicket(ticket_id=TICKET)).then_kinds(TicketUnmerged)
    (later,) = close_quiet_ticket(told.news[0])
    assert later == Later(NOON + timedelta(days=7), CloseQuietTicket(ticket_id=TICKET), TICKET)
    told.when(CloseQuietTicket(ticket_id=TICKET)).then_kinds(TicketClosed, SurveySent)


def test_only_a_resolved_ticket_that_is_taken_out_is_closed_for_being_quiet() -> None:
    unmerged = TicketUnmerged(from_id="ticket-2", status=TicketStatus.OPEN)
    assert close_quiet_ticket(recorded(unmerged, stream_id=TICKET)) == [Cancel(TICKET)]


def test_a_ticket_is_not_merged_into_itself_or_nothing() -> None:
    (
        opened()
        .when(MergeTicket(ticket_id=TICKET, into_id=TICKET))
        .then_refused(MergeGoesInCircles)
        .when(MergeTicket(ticket_id=TICKET, into_id="ticket-9"))
        .then_refused(NotFound, id="ticket-9")
    )


def test_a_ticket_is_not_merged_where_nobody_works_on_it() -> None:
    (
        opened()
        .given("ticket-2", ticket_opened(), ticket_resolved(), ticket_closed())
        .when(MergeTicket(ticket_id=TICKET, into_id="ticket-2"))
        .then_refused(TicketIsClosed, ticket_id="ticket-2", status="closed")
    )


def test_only_tickets_of_one_customer_are_merged() -> None:
    (
        opened()
        .given("ticket-2", ticket_opened(account_id="account-2"))
        .given("ticket-3", ticket_opened(account_id=None))
        .when(MergeTicket(ticket_id=TICKET, into_id="ticket-2"))
        .then_refused(TicketsAreOfTwoCustomers, account_id="account-2")
        .when(MergeTicket(ticket_id="ticket-3", into_id="ticket-2"))
        .then_kinds(TicketMerged)
    )


def test_a_ticket_belongs_to_one_that_is_neither_itself_nor_below_it() -> None:
    (
        opened()
        .when(open_ticket(ticket_id="ticket-2", parent_id="ticket-9"))
        .then_refused(NotFound, id="ticket-9")
        .after(open_ticket(ticket_id="ticket-2", parent_id=TICKET))
        .after(open_ticket(ticket_id="ticket-3", parent_id="ticket-2"))
        .when(ChangeTicket(ticket_id=TICKET, parent_id="ticket-9"))
        .then_refused(NotFound, id="ticket-9")
        .when(ChangeTicket(ticket_id=TICKET, parent_id=TICKET))
        .then_refused(ParentGoesInCircles, parent_id=TICKET)
        .when(ChangeTicket(ticket_id=TICKET, parent_id="ticket-3"))
        .then_refused(ParentGoesInCircles, parent_id="ticket-3")
        .when(ChangeTicket(ticket_id="ticket-3", parent_id=TICKET))
        .then_kinds(TicketChanged)
    )


def test_a_ticket_kept_as_its_own_parent_does_not_stop_others() -> None:
    (
        opened()
        .given("ticket-2", ticket_opened(parent_id="ticket-2"))
        .given("ticket-3", ticket_opened(parent_id="ticket-9"))
        .when(ChangeTicket(ticket_id=TICKET, parent_id="ticket-2"))
        .then_kinds(TicketChanged)
        .when(ChangeTicket(ticket_id=TICKET, parent_id="ticket-3"))
        .then_kinds(TicketChanged)
    )


def test_parts_of_a_ticket_become_tickets_of_their_own() -> None:
    fault = TicketPart(subject="墨盒漏墨", kind=TicketKind.FAULT, description="换过两次")
    invoice = TicketPart(subject="发票抬头有误", priority=Priority.LOW)
    told = opened().when(SplitTicket(ticket_id=TICKET, parts=(fault, invoice)))
    split, first, second = told.then_kinds(TicketSplit, TicketOpened, TicketOpened).news
    assert told.answer is not None
    assert told.answer.id == split.stream_id == TICKET
    into_ids = (first.stream_id, second.stream_id)
    assert split.event == TicketSplit(account_id=ACCOUNT, into_ids=into_ids)
    assert told.answer.outcome == {"into_ids": ",".join(into_ids)}
    before = ticket_opened()
    for part, fact in ((fault, first.event), (invoice, second.event)):
        assert isinstance(fact, TicketOpened)
        assert (fact.split_from_id, fact.subject) == (TICKET, part.subject)
        assert fact.kind is (part.kind or before.kind)
        assert fact.priority is (part.priority or before.priority)
        assert (fact.account_id, fact.channel) == (ACCOUNT, before.channel)
        assert fact.description == part.description
    (
        told.when(ResolveTicket(ticket_id=first.stream_id))
        .then_kinds(TicketResolved)
        .when(CloseTicket(ticket_id=first.stream_id))
        .when(SplitTicket(ticket_id=first.stream_id, parts=(invoice,)))
        .then_refused(TicketIsClosed)
        .when(SplitTicket(ticket_id="ticket-9", parts=(invoice,)))
        .then_refused(NotFound, id="ticket-9")
    )


def test_a_ticket_is_split_into_something() -> None:
    for parts in ((), (TicketPart(subject="x"),) * 21):
        with pytest.raises(ValidationError):
            SplitTicket(ticket_id=TICKET, parts=parts)


def test_employees_watch_tickets() -> None:
    (
        opened()
        .when(WatchTicket(ticket_id=TICKET))
        .then(WatcherAdded(account_id=ACCOUNT, employee_id="tester"))
        .when(WatchTicket(ticket_id=TICKET))
        .then_nothing()
        .when(UnwatchTicket(ticket_id=TICKET, employee_id="emp-li"))
        .then_nothing()
        .when(UnwatchTicket(ticket_id=TICKET))
        .then(WatcherRemoved(account_id=ACCOUNT, employee_id="tester"))
    )


def test_an_unknown_ticket_is_not_found() -> None:
    scenario(SupportApplication).when(ResolveTicket(ticket_id="nope")).then_refused(
        NotFound, kind="ticket"
    )


def test_a_ticket_of_an_unknown_customer_keeps_what_they_said() -> None:
    told = scenario(SupportApplication).when(
        open_ticket(account_id=None, requester="王小明", description="没有电")
    )
    (fact,) = told.then_kinds(TicketOpened).news
    assert isinstance(fact.event, TicketOpened)
    assert (fact.event.requester, fact.event.description) == ("王小明", "没有电")
