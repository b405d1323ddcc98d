from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.billing.application import BillingApplication
from services.billing.commands import (
    AgreePaymentPlan,
    AmendContract,
    DraftContract,
    InstalmentTerms,
    NoteInstalmentDue,
    ReachMilestone,
    ReceivePayment,
    ReversePayment,
    ReviseContract,
    RevisePaymentPlan,
    SignContract,
    TerminateContract,
)
from services.billing.domain.allocation import CurrencyDiffers
from services.billing.domain.contract import ContractIsSettled
from services.billing.domain.payment_plan import (
    InstalmentIsPaidAgainst,
    InstalmentListedTwice,
    InstalmentsDoNotAddUp,
    InstalmentState,
    MilestoneUnknown,
    PaymentPlan,
    PlanIsPaidAgainst,
)
from shared.chassis.shapes import NotFound, Taken, fold
from shared.chassis.testing import NOON, Scenario
from shared.events.billing import (
    ContractApproved,
    ContractSigned,
    InstalmentFellDue,
    InstalmentFellOverdue,
    InstalmentPaid,
    InstalmentReopened,
    InstalmentScheduled,
    InstalmentSettled,
    LedgerPosted,
    PaymentAllocated,
    PaymentPlanAgreed,
    PaymentPlanRevised,
    PaymentReceived,
    ReversalReason,
)
from tests.billing.builders import (
    ACCOUNT,
    CONTRACT,
    PAYMENT,
    PLAN,
    billing,
    cny,
    contract_drafted,
    eur,
    in_days,
    part,
    running_contract,
)

pytestmark = pytest.mark.capability("BIL-04")

World = Scenario[BillingApplication]


def planned() -> World:
    """A running contract over 100, of which 60 are due in ten days and 40 in twenty."""
    return billing().after(
        *running_contract(100, part(60, 10, "i1"), part(40, 20, "i2")),
    )


def paid(amount: int) -> ReceivePayment:
    return ReceivePayment(
        payment_id=PAYMENT, contract_id=CONTRACT, amount=cny(amount), method="bank"
    )


def states(world: World) -> list[InstalmentState]:
    plan = fold(PaymentPlan, [fact.event for fact in world.log.stream(PLAN)])
    assert plan is not None
    return [term.state for term in plan.terms]


def note(instalment_id: str) -> NoteInstalmentDue:
    return NoteInstalmentDue(contract_id=CONTRACT, instalment_id=instalment_id)


def test_a_plan_adds_up_to_the_contract() -> None:
    world = billing().given(CONTRACT, contract_drafted())
    short = AgreePaymentPlan(contract_id=CONTRACT, instalments=(part(60, 10), part("39.99", 20)))
    world.when(short).then_refused(InstalmentsDoNotAddUp, total="100 CNY", given="99.99 CNY")
    right = AgreePaymentPlan(contract_id=CONTRACT, instalments=(part(60, 10), part(40, 20)))
    world.when(right).then_kinds(PaymentPlanAgreed)
    assert world.answer is not None
    assert world.answer.id == PLAN


def test_a_plan_needs_a_contract_that_goes_on() -> None:
    wish = AgreePaymentPlan(contract_id=CONTRACT, instalments=(part(100, 10),))
    billing().when(wish).then_refused(NotFound)
    world = planned().after(TerminateContract(contract_id=CONTRACT, reason="no"))
    world.when(wish).then_refused(ContractIsSettled)


def test_a_plan_is_in_the_contract_s_currency() -> None:
    world = billing().given(CONTRACT, contract_drafted())
    euros = InstalmentTerms(amount=eur(100), due_on=in_days(1))
    world.when(AgreePaymentPlan(contract_id=CONTRACT, instalments=(euros,))).then_refused(
        CurrencyDiffers
    )


def test_an_instalment_has_either_a_date_or_a_milestone() -> None:
    with pytest.raises(ValidationError, match="either due_on or milestone"):
        InstalmentTerms(amount=cny(1))
    with pytest.raises(ValidationError, match="either due_on or milestone"):
        InstalmentTerms(amount=cny(1), due_on=in_days(1), milestone="验收")


def test_an_instalment_stands_in_a_plan_once() -> None:
    world = billing().given(CONTRACT, contract_drafted())
    twice = (part(50, 10, "i1"), part(50, 20, "i1"))
    world.when(AgreePaymentPlan(contract_id=CONTRACT, instalments=twice)).then_refused(
        InstalmentListedTwice
    )


def test_a_plan_is_agreed_anew_while_nothing_is_paid_and_not_after() -> None:
    world = planned()
    anew = AgreePaymentPlan(contract_id=CONTRACT, instalments=(part(100, 5),))
    world.when(anew).then_kinds(PaymentPlanRevised)
    world.after(paid(1))
    world.when(anew).then_refused(PlanIsPaidAgainst)


def test_saying_the_same_plan_again_changes_nothing() -> None:
    same = (part(60, 10, "i1"), part(40, 20, "i2"))
    planned().when(AgreePaymentPlan(contract_id=CONTRACT, instalments=same)).then_nothing()


def test_only_what_nothing_was_paid_against_is_revised() -> None:
    world = planned().after(paid(10))
    touched = RevisePaymentPlan(contract_id=CONTRACT, instalments=(part(90, 5, "i1"),))
    world.when(touched).then_refused(InstalmentIsPaidAgainst, instalment_id="i1")
    wrong = RevisePaymentPlan(contract_id=CONTRACT, instalments=(part(90, 5),))
    world.when(wrong).then_refused(InstalmentsDoNotAddUp, total="40 CNY", given="90 CNY")
    right = RevisePaymentPlan(contract_id=CONTRACT, instalments=(part(15, 30), part(25, 60)))
    world.when(right).then_kinds(PaymentPlanRevised)
    revised = world.news[0].event
    assert isinstance(revised, PaymentPlanRevised)
    assert [one.number for one in revised.instalments] == [1, 2, 3]
    assert revised.dropped_ids == ("i2",)


def test_a_draft_s_plan_follows_its_price() -> None:
    world = billing().after(
        DraftContract(contract_id=CONTRACT, account_id=ACCOUNT, amount=cny(100)),
        AgreePaymentPlan(contract_id=CONTRACT, instalments=(part(60, 10), part(40, 20))),
    )
    world.when(ReviseContract(contract_id=CONTRACT, amount=cny(50)))
    revised = world.news[-1].event
    assert isinstance(revised, PaymentPlanRevised)
    assert [one.amount for one in revised.instalments] == [cny(30), cny(20)]


def test_states_follow_receipts() -> None:
    world = planned()
    assert states(world) == [InstalmentState.PENDING, InstalmentState.PENDING]
    world.when(paid(30))
    assert states(world) == [InstalmentState.PARTLY_PAID, InstalmentState.PENDING]
    more = ReceivePayment(contract_id=CONTRACT, amount=cny(70), method="bank")
    world.when(more)
    assert states(world) == [InstalmentState.PAID, InstalmentState.PAID]


def test_an_instalment_falls_due_on_its_day_and_overdue_the_day_after() -> None:
    world = planned()
    world.when(note("i1"), at=NOON + timedelta(days=9)).then_nothing()
    world.when(note("i1"), at=NOON + timedelta(days=10)).then_kinds(InstalmentFellDue)
    world.when(note("i1"), at=NOON + timedelta(days=10)).then_nothing()
    world.when(note("i1"), at=NOON + timedelta(days=11)).then_kinds(InstalmentFellOverdue)
    world.when(note("i1"), at=NOON + timedelta(days=12)).then_nothing()
    assert states(world) == [InstalmentState.OVERDUE, InstalmentState.PENDING]


def test_the_due_date_ends_in_the_contract_s_time_zone() -> None:
    world = billing().given(CONTRACT, contract_drafted(time_zone="Asia/Shanghai"))
    world.after(
        *running_contract(100, part(100, 10, "i1"))[1:],
    )
    evening = NOON.replace(hour=15, minute=59) + timedelta(days=10)
    world.when(note("i1"), at=evening).then_kinds(InstalmentFellDue)
    world.when(note("i1"), at=evening + timedelta(minutes=1)).then_kinds(InstalmentFellOverdue)


def test_what_is_paid_neither_falls_due_nor_overdue() -> None:
    world = planned().after(paid(60))
    world.when(note("i1"), at=NOON + timedelta(days=11)).then_nothing()


def test_what_was_dropped_from_the_plan_is_not_noted() -> None:
    planned().when(note("gone"), at=NOON + timedelta(days=11)).then_nothing()


def test_a_draft_s_instalments_do_not_fall_due() -> None:
    world = billing().given(CONTRACT, contract_drafted())
    world.after(AgreePaymentPlan(contract_id=CONTRACT, instalments=(part(100, 10, "i1"),)))
    world.when(note("i1"), at=NOON + timedelta(days=11)).then_nothing()


def test_an_overdue_instalment_paid_and_bounced_is_overdue_again() -> None:
    world = planned().after(note("i1"), at=NOON + timedelta(days=11))
    world.when(paid(60)).then_kinds(
        PaymentReceived,
        LedgerPosted,
        PaymentAllocated,
        LedgerPosted,
        InstalmentPaid,
        InstalmentSettled,
    )
    world.when(ReversePayment(payment_id=PAYMENT, reason=ReversalReason.BOUNCED))
    assert any(isinstance(fact.event, InstalmentReopened) for fact in world.news)
    world.when(note("i1"), at=NOON + timedelta(days=12)).then_kinds(InstalmentFellOverdue)


def test_a_milestone_gives_its_instalments_a_due_date_once() -> None:
    world = billing().after(
        *running_contract(100, part(60, 10, "i1"), part(40, None, "i2", milestone="验收")),
    )
    reach = ReachMilestone(contract_id=CONTRACT, milestone="验收", due_on=in_days(40))
    world.when(reach).then_kinds(InstalmentScheduled)
    world.when(reach).then_nothing()
    unknown = ReachMilestone(contract_id=CONTRACT, milestone="交付", due_on=in_days(40))
    world.when(unknown).then_refused(MilestoneUnknown)
    world.when(note("i2"), at=NOON + timedelta(days=41)).then_kinds(InstalmentFellOverdue)


def test_an_instalment_is_called_as_no_other_plan_s_is() -> None:
    world = planned().after(
        DraftContract(contract_id="contract-2", account_id=ACCOUNT, amount=cny(100)),
        DraftContract(contract_id="contract-3", account_id=ACCOUNT, amount=cny(100)),
    )
    first = AgreePaymentPlan(contract_id="contract-2", instalments=(part(100, 10, "i1"),))
    world.when(first).then_refused(Taken, holder=PLAN, field="instalments.0.instalment_id")
    world.after(first.model_copy(update={"instalments": (part(100, 10, "k1"),)}))
    revised = RevisePaymentPlan(
        contract_id="contract-2", instalments=(part(50, 10, "k1"), part(50, 20, "i2"))
    )
    world.when(revised).then_refused(Taken, holder=PLAN, field="instalments.1.instalment_id")
    world.after(SignContract(contract_id="contract-2"))
    amended = AmendContract(
        contract_id="contract-2", amount=cny(90), instalments=(part(90, 10, "i1"),)
    )
    world.when(amended).then_refused(Taken, holder=PLAN, field="instalments.0.instalment_id")


def test_an_instalment_is_not_called_as_one_that_got_its_name_by_itself() -> None:
    world = billing().after(*running_contract(100, part(100, 10)))
    plan = fold(PaymentPlan, [fact.event for fact in world.log.stream(PLAN)])
    assert plan is not None
    copied = part(100, 10, plan.terms[0].id)
    world.after(DraftContract(contract_id="contract-2", account_id=ACCOUNT, amount=cny(100)))
    world.when(AgreePaymentPlan(contract_id="contract-2", instalments=(copied,))).then_refused(
        Taken, holder=PLAN
    )


def test_instalments_beyond_counting_do_not_add_up() -> None:
    world = billing().given(CONTRACT, contract_drafted())
    huge = part("99999999999999", 10)
    world.when(AgreePaymentPlan(contract_id=CONTRACT, instalments=(huge, huge))).then_refused(
        InstalmentsDoNotAddUp, given="199999999999998 CNY"
    )


def test_what_passed_its_day_in_a_draft_is_overdue_when_the_draft_is_signed() -> None:
    world = billing().given(CONTRACT, contract_drafted())
    world.after(AgreePaymentPlan(contract_id=CONTRACT, instalments=(part(100, 10, "i1"),)))
    late = NOON + timedelta(days=11)
    world.when(SignContract(contract_id=CONTRACT), at=late).then_kinds(
        ContractApproved, ContractSigned, InstalmentFellOverdue
    )
    world.when(SignContract(contract_id=CONTRACT), at=late).then_nothing()
