from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from services.billing.application import BillingApplication
from services.billing.commands import (
    ActivateContract,
    AmendContract,
    ApproveContract,
    AttachContractDocument,
    ContractLine,
    DraftContract,
    DraftContractFromQuote,
    ExpireContract,
    FulfilContract,
    ReceivePayment,
    RenewContract,
    ReturnContract,
    ReviseContract,
    SignContract,
    SubmitContract,
    TerminateContract,
    WithdrawContract,
)
from services.billing.domain.contract import (
    BelowWhatIsInvoiced,
    Contract,
    ContractIsNotPaid,
    ContractIsRenewed,
    ContractIsSettled,
    ContractKeepsItsCurrency,
    ContractStatus,
    EndsBeforeItStarts,
    StepNotAllowed,
)
from services.billing.domain.payment_plan import BelowWhatIsPaid, PaymentPlan
from shared.chassis.shapes import Invalid, NotFound, Taken, fold
from shared.chassis.testing import NOON, Scenario
from shared.events.base import Event
from shared.events.billing import (
    ContractActivated,
    ContractAmended,
    ContractApproved,
    ContractDocumentAttached,
    ContractDrafted,
    ContractExpired,
    ContractFulfilled,
    ContractRenewed,
    ContractReturned,
    ContractRevised,
    ContractSigned,
    ContractSubmitted,
    ContractTerminated,
    ContractWithdrawn,
    InstalmentFellOverdue,
    InstalmentVoided,
    PaymentPlanAgreed,
    PaymentPlanRevised,
)
from shared.events.values import Attachment
from tests.billing.builders import (
    ACCOUNT,
    CONTRACT,
    PLAN,
    billing,
    cny,
    contract_activated,
    contract_drafted,
    contract_signed,
    contract_submitted,
    eur,
    in_days,
    issued_invoice,
    line,
    line_item,
    part,
    plan_agreed,
    running_contract,
)

pytestmark = pytest.mark.capability("BIL-01")


def given(*events: Event) -> Scenario[BillingApplication]:
    return billing().given(CONTRACT, contract_drafted(), *events)


def plan_in(world: Scenario[BillingApplication]) -> PaymentPlan:
    plan = fold(PaymentPlan, [fact.event for fact in world.log.stream(PLAN)])
    assert plan is not None
    return plan


def test_a_contract_is_drafted_with_its_lines_priced() -> None:
    world = billing().when(
        DraftContract(
            contract_id=CONTRACT,
            account_id=ACCOUNT,
            currency="CNY",
            lines=(
                line("19.99", 3, discount_percent=Decimal(10), tax_percent=Decimal(13)),
                line("0.01"),
            ),
        )
    )
    (fact,) = world.news
    assert isinstance(fact.event, ContractDrafted)
    assert (fact.event.net, fact.event.tax, fact.event.total) == (
        cny("53.98"),
        cny("7.02"),
        cny("61.00"),
    )
    assert fact.event.owner_id == "tester"
    assert fact.event.number.startswith("C20260302-")


def test_a_contract_needs_one_price() -> None:
    with pytest.raises(ValidationError, match="currency, or an amount"):
        DraftContract(account_id=ACCOUNT)
    with pytest.raises(ValidationError, match="either lines or an amount"):
        DraftContract(account_id=ACCOUNT, amount=cny(1), lines=(line(1),))


@pytest.mark.parametrize("amount", ["0.001", "-1"])
def test_a_price_that_cannot_be_paid_is_refused(amount: str) -> None:
    with pytest.raises(ValidationError):
        DraftContract(account_id=ACCOUNT, amount=cny(amount))


def test_a_contract_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValidationError, match="before starts_on"):
        DraftContract(account_id=ACCOUNT, amount=cny(1), starts_on=in_days(1), ends_on=in_days(0))


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="IANA"):
        DraftContract(account_id=ACCOUNT, amount=cny(1), time_zone="Mars/Olympus")


def test_a_number_an_external_id_and_an_id_belong_to_one_contract() -> None:
    first = DraftContract(
        contract_id=CONTRACT,
        account_id=ACCOUNT,
        amount=cny(1),
        number="N-1",
        source="erp",
        external_id="77",
    )
    world = billing().after(first)
    for again in (
        first,
        DraftContract(account_id=ACCOUNT, amount=cny(1), number="N-1"),
        DraftContract(account_id=ACCOUNT, amount=cny(1), source="erp", external_id="77"),
        DraftContract(contract_id=CONTRACT, account_id=ACCOUNT, amount=cny(1)),
    ):
        world.when(again).then_refused(Taken, holder=CONTRACT)


def test_the_same_command_id_drafts_one_contract() -> None:
    command = DraftContract(account_id=ACCOUNT, amount=cny(1))
    world = billing().when(command, command_id="once")
    first = world.answer
    world.when(command, command_id="once").then_nothing()
    assert world.answer == first


def test_a_quote_becomes_one_contract() -> None:
    def wish(contract_id: str) -> DraftContractFromQuote:
        return DraftContractFromQuote(
            contract_id=contract_id,
            quote_id="quote-1",
            quote_number="Q-7",
            account_id=ACCOUNT,
            opportunity_id="opportunity-1",
            lines=(line_item(),),
            net=cny(100),
            tax=cny(13),
            total=cny(113),
        )

    world = billing().when(wish(CONTRACT)).then_kinds(ContractDrafted)
    world.when(wish("contract-2")).then_refused(Taken, holder=CONTRACT)
    world.when(DraftContract(account_id=ACCOUNT, amount=cny(113), quote_id="quote-1")).then_refused(
        Taken, holder=CONTRACT
    )


def test_the_whole_way_of_approval() -> None:
    world = given()
    world.when(SubmitContract(contract_id=CONTRACT)).then_kinds(ContractSubmitted)
    world.when(SubmitContract(contract_id=CONTRACT)).then_nothing()
    world.when(ReturnContract(contract_id=CONTRACT, reason="价格有误")).then_kinds(ContractReturned)
    world.when(ReviseContract(contract_id=CONTRACT, amount=cny(90))).then_kinds(ContractRevised)
    world.when(ReviseContract(contract_id=CONTRACT, amount=cny(90))).then_nothing()
    world.when(SubmitContract(contract_id=CONTRACT)).then_kinds(ContractSubmitted)
    world.when(ApproveContract(contract_id=CONTRACT)).then_kinds(ContractApproved)
    world.when(ApproveContract(contract_id=CONTRACT)).then_nothing()
    world.when(SignContract(contract_id=CONTRACT)).then_kinds(ContractSigned)
    world.when(SignContract(contract_id=CONTRACT)).then_nothing()
    world.when(ActivateContract(contract_id=CONTRACT)).then_kinds(
        ContractActivated, PaymentPlanAgreed
    )
    world.when(ActivateContract(contract_id=CONTRACT)).then_nothing()


def test_signing_a_draft_nobody_handed_in_approves_it() -> None:
    given().when(SignContract(contract_id=CONTRACT)).then_kinds(ContractApproved, ContractSigned)


def test_what_awaits_approval_is_not_signed() -> None:
    given(contract_submitted()).when(SignContract(contract_id=CONTRACT)).then_refused(
        StepNotAllowed, status="in_approval"
    )


@pytest.mark.parametrize(
    "command",
    [
        ApproveContract(contract_id=CONTRACT),
        ReturnContract(contract_id=CONTRACT, reason="no"),
        ActivateContract(contract_id=CONTRACT),
        FulfilContract(contract_id=CONTRACT),
        TerminateContract(contract_id=CONTRACT, reason="no"),
        AmendContract(contract_id=CONTRACT, amount=cny(1)),
        RenewContract(contract_id=CONTRACT, starts_on=in_days(1)),
    ],
)
def test_no_step_is_taken_before_its_time(command: ApproveContract) -> None:
    given().when(command).then_refused(StepNotAllowed, status="draft")


@pytest.mark.parametrize(
    "command",
    [
        SubmitContract(contract_id=CONTRACT),
        ReviseContract(contract_id=CONTRACT, amount=cny(1)),
        WithdrawContract(contract_id=CONTRACT, reason="no"),
    ],
)
def test_a_signed_contract_is_not_a_draft_any_more(command: SubmitContract) -> None:
    given(contract_signed()).when(command).then_refused(StepNotAllowed, status="signed")


def test_a_contract_not_signed_can_be_withdrawn_and_is_settled_then() -> None:
    world = given().given(PLAN, plan_agreed())
    world.when(WithdrawContract(contract_id=CONTRACT, reason="客户取消")).then_kinds(
        ContractWithdrawn, InstalmentVoided, InstalmentVoided
    )
    world.when(WithdrawContract(contract_id=CONTRACT, reason="客户取消")).then_nothing()
    world.when(SignContract(contract_id=CONTRACT)).then_refused(ContractIsSettled)
    document = Attachment(name="scan", uri="s3://scan")
    world.when(AttachContractDocument(contract_id=CONTRACT, document=document)).then_refused(
        ContractIsSettled
    )


def test_nobody_signs_what_is_not_there() -> None:
    billing().when(SignContract(contract_id="nothing")).then_refused(NotFound, id="nothing")


def test_a_contract_without_a_plan_falls_due_thirty_days_after_its_start() -> None:
    world = given(contract_signed()).when(
        ActivateContract(contract_id=CONTRACT, starts_on=date(2026, 4, 1))
    )
    agreed = world.news[-1].event
    assert isinstance(agreed, PaymentPlanAgreed)
    (instalment,) = agreed.instalments
    assert (instalment.amount, instalment.due_on) == (cny(100), date(2026, 5, 1))


def test_a_plan_whose_days_have_passed_is_overdue_at_activation() -> None:
    world = given(contract_signed()).given(PLAN, plan_agreed())
    world.when(ActivateContract(contract_id=CONTRACT), at=NOON + timedelta(days=20)).then_kinds(
        ContractActivated, InstalmentFellOverdue
    )


def test_a_contract_starts_before_it_ends() -> None:
    world = billing().given(CONTRACT, contract_drafted(ends_on=in_days(5)), contract_signed())
    world.when(ActivateContract(contract_id=CONTRACT, starts_on=in_days(6))).then_refused(
        EndsBeforeItStarts
    )


def test_a_contract_is_fulfilled_once_it_is_paid() -> None:
    world = billing().after(*running_contract())
    world.when(FulfilContract(contract_id=CONTRACT)).then_refused(ContractIsNotPaid, open="100 CNY")
    world.after(ReceivePayment(contract_id=CONTRACT, amount=cny(100), method="bank"))
    world.when(FulfilContract(contract_id=CONTRACT)).then_kinds(ContractFulfilled)
    world.when(FulfilContract(contract_id=CONTRACT)).then_nothing()
    world.when(TerminateContract(contract_id=CONTRACT, reason="no")).then_refused(
        ContractIsSettled, status="fulfilled"
    )


def test_what_is_open_of_a_terminated_contract_is_not_asked_for_any_more() -> None:
    world = billing().after(*running_contract(100, part(60, 10), part(40, 20)))
    world.after(*issued_invoice(70))
    world.after(ReceivePayment(contract_id=CONTRACT, amount=cny(70), method="bank"))
    world.when(TerminateContract(contract_id=CONTRACT, reason="违约")).then_kinds(
        ContractTerminated, InstalmentVoided
    )
    world.when(TerminateContract(contract_id=CONTRACT, reason="违约")).then_nothing()
    assert plan_in(world).outstanding == cny(0)


def test_a_contract_expires_after_its_last_day_and_not_before() -> None:
    world = billing().given(
        CONTRACT,
        contract_drafted(ends_on=in_days(3), time_zone="Asia/Shanghai"),
        contract_signed(),
        contract_activated(),
    )
    last_evening = NOON.replace(hour=15, minute=59) + timedelta(days=3)
    world.when(ExpireContract(contract_id=CONTRACT), at=last_evening).then_nothing()
    after = last_evening + timedelta(minutes=1)
    world.when(ExpireContract(contract_id=CONTRACT), at=after).then_kinds(ContractExpired)
    world.when(ExpireContract(contract_id=CONTRACT), at=after).then_nothing()


def test_an_amendment_brings_the_open_instalments_in_line() -> None:
    world = billing().after(*running_contract(100, part(40, 10), part(30, 20), part(30, 30)))
    world.after(ReceivePayment(contract_id=CONTRACT, amount=cny(40), method="bank"))
    world.when(AmendContract(contract_id=CONTRACT, amount=cny("140.01"))).then_kinds(
        ContractAmended, PaymentPlanRevised
    )
    plan = plan_in(world)
    amounts = [term.instalment.amount for term in plan.terms]
    assert amounts == [cny(40), cny("50.00"), cny("50.01")]
    assert plan.total == cny("140.01")


def test_an_amendment_may_say_how_the_rest_is_paid() -> None:
    world = billing().after(*running_contract(100, part(40, 10), part(60, 20)))
    world.after(ReceivePayment(contract_id=CONTRACT, amount=cny(40), method="bank"))
    rest = (part(10, 30), part(20, 60))
    world.when(AmendContract(contract_id=CONTRACT, amount=cny(70), instalments=rest))
    assert [term.instalment.amount for term in plan_in(world).terms] == [cny(40), cny(10), cny(20)]


def test_more_is_due_later_when_everything_was_paid_before_an_amendment() -> None:
    world = billing().after(*running_contract())
    world.after(ReceivePayment(contract_id=CONTRACT, amount=cny(100), method="bank"))
    world.when(AmendContract(contract_id=CONTRACT, amount=cny(130)))
    added = plan_in(world).terms[-1]
    assert (added.outstanding, added.due_on) == (cny(30), in_days(30))


def test_an_amendment_keeps_the_total_above_what_is_paid_and_invoiced() -> None:
    world = billing().after(*running_contract(100, part(40, 10), part(60, 20)))
    world.after(ReceivePayment(contract_id=CONTRACT, amount=cny(50), method="bank"))
    world.when(AmendContract(contract_id=CONTRACT, amount=cny(99))).then_refused(BelowWhatIsPaid)
    world.after(*issued_invoice(100))
    world.when(AmendContract(contract_id=CONTRACT, amount=cny(99))).then_refused(
        BelowWhatIsInvoiced
    )


def test_an_amendment_keeps_the_currency() -> None:
    world = billing().after(*running_contract())
    world.when(AmendContract(contract_id=CONTRACT, amount=eur(100))).then_refused(
        ContractKeepsItsCurrency
    )


def test_terms_can_be_cleared_and_set() -> None:
    world = billing().given(
        CONTRACT, contract_drafted(ends_on=in_days(9), starts_on=in_days(0)), contract_signed()
    )
    world.when(AmendContract(contract_id=CONTRACT, cleared=("ends_on",), our_party="北京分公司"))
    amended = world.news[0].event
    assert isinstance(amended, ContractAmended)
    assert (amended.ends_on, amended.our_party) == (None, "北京分公司")
    assert set(amended.changed) == {"ends_on", "our_party"}
    world.when(AmendContract(contract_id=CONTRACT, ends_on=in_days(-1))).then_refused(
        EndsBeforeItStarts
    )


def test_a_contract_is_continued_by_one_other() -> None:
    world = billing().after(*running_contract())
    renewal = RenewContract(
        contract_id=CONTRACT, renewal_id="next", starts_on=in_days(365), ends_on=in_days(730)
    )
    world.when(renewal).then_kinds(ContractRenewed, ContractDrafted)
    assert world.answer is not None
    assert world.answer.outcome == {"contract_id": "next"}
    drafted = world.news[1]
    assert isinstance(drafted.event, ContractDrafted)
    assert (drafted.stream_id, drafted.event.renews_id) == ("next", CONTRACT)
    assert drafted.event.total == cny(100)
    world.when(renewal).then_refused(ContractIsRenewed, renewed_by="next")


def test_a_document_is_filed_once() -> None:
    document = Attachment(name="扫描件", uri="s3://scan")
    world = given()
    world.when(AttachContractDocument(contract_id=CONTRACT, document=document)).then_kinds(
        ContractDocumentAttached
    )
    world.when(AttachContractDocument(contract_id=CONTRACT, document=document)).then_nothing()


def test_a_stream_of_another_kind_is_no_contract() -> None:
    assert fold(Contract, [plan_agreed()]) is None
    contract = fold(Contract, [contract_drafted(), contract_signed()])
    assert contract is not None
    assert contract.status is ContractStatus.SIGNED


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ((line(1), line("99999999", "99999999")), "lines.1"),
        ((line("99999999999999", "99999999999999"),), "lines.0"),
        ((line("99999999999999"), line("99999999999999")), "lines"),
    ],
)
def test_a_price_beyond_counting_is_refused(lines: tuple[ContractLine, ...], field: str) -> None:
    world = billing().when(DraftContract(account_id=ACCOUNT, currency="CNY", lines=lines))
    world.then_refused(Invalid)
    assert isinstance(world.refusal, Invalid)
    assert [wrong.field for wrong in world.refusal.violations] == [field]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "amount"),
        ({"amount": cny(1), "lines": (line(1),)}, "amount"),
        ({"amount": cny(1), "starts_on": in_days(1), "ends_on": in_days(0)}, "ends_on"),
    ],
)
def test_a_contract_that_cannot_be_names_the_field(wish: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        DraftContract(account_id=ACCOUNT, **wish)
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def test_a_withdrawn_renewal_makes_room_for_another() -> None:
    world = billing().after(*running_contract())
    world.after(RenewContract(contract_id=CONTRACT, renewal_id="next", starts_on=in_days(365)))
    world.after(WithdrawContract(contract_id="next", reason="条款有误"))
    again = RenewContract(contract_id=CONTRACT, renewal_id="other", starts_on=in_days(365))
    world.when(again).then_kinds(ContractRenewed, ContractDrafted)
    world.when(again).then_refused(ContractIsRenewed, renewed_by="other")


def test_a_withdrawn_contract_leaves_its_quote_to_another() -> None:
    def of_the_quote(contract_id: str) -> DraftContract:
        return DraftContract(
            contract_id=contract_id, account_id=ACCOUNT, amount=cny(1), quote_id="quote-1"
        )

    withdrawal = WithdrawContract(contract_id=CONTRACT, reason="条款有误")
    world = billing().after(of_the_quote(CONTRACT), withdrawal)
    world.when(of_the_quote("contract-2")).then_kinds(ContractDrafted)
    world.when(withdrawal).then_nothing()
    world.when(of_the_quote("contract-3")).then_refused(Taken, holder="contract-2")
