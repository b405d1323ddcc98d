"""Leads are followed up, judged, and become customers, and a conversion can be taken back."""

from typing import Any

import pytest

from services.leads.application import LeadsApplication
from services.leads.commands import (
    CancelFollowUp,
    ConvertLead,
    DisqualifyLead,
    NextStep,
    NurtureLead,
    PlanFollowUp,
    QualifyLead,
    RecordFollowUp,
    ReopenLead,
    RevertConversion,
    WantedOpportunity,
)
from services.leads.domain.refusals import (
    ContactOfAnotherAccount,
    LeadHasNoOwner,
    LeadIsNotConverted,
    LeadIsOpen,
    LeadIsSettled,
    MoneyHasMoved,
)
from services.leads.projections.customer_payments import CustomerPayments
from services.leads.projections.known_customers import CustomerAddresses, KnownCustomers
from shared.chassis.shapes import Command, Invalid, NotFound, Refused, Taken
from shared.chassis.testing import NOON, Scenario, recorded, scenario
from shared.events.base import Event
from shared.events.leads import (
    CarriedFollowUp,
    ConversionReverted,
    FollowUpCancelled,
    FollowUpPlanned,
    FollowUpRecorded,
    HoldingEnd,
    HoldingEnded,
    HoldingStarted,
    LeadAssigned,
    LeadConverted,
    LeadDisqualified,
    LeadNurtured,
    LeadPooled,
    LeadQualified,
    LeadReopened,
    PoolEntry,
    RecycleScheduled,
)
from shared.events.values import Attitude, Money
from tests.leads.builders import (
    ANNA,
    BEN,
    DAY,
    EMAIL,
    LEAD,
    PHONE,
    POOL,
    account_opened,
    contact_added,
    follow_up_planned,
    follow_up_recorded,
    holding_started,
    lead_assigned,
    lead_captured,
    lead_claimed,
    lead_converted,
    lead_disqualified,
    lead_nurtured,
    lead_pooled,
    lead_qualified,
    payment_received,
    payment_reversed,
    pool_opened,
    pool_rules_configured,
)

CALL = RecordFollowUp(lead_id=LEAD, follow_up_id="follow-up-1", method="call", content="有兴趣")
CONVERT = ConvertLead(lead_id=LEAD, account_id="account-1", contact_id="contact-1")
REVERT = RevertConversion(lead_id=LEAD, reason="wrong company")


def lead(*history: Event, **captured: Any) -> Scenario[LeadsApplication]:
    views = (KnownCustomers, CustomerAddresses, CustomerPayments)
    return scenario(LeadsApplication, views).given(LEAD, lead_captured(**captured), *history)


@pytest.mark.capability("LEA-13")
def test_a_follow_up_is_recorded_with_what_came_of_it() -> None:
    told = RecordFollowUp(
        lead_id=LEAD,
        follow_up_id="follow-up-1",
        method="visit",
        content="看了样机",
        outcome="wants a quote",
        attitude=Attitude.POSITIVE,
        duration_minutes=90,
        cost=Money.of("35.50", "CNY"),
    )
    done = lead(lead_assigned()).when(told, by=ANNA)
    done.then(
        FollowUpRecorded(
            follow_up_id="follow-up-1",
            employee_id="anna",
            owner_id="anna",
            at=NOON,
            method="visit",
            content="看了样机",
            outcome="wants a quote",
            attitude=Attitude.POSITIVE,
            duration_minutes=90,
            cost=Money.of("35.50", "CNY"),
        )
    )
    assert done.answer is not None
    assert done.answer.outcome == {"follow_up_id": "follow-up-1"}
    done.when(told, by=ANNA).then_nothing()


@pytest.mark.capability("LEA-13")
def test_a_record_may_chain_the_next_step_and_fulfil_a_planned_one() -> None:
    step = NextStep(follow_up_id="plan-2", due_at=NOON + DAY, method="visit", next_step="演示")
    done = lead(lead_assigned(), follow_up_planned())
    done.when(CALL.model_copy(update={"plan_id": "plan-1", "next": step}), by=ANNA).then(
        follow_up_recorded(plan_id="plan-1"),
        FollowUpPlanned(
            follow_up_id="plan-2",
            after_id="follow-up-1",
            employee_id="anna",
            method="visit",
            next_step="演示",
            due_at=NOON + DAY,
        ),
    )
    again = RecordFollowUp(lead_id=LEAD, method="call", plan_id="plan-1")
    done.when(again, by=ANNA).then_refused(NotFound)


@pytest.mark.capability("LEA-13")
def test_a_next_step_is_planned_ahead_and_can_be_dropped() -> None:
    done = lead(lead_assigned())
    plan = PlanFollowUp(lead_id=LEAD, follow_up_id="plan-1", due_at=NOON + DAY, employee_id="ben")
    done.when(plan, by=ANNA).then(follow_up_planned(employee_id="ben"))
    done.when(plan, by=ANNA).then_nothing()
    done.when(PlanFollowUp(lead_id=LEAD, due_at=NOON), by=ANNA).then_refused(Invalid)
    drop = CancelFollowUp(lead_id=LEAD, follow_up_id="plan-1", reason="on holiday")
    done.when(drop).then(FollowUpCancelled(follow_up_id="plan-1", reason="on holiday"))
    done.when(drop).then_refused(NotFound)


@pytest.mark.capability("LEA-13")
def test_an_id_chosen_for_a_follow_up_is_used_once_among_all_leads() -> None:
    done = lead(lead_assigned()).given("lead-2", lead_captured(), lead_assigned())
    plan = PlanFollowUp(lead_id=LEAD, follow_up_id="talk-1", due_at=NOON + DAY)
    done.when(plan, by=ANNA).then_kinds(FollowUpPlanned)
    elsewhere = plan.model_copy(update={"lead_id": "lead-2"})
    done.when(elsewhere, by=ANNA).then_refused(Taken, holder=LEAD)
    for talk in (
        RecordFollowUp(lead_id="lead-2", method="call", follow_up_id="talk-1"),
        RecordFollowUp(lead_id=LEAD, method="call", follow_up_id="talk-1", plan_id="talk-1"),
        RecordFollowUp(
            lead_id="lead-2",
            method="call",
            next=NextStep(follow_up_id="talk-1", due_at=NOON + DAY),
        ),
    ):
        done.when(talk, by=ANNA).then_refused(Taken, holder=LEAD)
    fulfilled = RecordFollowUp(lead_id=LEAD, method="call", plan_id="talk-1")
    done.when(fulfilled, by=ANNA).then_kinds(FollowUpRecorded)
    done.when(plan, by=ANNA).then_refused(Taken, holder=LEAD)


@pytest.mark.capability("LEA-13")
def test_only_an_owned_and_open_lead_is_followed_up() -> None:
    lead().when(CALL).then_refused(LeadHasNoOwner)
    lead(lead_assigned(), lead_disqualified()).when(CALL).then_refused(LeadIsSettled)
    settled = lead(lead_assigned(), lead_converted())
    settled.when(PlanFollowUp(lead_id=LEAD, due_at=NOON + DAY)).then_refused(LeadIsSettled)


OWNED = (lead_assigned(),)
WORKING = (*OWNED, follow_up_recorded())
QUALIFIED = (*OWNED, lead_qualified())
NURTURING = (*OWNED, lead_nurtured())
DISQUALIFIED = (*OWNED, lead_disqualified())
CONVERTED = (*OWNED, lead_converted())
QUALIFY = QualifyLead(lead_id=LEAD)
NURTURE = NurtureLead(lead_id=LEAD)
DISQUALIFY = DisqualifyLead(lead_id=LEAD, reason="no budget")
REOPEN = ReopenLead(lead_id=LEAD, reason="called back")


@pytest.mark.capability("LEA-15")
@pytest.mark.parametrize(
    ("history", "command", "outcome"),
    [
        ((), QUALIFY, LeadHasNoOwner),
        ((), NURTURE, LeadHasNoOwner),
        ((), DISQUALIFY, LeadDisqualified),
        ((), REOPEN, LeadIsOpen),
        ((), CONVERT, LeadHasNoOwner),
        (OWNED, QUALIFY, LeadQualified),
        (OWNED, NURTURE, LeadNurtured),
        (OWNED, DISQUALIFY, LeadDisqualified),
        (OWNED, REOPEN, LeadIsOpen),
        (OWNED, CONVERT, LeadConverted),
        (WORKING, QUALIFY, LeadQualified),
        (QUALIFIED, QUALIFY, None),
        (QUALIFIED, NURTURE, LeadNurtured),
        (QUALIFIED, DISQUALIFY, LeadDisqualified),
        (QUALIFIED, CONVERT, LeadConverted),
        (NURTURING, NURTURE, None),
        (NURTURING, QUALIFY, LeadQualified),
        (NURTURING, REOPEN, LeadReopened),
        (NURTURING, CONVERT, LeadConverted),
        (DISQUALIFIED, DISQUALIFY, None),
        (DISQUALIFIED, QUALIFY, LeadIsSettled),
        (DISQUALIFIED, NURTURE, LeadIsSettled),
        (DISQUALIFIED, CONVERT, LeadIsSettled),
        (DISQUALIFIED, REOPEN, LeadReopened),
        (CONVERTED, CONVERT, None),
        (CONVERTED, QUALIFY, LeadIsSettled),
        (CONVERTED, NURTURE, LeadIsSettled),
        (CONVERTED, DISQUALIFY, LeadIsSettled),
        (CONVERTED, REOPEN, LeadIsSettled),
        (OWNED, REVERT, LeadIsNotConverted),
    ],
)
def test_moves_between_states(
    history: tuple[Event, ...], command: Command, outcome: type[Any] | None
) -> None:
    done = lead(*history).when(command)
    if outcome is None:
        done.then_nothing()
    elif issubclass(outcome, Refused):
        done.then_refused(outcome)
    else:
        done.then_kinds(outcome)


@pytest.mark.capability("LEA-15")
def test_nurturing_ends_in_the_future() -> None:
    past = NurtureLead(lead_id=LEAD, until=NOON.date())
    lead(lead_assigned()).when(past).then_refused(Invalid)


@pytest.mark.capability("LEA-15")
def test_giving_a_lead_up_drops_what_was_planned() -> None:
    done = lead(lead_assigned(), follow_up_planned()).when(DISQUALIFY)
    done.then_kinds(LeadDisqualified, FollowUpCancelled)


@pytest.mark.capability("LEA-15")
def test_a_reopened_lead_goes_to_its_owner_or_to_a_pool() -> None:
    done = lead(*DISQUALIFIED).given(POOL, pool_opened())
    done.when(REOPEN).then(LeadReopened(owner_id="anna", reason="called back"))
    pooled = lead(*DISQUALIFIED).given(POOL, pool_opened())
    pooled.when(REOPEN.model_copy(update={"pool_id": POOL})).then(
        LeadReopened(reason="called back"),
        LeadPooled(pool_id=POOL, entry=PoolEntry.REOPENED, previous_owner_id="anna"),
    )
    nobodys = lead(lead_pooled(), lead_disqualified(owner_id=None)).given(POOL, pool_opened())
    nobodys.when(REOPEN).then_kinds(LeadReopened, LeadPooled)


@pytest.mark.capability("LEA-16")
def test_a_conversion_gives_account_contact_and_opportunity_and_carries_follow_ups() -> None:
    done = lead(lead_assigned(unit_id="east"), follow_up_recorded(), follow_up_planned())
    wanted = WantedOpportunity(
        opportunity_id="opportunity-1", name="企业版", amount=Money.of(50000, "CNY")
    )
    done.when(CONVERT.model_copy(update={"opportunity": wanted}), by=ANNA)
    done.then(
        LeadConverted(
            account_id="account-1",
            opens_account=True,
            contact_id="contact-1",
            opens_contact=True,
            opportunity_id="opportunity-1",
            owner_id="anna",
            unit_id="east",
            is_person=False,
            account_name="云山科技",
            contact_name="王伟",
            phones=(PHONE,),
            emails=(EMAIL,),
            channel="web_form",
            opportunity_name="企业版",
            amount=Money.of(50000, "CNY"),
            follow_ups=(
                CarriedFollowUp(
                    follow_up_id="follow-up-1",
                    employee_id="anna",
                    method="call",
                    at=NOON,
                    content="有兴趣",
                ),
            ),
        ),
        FollowUpCancelled(follow_up_id="plan-1", reason="lead converted"),
    )
    assert done.answer is not None
    assert done.answer.outcome == {
        "account_id": "account-1",
        "contact_id": "contact-1",
        "opportunity_id": "opportunity-1",
    }


@pytest.mark.capability("LEA-16")
def test_saying_it_twice_converts_once_and_answers_the_same_ids() -> None:
    plain = ConvertLead(lead_id=LEAD, opportunity=WantedOpportunity())
    done = lead(lead_assigned()).when(plain)
    first = done.answer
    again = done.when(plain, at=NOON + DAY).then_nothing().answer
    assert first is not None
    assert again is not None
    assert len(first.outcome) == 3
    assert again.outcome == first.outcome
    done.when(CONVERT).then_refused(LeadIsSettled)


@pytest.mark.capability("LEA-16")
def test_a_lead_without_company_becomes_a_person() -> None:
    done = lead(lead_assigned(), company=None)
    [fact] = done.when(CONVERT).then_kinds(LeadConverted).news
    assert isinstance(fact.event, LeadConverted)
    assert fact.event.is_person
    assert fact.event.account_name == "王伟"


@pytest.mark.capability("LEA-16")
def test_whoever_converts_a_lead_nobody_has_names_its_owner() -> None:
    done = lead().when(CONVERT.model_copy(update={"owner_id": "sr-1"}))
    done.then_kinds(LeadAssigned, LeadConverted)


@pytest.mark.capability("LEA-16")
def test_a_lead_can_be_attached_to_an_existing_account_and_contact() -> None:
    done = lead(lead_assigned()).known(
        recorded(account_opened(phones=None), "account-7"),
        recorded(contact_added(account_id="account-7"), "contact-7", position=2),
        recorded(contact_added(account_id="account-8"), "contact-8", position=3),
    )

    def attach(account: str | None, contact: str | None, **more: Any) -> ConvertLead:
        return ConvertLead(
            lead_id=LEAD, existing_account_id=account, existing_contact_id=contact, **more
        )

    done.when(attach("account-9", None)).then_refused(NotFound, kind="account")
    done.when(attach("contact-7", None)).then_refused(NotFound, kind="account")
    done.when(attach("account-7", "contact-9")).then_refused(NotFound, kind="contact")
    done.when(attach("account-7", "contact-8")).then_refused(ContactOfAnotherAccount)
    done.when(attach(None, "contact-7")).then_refused(Invalid)
    done.when(attach("account-7", None, account_id="x")).then_refused(Invalid)
    [fact] = done.when(attach("account-7", "contact-7")).then_kinds(LeadConverted).news
    assert isinstance(fact.event, LeadConverted)
    assert (fact.event.account_id, fact.event.opens_account) == ("account-7", False)
    assert (fact.event.contact_id, fact.event.opens_contact) == ("contact-7", False)


@pytest.mark.capability("LEA-16")
def test_reverting_undoes_exactly_what_the_conversion_opened() -> None:
    called = follow_up_recorded(follow_up_id="call-1")
    made = lead_converted(contact_id="contact-7", opens_contact=False)
    done = lead(*QUALIFIED, called, made)
    done.when(REVERT).then(
        ConversionReverted(
            account_id="account-1",
            withdraws_account=True,
            contact_id="contact-7",
            withdraws_contact=False,
            owner_id="anna",
            follow_up_ids=("call-1",),
            reason="wrong company",
        )
    )
    done.when(REVERT).then_refused(LeadIsNotConverted)
    done.when(QUALIFY).then_nothing()
    done.when(CONVERT).then_kinds(LeadConverted)


@pytest.mark.capability("LEA-16")
def test_an_id_chosen_for_what_a_conversion_opens_is_used_once() -> None:
    done = lead(*QUALIFIED).known(recorded(account_opened(phones=None), "account-7"))
    done.when(ConvertLead(lead_id=LEAD, account_id="account-7")).then_refused(Taken)
    done.when(CONVERT).then_kinds(LeadConverted)
    done.when(CONVERT).then_nothing()
    done.when(REVERT).then_kinds(ConversionReverted)
    done.when(CONVERT).then_refused(Taken, holder=LEAD)
    done.when(ConvertLead(lead_id=LEAD, account_id="account-2")).then_kinds(LeadConverted)


@pytest.mark.capability("LEA-16")
def test_a_conversion_frees_the_book_and_reverting_fills_it_again() -> None:
    done = lead(lead_pooled(), lead_claimed()).given("claim-book:anna", holding_started())
    done.given(POOL, pool_opened(), pool_rules_configured(recycle_after_days=7))
    done.when(CONVERT, by=ANNA).then_kinds(LeadConverted, HoldingEnded)
    ended = done.news[1].event
    assert isinstance(ended, HoldingEnded)
    assert ended.end is HoldingEnd.CONVERTED
    done.when(REVERT, by=BEN).then_kinds(ConversionReverted, RecycleScheduled, HoldingStarted)


@pytest.mark.capability("LEA-16")
def test_reverting_is_refused_while_money_has_moved() -> None:
    paid = recorded(payment_received(), "payment-1")
    back = recorded(payment_reversed(), "payment-1", version=2, position=2)
    done = lead(*CONVERTED).known(paid)
    done.when(REVERT).then_refused(MoneyHasMoved, account_id="account-1")
    done.known(back).when(REVERT).then_kinds(ConversionReverted)


@pytest.mark.capability("LEA-16")
def test_of_an_existing_account_only_payments_for_the_lead_stand_in_the_way() -> None:
    attached = lead_converted(opens_account=False, opportunity_id="opportunity-1")
    earlier = recorded(payment_received(), "payment-1")
    done = lead(lead_assigned(), attached).known(earlier).when(REVERT)
    done.then_kinds(ConversionReverted)
    for its_own in ({"lead_id": LEAD}, {"opportunity_id": "opportunity-1"}):
        paid = recorded(payment_received(**its_own), "payment-2")
        lead(lead_assigned(), attached).known(paid).when(REVERT).then_refused(MoneyHasMoved)
