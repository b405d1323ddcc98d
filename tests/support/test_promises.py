"""Response and resolution clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from services.support.application import SupportApplication
from services.support.commands import (
    BreachSla,
    ChangeTicket,
    MergeTicket,
    PendTicket,
    RaiseSlaRisk,
    RebaseSla,
    ReopenTicket,
    ReplyToTicket,
    ResolveTicket,
    ResumeTicket,
    UnmergeTicket,
)
from services.support.domain.ticket_rules import NoServiceIsPromised, TicketIsClosed
from services.support.policies.breach_sla import breach_sla
from services.support.policies.raise_sla_risk import raise_sla_risk
from shared.chassis.shapes import Cancel, Later
from shared.chassis.testing import Scenario, recorded
from shared.events.support import (
    Author,
    ClosedBy,
    Priority,
    SlaBreached,
    SlaClock,
    SlaDueSet,
    SlaMet,
    SlaRebased,
    SlaRiskRaised,
    SlaTarget,
    TicketChanged,
    TicketClosed,
    TicketMerged,
    TicketOpened,
    TicketPended,
    TicketReopened,
    TicketReplied,
    TicketResolved,
    TicketResumed,
    TicketStatus,
    TicketUnmerged,
)
from tests.support.builders import (
    ACCOUNT,
    CALENDAR,
    CONTRACT,
    POLICY,
    TICKET,
    calendar_defined,
    desk,
    entitlement_granted,
    monday,
    open_ticket,
    sla_due_set,
    sla_policy_defined,
    ticket_opened,
)

pytestmark = pytest.mark.capability("SUP-03")

TUESDAY_NOON = monday(12) + timedelta(days=1)
WEDNESDAY = monday(9) + timedelta(days=2)


def due(told: Scenario[SupportApplication]) -> dict[SlaClock, SlaDueSet]:
    facts = [fact.event for fact in told.news]
    return {fact.clock: fact for fact in facts if isinstance(fact, SlaDueSet)}


def opened_at_ten() -> Scenario[SupportApplication]:
    """Answer promised by 12:00, resolution by Wednesday 10:00."""
    return desk().after(open_ticket(), at=monday(10))


def test_an_entitled_customer_is_promised_the_service_of_the_contract() -> None:
    told = desk().when(open_ticket(), at=monday(10))
    told.then_kinds(TicketOpened, SlaDueSet, SlaDueSet)
    opened = told.news[0].event
    assert isinstance(opened, TicketOpened)
    assert (opened.entitlement_id, opened.sla_policy_id) == (CONTRACT, POLICY)
    assert due(told) == {
        SlaClock.RESPONSE: sla_due_set(SlaClock.RESPONSE, monday(12), 120, warn_at=monday(11, 36)),
        SlaClock.RESOLUTION: sla_due_set(
            SlaClock.RESOLUTION,
            WEDNESDAY.replace(hour=10),
            960,
            warn_at=monday(14, 48) + timedelta(days=1),
        ),
    }


def test_nothing_is_promised_without_entitlement_or_default() -> None:
    desk().when(open_ticket(account_id="account-2")).then_kinds(TicketOpened)


def test_nothing_is_promised_once_the_entitlement_is_over() -> None:
    day = monday(9).date()
    over = entitlement_granted(ends_on=day - timedelta(days=1))
    desk().given(ACCOUNT, over).when(open_ticket()).then_kinds(TicketOpened)
    desk().given(ACCOUNT, entitlement_granted(ends_on=day)).when(open_ticket()).then_kinds(
        TicketOpened, SlaDueSet, SlaDueSet
    )


def test_an_answer_in_time_keeps_the_promise() -> None:
    told = opened_at_ten().when(ReplyToTicket(ticket_id=TICKET, message="hi"), at=monday(11))
    told.then_kinds(TicketReplied, SlaMet)
    met = told.news[1].event
    assert isinstance(met, SlaMet)
    assert (met.clock, met.working_minutes) == (SlaClock.RESPONSE, 60)


def test_an_answer_that_comes_late_notes_the_breach_at_its_moment() -> None:
    told = opened_at_ten().when(ReplyToTicket(ticket_id=TICKET, message="hi"), at=monday(13))
    told.then_kinds(SlaBreached, TicketReplied)
    assert told.news[0].occurred_at == monday(12)
    told.when(ReplyToTicket(ticket_id=TICKET, message="hi"), at=monday(14)).then_kinds(
        TicketReplied
    )


def test_neither_customers_nor_notes_stop_the_response_clock() -> None:
    (
        opened_at_ten()
        .when(ReplyToTicket(ticket_id=TICKET, message="x", is_public=False), at=monday(11))
        .then_kinds(TicketReplied)
        .when(ReplyToTicket(ticket_id=TICKET, message="x", author=Author.CUSTOMER), at=monday(11))
        .then_kinds(TicketReplied)
    )


def test_resolving_stops_both_clocks() -> None:
    opened_at_ten().when(ResolveTicket(ticket_id=TICKET), at=monday(11)).then_kinds(
        TicketResolved, SlaMet, SlaMet
    )


def test_the_clocks_stand_still_while_the_customer_is_waited_for() -> None:
    told = (
        opened_at_ten()
        .after(PendTicket(ticket_id=TICKET), at=monday(11))
        .when(ResumeTicket(ticket_id=TICKET), at=TUESDAY_NOON)
    )
    told.then_kinds(TicketResumed, SlaDueSet, SlaDueSet)
    resumed = told.news[0].event
    assert isinstance(resumed, TicketResumed)
    assert resumed.paused_minutes == (6 + 3) * 60
    assert due(told)[SlaClock.RESPONSE].due_at == TUESDAY_NOON + timedelta(hours=1)
    assert due(told)[SlaClock.RESPONSE].warn_at == TUESDAY_NOON + timedelta(minutes=36)
    assert due(told)[SlaClock.RESOLUTION].due_at == WEDNESDAY.replace(hour=11) + timedelta(days=1)


def test_pauses_do_not_count_as_working_time() -> None:
    told = (
        opened_at_ten()
        .after(PendTicket(ticket_id=TICKET), at=monday(11))
        .when(ResolveTicket(ticket_id=TICKET), at=TUESDAY_NOON)
    )
    told.then_kinds(TicketResumed, SlaDueSet, SlaDueSet, TicketResolved, SlaMet, SlaMet)
    assert [fact.event.working_minutes for fact in told.news if isinstance(fact.event, SlaMet)] == [
        60,
        60,
    ]


def test_an_answer_during_the_wait_took_the_time_before_it() -> None:
    told = opened_at_ten().after(PendTicket(ticket_id=TICKET), at=monday(10, 20))
    told.when(ReplyToTicket(ticket_id=TICKET, message="hi"), at=monday(13))
    (met,) = [fact.event for fact in told.news if isinstance(fact.event, SlaMet)]
    assert met.working_minutes == 20


def test_a_wait_that_begins_too_late_does_not_hide_the_breach() -> None:
    (
        opened_at_ten()
        .when(PendTicket(ticket_id=TICKET), at=monday(13))
        .then_kinds(SlaBreached, TicketPended)
    )


def test_another_priority_is_another_promise_less_the_time_used() -> None:
    told = opened_at_ten().when(
        ChangeTicket(ticket_id=TICKET, priority=Priority.CRITICAL), at=monday(10, 10)
    )
    told.then_kinds(TicketChanged, SlaDueSet, SlaDueSet)
    assert due(told)[SlaClock.RESPONSE].due_at == monday(10, 30)
    assert due(told)[SlaClock.RESOLUTION].due_at == monday(14)


def test_a_stricter_promise_already_used_up_falls_due_at_once() -> None:
    told = opened_at_ten().when(
        ChangeTicket(ticket_id=TICKET, priority=Priority.CRITICAL), at=monday(11)
    )
    assert due(told)[SlaClock.RESPONSE].due_at == monday(11)


def test_a_ticket_keeps_the_policy_and_calendar_of_its_opening() -> None:
    told = opened_at_ten()
    told.given(CALENDAR, calendar_defined(calendar_version=2, hours=()))
    told.given(POLICY, sla_policy_defined(sla_version=2, reopen_within_days=0))
    told.after(PendTicket(ticket_id=TICKET), at=monday(11))
    told.when(ResumeTicket(ticket_id=TICKET), at=monday(16, 30))
    tuesday = monday(9) + timedelta(days=1)
    assert due(told)[SlaClock.RESPONSE].due_at == tuesday + timedelta(minutes=30)


def test_a_reopened_ticket_is_promised_the_full_time_to_resolve() -> None:
    told = (
        opened_at_ten()
        .after(ResolveTicket(ticket_id=TICKET), at=monday(11))
        .when(ReopenTicket(ticket_id=TICKET, reason="again"), at=monday(13))
    )
    told.then_kinds(TicketReopened, SlaDueSet)
    assert due(told)[SlaClock.RESOLUTION].due_at == WEDNESDAY.replace(hour=13)


def test_deadlines_follow_the_promise() -> None:
    fact = sla_due_set(SlaClock.RESPONSE, monday(12), 120, warn_at=monday(11, 36))
    key = f"{TICKET}/response"
    about = {"ticket_id": TICKET, "clock": SlaClock.RESPONSE, "due_at": monday(12)}
    promised = recorded(fact, stream_id=TICKET)
    assert breach_sla(promised) == [Later(monday(12), BreachSla.model_validate(about), key)]
    assert raise_sla_risk(promised) == [
        Later(monday(11, 36), RaiseSlaRisk.model_validate(about), key)
    ]
    kept = recorded(SlaMet(clock=SlaClock.RESPONSE), stream_id=TICKET)
    assert breach_sla(kept) == raise_sla_risk(kept) == [Cancel(key)]
    waiting = recorded(TicketPended(waiting_since=monday(11)), stream_id=TICKET)
    assert breach_sla(waiting) == [Cancel(key), Cancel(f"{TICKET}/resolution")]


def test_risk_and_breach_are_noted_once() -> None:
    risk = RaiseSlaRisk(ticket_id=TICKET, clock=SlaClock.RESPONSE, due_at=monday(12))
    breach = BreachSla(ticket_id=TICKET, clock=SlaClock.RESPONSE, due_at=monday(12))
    (
        opened_at_ten()
        .when(risk, at=monday(11, 36))
        .then_kinds(SlaRiskRaised)
        .when(risk, at=monday(11, 37))
        .then_nothing()
        .when(breach, at=monday(11, 59))
        .then_nothing()
        .when(breach, at=monday(12))
        .then_kinds(SlaBreached)
        .when(breach, at=monday(12))
        .then_nothing()
        .when(risk, at=monday(12))
        .then_nothing()
    )


@pytest.mark.parametrize("suspended", [PendTicket, ResolveTicket])
def test_a_deadline_that_no_longer_holds_changes_nothing(suspended: type[PendTicket]) -> None:
    told = opened_at_ten().after(suspended(ticket_id=TICKET), at=monday(11))
    for clock in SlaClock:
        when = BreachSla(ticket_id=TICKET, clock=clock, due_at=monday(12))
        told.when(when, at=monday(12)).then_nothing()


def test_a_deadline_that_was_moved_changes_nothing() -> None:
    told = opened_at_ten().after(PendTicket(ticket_id=TICKET), at=monday(11))
    told.after(ResumeTicket(ticket_id=TICKET), at=monday(13))
    old = BreachSla(ticket_id=TICKET, clock=SlaClock.RESPONSE, due_at=monday(12))
    told.when(old, at=monday(13, 30)).then_nothing()


def test_the_clocks_of_a_merged_ticket_run_on_when_it_is_taken_out() -> None:
    told = opened_at_ten().given("ticket-2", ticket_opened(number="T2603-2"))
    told.when(MergeTicket(ticket_id=TICKET, into_id="ticket-2"), at=monday(11))
    told.then_kinds(TicketMerged)
    told.when(UnmergeTicket(ticket_id=TICKET), at=monday(13))
    told.then_kinds(TicketUnmerged, SlaBreached, SlaDueSet)
    assert due(told)[SlaClock.RESOLUTION].due_at == datetime(2026, 3, 4, 10, tzinfo=UTC)
    assert due(told)[SlaClock.RESOLUTION].warn_at == monday(14, 48) + timedelta(days=1)


def test_a_ticket_that_was_merged_while_it_waited_waits_on_when_it_is_taken_out() -> None:
    told = opened_at_ten().given("ticket-2", ticket_opened(number="T2603-2"))
    told.after(PendTicket(ticket_id=TICKET), at=monday(11))
    told.after(MergeTicket(ticket_id=TICKET, into_id="ticket-2"), at=monday(14))
    told.when(UnmergeTicket(ticket_id=TICKET), at=monday(15)).then(
        TicketUnmerged(
            account_id=ACCOUNT,
            from_id="ticket-2",
            status=TicketStatus.PENDING,
            waiting_since=monday(11),
        )
    )
    told.when(ResumeTicket(ticket_id=TICKET), at=monday(15, 30))
    told.then_kinds(TicketResumed, SlaDueSet, SlaDueSet)
    assert due(told)[SlaClock.RESPONSE].due_at == monday(16, 30)


def test_a_ticket_at_risk_that_is_given_more_time_is_warned_of_again() -> None:
    critical, low = Priority.CRITICAL, Priority.MODERATE
    told = desk().after(open_ticket(priority=critical), at=monday(10))
    risk = RaiseSlaRisk(ticket_id=TICKET, clock=SlaClock.RESPONSE, due_at=monday(10, 30))
    told.after(risk, at=monday(10, 24))
    told.when(ChangeTicket(ticket_id=TICKET, priority=low), at=monday(10, 25))
    assert due(told)[SlaClock.RESPONSE].warn_at == monday(11, 36)
    again = RaiseSlaRisk(ticket_id=TICKET, clock=SlaClock.RESPONSE, due_at=monday(12))
    told.when(again, at=monday(11, 36)).then_kinds(SlaRiskRaised)


def test_a_ticket_at_risk_is_not_warned_of_again_after_a_wait() -> None:
    risk = RaiseSlaRisk(ticket_id=TICKET, clock=SlaClock.RESPONSE, due_at=monday(12))
    told = opened_at_ten().after(risk, at=monday(11, 36))
    told.after(PendTicket(ticket_id=TICKET), at=monday(11, 40))
    told.when(ResumeTicket(ticket_id=TICKET), at=monday(13))
    assert due(told)[SlaClock.RESPONSE].due_at == monday(13, 20)
    assert due(told)[SlaClock.RESPONSE].warn_at is None
    again = RaiseSlaRisk(ticket_id=TICKET, clock=SlaClock.RESPONSE, due_at=monday(13, 20))
    told.when(again, at=monday(13, 1)).then_nothing()


def test_a_priority_that_is_promised_something_starts_the_clocks() -> None:
    told = desk().after(open_ticket(priority=Priority.LOW), at=monday(10))
    told.when(ChangeTicket(ticket_id=TICKET, priority=Priority.CRITICAL), at=monday(11))
    told.then_kinds(TicketChanged, SlaDueSet, SlaDueSet)
    assert due(told)[SlaClock.RESPONSE].due_at == monday(11, 30)
    assert due(told)[SlaClock.RESOLUTION].due_at == monday(15)


def test_what_is_answered_or_resolved_is_not_promised_any_more() -> None:
    told = desk().after(open_ticket(priority=Priority.LOW), at=monday(10))
    told.after(ReplyToTicket(ticket_id=TICKET, message="hi"), at=monday(11))
    told.after(open_ticket(ticket_id="ticket-2", priority=Priority.LOW), at=monday(10))
    told.after(ResolveTicket(ticket_id="ticket-2"), at=monday(11))
    told.when(ChangeTicket(ticket_id=TICKET, priority=Priority.CRITICAL), at=monday(12))
    assert due(told).keys() == {SlaClock.RESOLUTION}
    told.when(ChangeTicket(ticket_id="ticket-2", priority=Priority.CRITICAL), at=monday(12))
    told.then_kinds(TicketChanged)


def test_an_entitlement_holds_until_its_last_day_is_over_where_the_contract_is() -> None:
    day = monday(9).date()
    there = entitlement_granted(ends_on=day, time_zone="America/Los_Angeles")
    told = desk().given(ACCOUNT, there)
    last = monday(9) + timedelta(hours=22)
    told.when(open_ticket(), at=last).then_kinds(TicketOpened, SlaDueSet, SlaDueSet)
    told.when(open_ticket(ticket_id="ticket-2"), at=last + timedelta(hours=1))
    told.then_kinds(TicketOpened)


REBASE = RebaseSla(ticket_id=TICKET)


def rebased(**over: object) -> SlaRebased:
    values = {
        "account_id": ACCOUNT,
        "entitlement_id": CONTRACT,
        "sla_policy_id": POLICY,
        "sla_version": 1,
        "calendar_id": CALENDAR,
        "calendar_version": 1,
    }
    return SlaRebased.model_validate(values | over)


def test_a_rebased_ticket_is_promised_what_holds_today_less_the_time_used() -> None:
    strict = SlaTarget(priority=Priority.MODERATE, response_minutes=60, resolution_minutes=480)
    told = opened_at_ten()
    told.given(CALENDAR, calendar_defined(calendar_version=2, hours=()))
    told.given(POLICY, sla_policy_defined(sla_version=2, targets=(strict,)))
    told.when(REBASE, at=monday(10, 30))
    told.then_kinds(SlaRebased, SlaDueSet, SlaDueSet)
    assert told.news[0].event == rebased(sla_version=2, calendar_version=2)
    assert due(told)[SlaClock.RESPONSE].due_at == monday(11)
    assert due(told)[SlaClock.RESOLUTION].due_at == monday(18)
    assert due(told)[SlaClock.RESPONSE].sla_version == 2
    told.when(REBASE, at=monday(10, 40)).then_nothing()
    told.after(PendTicket(ticket_id=TICKET), at=monday(10, 40))
    told.when(ResumeTicket(ticket_id=TICKET), at=monday(20))
    assert due(told)[SlaClock.RESOLUTION].due_at == monday(20) + timedelta(hours=7, minutes=20)


def test_a_rebased_ticket_is_promised_the_service_of_the_contract_named_since() -> None:
    silver = SlaTarget(priority=Priority.MODERATE, response_minutes=240, resolution_minutes=960)
    contract, policy = "contract-2", "policy-2"
    told = opened_at_ten()
    told.given(policy, sla_policy_defined(targets=(silver,)))
    told.given(ACCOUNT, entitlement_granted(contract_id=contract, sla_policy_id=policy))
    told.after(ChangeTicket(ticket_id=TICKET, contract_id=contract), at=monday(11))
    told.when(REBASE, at=monday(11))
    told.then_kinds(SlaRebased, SlaDueSet, SlaDueSet)
    now = {"contract_id": contract, "entitlement_id": contract, "sla_policy_id": policy}
    assert told.news[0].event == rebased(**now)
    assert due(told)[SlaClock.RESPONSE].due_at == monday(14)


def test_a_rebased_ticket_is_promised_the_service_of_the_customer_who_became_known() -> None:
    told = desk().after(open_ticket(account_id=None), at=monday(9))
    told.when(REBASE, at=monday(10)).then_refused(NoServiceIsPromised)
    told.after(ChangeTicket(ticket_id=TICKET, account_id=ACCOUNT), at=monday(11))
    told.when(REBASE, at=monday(11))
    assert told.news[0].event == rebased()
    assert due(told)[SlaClock.RESPONSE].due_at == monday(13)


def test_a_wait_before_the_rebase_is_not_counted() -> None:
    told = opened_at_ten().after(PendTicket(ticket_id=TICKET), at=monday(11))
    told.given(CALENDAR, calendar_defined(calendar_version=2, hours=()))
    told.after(REBASE, at=monday(20))
    told.when(ResumeTicket(ticket_id=TICKET), at=monday(21))
    assert due(told)[SlaClock.RESPONSE].due_at == monday(22)


def test_a_rebase_neither_unbreaks_a_promise_nor_wakes_a_closed_ticket() -> None:
    told = opened_at_ten().given(POLICY, sla_policy_defined(sla_version=2, name="silver"))
    told.when(REBASE, at=monday(13)).then_kinds(SlaBreached, SlaRebased, SlaDueSet)
    told.after(ResolveTicket(ticket_id=TICKET), at=monday(14))
    told.given(POLICY, sla_policy_defined(sla_version=3, name="gold"))
    told.when(REBASE, at=monday(15)).then_kinds(SlaRebased)
    told.given(TICKET, TicketClosed(closed_by=ClosedBy.AGENT))
    told.when(REBASE, at=monday(16)).then_refused(TicketIsClosed)
