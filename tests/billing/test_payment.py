from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from services.billing.application import BillingApplication
from services.billing.commands import (
    AllocatePayment,
    ApplyForInvoice,
    CreditInvoice,
    IssueInvoice,
    PaymentTarget,
    ReceivePayment,
    ReversePayment,
    SignContract,
    TerminateContract,
    WithdrawContract,
)
from services.billing.domain.allocation import (
    AllocationExceedsDebt,
    AllocationExceedsPayment,
    CurrencyDiffers,
)
from services.billing.domain.payment import PaymentIsReversed, PaymentOfAnotherAccount
from shared.chassis.shapes import Invalid, NotFound, Taken
from shared.chassis.testing import Scenario
from shared.events.billing import (
    ContractTerminated,
    InstalmentPaid,
    InstalmentReopened,
    InstalmentSettled,
    InstalmentVoided,
    InvoicePaid,
    InvoiceReopened,
    InvoiceSettled,
    LedgerAccount,
    LedgerPosted,
    PaymentAllocated,
    PaymentCredited,
    PaymentReallocated,
    PaymentReceived,
    PaymentReversed,
    ReversalReason,
    Side,
)
from shared.events.values import Money
from tests.billing.builders import (
    ACCOUNT,
    CONTRACT,
    INVOICE,
    PAYMENT,
    allocation,
    billing,
    cny,
    contract_drafted,
    eur,
    in_days,
    issued_invoice,
    part,
    running_contract,
)

pytestmark = pytest.mark.capability("BIL-05")

World = Scenario[BillingApplication]
BOUNCED = ReversePayment(payment_id=PAYMENT, reason=ReversalReason.BOUNCED)


def planned() -> World:
    return billing().after(*running_contract(100, part(60, 10, "i1"), part(40, 20, "i2")))


def payment(amount: int | str, *targets: PaymentTarget) -> ReceivePayment:
    return ReceivePayment(
        payment_id=PAYMENT,
        contract_id=CONTRACT,
        amount=cny(amount),
        method="bank",
        allocations=targets,
    )


def allocated(world: World) -> list[tuple[Money, str | None, str | None]]:
    """Return what the news say is paid: amount, instalment, invoice."""
    return [
        (one.amount, one.instalment_id, one.invoice_id)
        for fact in world.news
        if isinstance(fact.event, PaymentAllocated)
        for one in fact.event.allocations
    ]


def test_a_payment_covers_the_oldest_due_first() -> None:
    world = planned().when(payment(75))
    world.then_kinds(
        PaymentReceived,
        LedgerPosted,
        PaymentAllocated,
        LedgerPosted,
        InstalmentPaid,
        InstalmentSettled,
        InstalmentPaid,
    )
    assert allocated(world) == [(cny(60), "i1", None), (cny(15), "i2", None)]


def test_the_value_date_is_not_the_day_of_typing() -> None:
    early = date(2026, 2, 27)
    wish = payment(60).model_copy(update={"value_date": early})
    world = planned().when(wish)
    settled = [fact.event for fact in world.news if isinstance(fact.event, InstalmentSettled)]
    assert [one.settled_on for one in settled] == [early]
    postings = [fact.event for fact in world.news if isinstance(fact.event, LedgerPosted)]
    assert {one.value_date for one in postings} == {early}


def test_several_payments_make_up_one_instalment() -> None:
    world = planned().when(payment(30))
    second = ReceivePayment(contract_id=CONTRACT, amount=cny(30), method="bank")
    world.when(second)
    paid = [fact.event for fact in world.news if isinstance(fact.event, InstalmentPaid)]
    assert [(one.paid, one.outstanding) for one in paid] == [(cny(60), cny(0))]


def test_one_payment_of_an_account_pays_its_contracts_oldest_due_first() -> None:
    world = billing().after(
        *running_contract(100, part(60, 10, "i1"), part(40, 30, "i2")),
        *running_contract(50, part(50, 20, "j1"), contract_id="contract-2"),
    )
    world.known(*world.log.read(0, 1000))
    world.when(ReceivePayment(account_id=ACCOUNT, amount=cny(120), method="bank"))
    assert allocated(world) == [
        (cny(60), "i1", None),
        (cny(50), "j1", None),
        (cny(10), "i2", None),
    ]


def test_a_payment_of_an_account_without_debts_is_its_credit() -> None:
    world = billing().when(ReceivePayment(account_id=ACCOUNT, amount=cny(10), method="cash"))
    world.then_kinds(PaymentReceived, LedgerPosted, PaymentCredited)


def test_over_payment_becomes_credit() -> None:
    world = planned().when(payment("100.50"))
    credited = world.news[-1].event
    assert credited == PaymentCredited(
        account_id=ACCOUNT,
        contract_id=CONTRACT,
        amount=cny("0.50"),
        value_date=world.news[0].occurred_at.date(),
    )


def test_credit_is_applied_later() -> None:
    world = planned().after(payment(150))
    world.after(*running_contract(30, part(30, 5, "j1"), contract_id="contract-2"))
    world.when(AllocatePayment(payment_id=PAYMENT, contract_id="contract-2"))
    world.then_kinds(PaymentAllocated, LedgerPosted, InstalmentPaid, InstalmentSettled)
    fact = world.news[0].event
    assert isinstance(fact, PaymentAllocated)
    assert (fact.from_credit, fact.unallocated) == (True, cny(20))
    world.when(AllocatePayment(payment_id=PAYMENT, contract_id="contract-2")).then_nothing()


def test_credit_pays_whatever_the_account_owes() -> None:
    world = billing().after(
        ReceivePayment(payment_id=PAYMENT, account_id=ACCOUNT, amount=cny(10), method="cash"),
        *running_contract(30, part(30, 5, "j1"), contract_id="contract-2"),
    )
    world.known(*world.log.read(0, 1000))
    world.when(AllocatePayment(payment_id=PAYMENT))
    assert allocated(world) == [(cny(10), "j1", None)]


def test_what_is_named_is_paid_and_the_rest_is_credit() -> None:
    target = PaymentTarget(amount=cny(40), instalment_id="i2")
    world = planned().when(payment(50, target))
    assert allocated(world) == [(cny(40), "i2", None)]
    credited = world.news[-1].event
    assert isinstance(credited, PaymentCredited)
    assert credited.amount == cny(10)


def test_one_payment_may_name_several_debts() -> None:
    world = planned().after(*running_contract(50, part(50, 20, "j1"), contract_id="contract-2"))
    world.when(
        payment(
            80,
            PaymentTarget(amount=cny(30), instalment_id="i2"),
            PaymentTarget(amount=cny(50), contract_id="contract-2"),
        )
    )
    assert allocated(world) == [(cny(30), "i2", None), (cny(50), "j1", None)]


@pytest.mark.parametrize(
    ("amount", "target"),
    [
        (100, PaymentTarget(amount=cny(61), instalment_id="i1")),
        (200, PaymentTarget(amount=cny(101), contract_id=CONTRACT)),
    ],
)
def test_explicit_over_payment_is_refused(amount: int, target: PaymentTarget) -> None:
    planned().when(payment(amount, target)).then_refused(AllocationExceedsDebt)


def test_what_is_named_must_be_there() -> None:
    for unknown in (
        PaymentTarget(amount=cny(1), instalment_id="unknown"),
        PaymentTarget(amount=cny(1), invoice_id="unknown"),
        PaymentTarget(amount=cny(1), contract_id="unknown"),
    ):
        planned().when(payment(100, unknown)).then_refused(NotFound, id="unknown")


def test_an_invoice_is_not_paid_above_what_is_open_on_it() -> None:
    world = planned().after(*issued_invoice(50))
    too_much = PaymentTarget(amount=cny(51), invoice_id=INVOICE)
    world.when(payment(100, too_much)).then_refused(
        AllocationExceedsDebt, id=INVOICE, outstanding="50 CNY"
    )


def test_no_more_is_allocated_than_was_paid() -> None:
    target = PaymentTarget(amount=cny(60), instalment_id="i1")
    planned().when(payment(50, target)).then_refused(AllocationExceedsPayment)


def test_a_named_instalment_must_be_somebody_s() -> None:
    wish = ReceivePayment(
        account_id=ACCOUNT,
        amount=cny(5),
        method="bank",
        allocations=(PaymentTarget(amount=cny(5), instalment_id="i1"),),
    )
    planned().when(wish).then_refused(Invalid)


def test_a_payment_needs_a_payer_and_an_amount() -> None:
    with pytest.raises(ValidationError, match="the account, the contract"):
        ReceivePayment(amount=cny(1), method="bank")
    for amount in ("0", "-5", "0.001"):
        with pytest.raises(ValidationError):
            ReceivePayment(account_id=ACCOUNT, amount=cny(amount), method="bank")


def test_a_payment_pays_only_its_payer_s_debts() -> None:
    wish = ReceivePayment(
        account_id="account-2", contract_id=CONTRACT, amount=cny(1), method="bank"
    )
    planned().when(wish).then_refused(PaymentOfAnotherAccount)
    other = ReceivePayment(
        account_id="account-2",
        amount=cny(1),
        method="bank",
        allocations=(PaymentTarget(amount=cny(1), contract_id=CONTRACT),),
    )
    planned().when(other).then_refused(PaymentOfAnotherAccount)


@pytest.mark.capability("BIL-13")
def test_a_debt_is_paid_in_its_own_currency() -> None:
    wish = ReceivePayment(contract_id=CONTRACT, amount=eur(1), method="bank")
    planned().when(wish).then_refused(CurrencyDiffers, currency="CNY", given="EUR")
    mixed = payment(50, PaymentTarget(amount=eur(1), instalment_id="i1"))
    planned().when(mixed).then_refused(CurrencyDiffers)


def test_a_payment_for_nothing_known_is_refused() -> None:
    billing().when(payment(1)).then_refused(NotFound)


def test_a_payment_is_recorded_once() -> None:
    world = planned().after(payment(1))
    world.when(payment(1)).then_refused(Taken, holder=PAYMENT)
    external = ReceivePayment(
        contract_id=CONTRACT, amount=cny(1), method="bank", source="bank", external_id="tx-1"
    )
    world.after(external)
    world.when(external).then_refused(Taken)


def test_a_bounced_payment_opens_again_what_it_paid() -> None:
    world = planned().after(payment(75))
    world.when(BOUNCED).then_kinds(
        PaymentReversed, LedgerPosted, InstalmentReopened, InstalmentReopened
    )
    reopened = [fact.event for fact in world.news if isinstance(fact.event, InstalmentReopened)]
    assert [(one.instalment_id, one.outstanding) for one in reopened] == [
        ("i1", cny(60)),
        ("i2", cny(40)),
    ]
    world.when(BOUNCED).then_nothing()
    world.when(AllocatePayment(payment_id=PAYMENT)).then_refused(PaymentIsReversed)


def test_credit_of_a_bounced_payment_is_gone() -> None:
    world = planned().after(payment(130))
    world.when(BOUNCED)
    posted = world.news[1].event
    assert isinstance(posted, LedgerPosted)
    assert {(line.ledger_account, line.side, line.amount) for line in posted.lines} == {
        (LedgerAccount.ADVANCES, Side.DEBIT, Decimal(100)),
        (LedgerAccount.CREDIT, Side.DEBIT, Decimal(30)),
        (LedgerAccount.BANK, Side.CREDIT, Decimal(130)),
    }


def test_money_covers_instalments_and_invoices_side_by_side() -> None:
    world = planned().after(*issued_invoice(70))
    world.when(payment(100))
    assert allocated(world) == [
        (cny(60), "i1", INVOICE),
        (cny(10), "i2", INVOICE),
        (cny(30), "i2", None),
    ]
    assert [type(fact.event) for fact in world.news][-2:] == [InvoicePaid, InvoiceSettled]


def test_a_bounced_payment_opens_its_invoice_and_another_s_advance_steps_in() -> None:
    world = planned().after(*issued_invoice(60), payment(60))
    world.after(ReceivePayment(contract_id=CONTRACT, amount=cny(40), method="bank"))
    world.when(BOUNCED)
    kinds = [type(fact.event) for fact in world.news]
    assert InvoiceReopened in kinds
    paid = [fact.event for fact in world.news if isinstance(fact.event, InvoicePaid)]
    assert [(one.amount, one.outstanding) for one in paid] == [(cny(40), cny(20))]


def test_a_free_invoice_is_paid_by_name_and_by_age() -> None:
    free = ApplyForInvoice(invoice_id="free", account_id=ACCOUNT, amount=cny(20))
    world = billing().after(free, IssueInvoice(invoice_id="free"))
    world.when(
        ReceivePayment(
            account_id=ACCOUNT,
            amount=cny(5),
            method="cash",
            allocations=(PaymentTarget(amount=cny(5), invoice_id="free"),),
        )
    )
    assert allocated(world) == [(cny(5), None, "free")]
    world.known(*world.log.read(0, 1000))
    world.when(ReceivePayment(account_id=ACCOUNT, amount=cny(50), method="cash"))
    assert allocated(world) == [(cny(15), None, "free")]


def test_an_allocation_says_all_it_covers() -> None:
    world = planned().after(*issued_invoice(100)).when(payment(60))
    (fact,) = [one.event for one in world.news if isinstance(one.event, PaymentAllocated)]
    assert fact.allocations == (
        allocation(
            60,
            contract_id=CONTRACT,
            plan_id="contract-1.plan",
            instalment_id="i1",
            invoice_id=INVOICE,
        ),
    )


def known(world: World) -> World:
    return world.known(*world.log.read(0, 1000))


def of_the_account(amount: int) -> ReceivePayment:
    return ReceivePayment(payment_id=PAYMENT, account_id=ACCOUNT, amount=cny(amount), method="bank")


def test_money_of_an_account_is_not_spent_on_a_draft() -> None:
    world = billing().after(*running_contract(100, part(100, 5, "i1"))[::2])
    known(world).when(of_the_account(100)).then_kinds(
        PaymentReceived, LedgerPosted, PaymentCredited
    )
    known(world.after(SignContract(contract_id=CONTRACT)))
    world.when(AllocatePayment(payment_id=PAYMENT))
    assert allocated(world) == [(cny(100), "i1", None)]


def test_an_invoice_due_is_paid_before_an_instalment_without_a_day() -> None:
    free = ApplyForInvoice(invoice_id="free", account_id=ACCOUNT, amount=cny(20), due_on=in_days(3))
    world = billing().after(
        *running_contract(100, part(60, 10, "i1"), part(40, None, "i2", milestone="验收")),
        free,
        IssueInvoice(invoice_id="free"),
    )
    known(world).when(of_the_account(85))
    assert allocated(world) == [
        (cny(20), None, "free"),
        (cny(60), "i1", None),
        (cny(5), "i2", None),
    ]


def test_free_invoices_are_paid_in_the_order_of_their_days() -> None:
    world = billing()
    for invoice_id, days in (("a", 30), ("b", 10), ("c", None), ("d", 20)):
        due_on = None if days is None else in_days(days)
        world.after(
            ApplyForInvoice(
                invoice_id=invoice_id, account_id=ACCOUNT, amount=cny(10), due_on=due_on
            ),
            IssueInvoice(invoice_id=invoice_id),
        )
    known(world).when(of_the_account(35))
    assert [invoice_id for _, _, invoice_id in allocated(world)] == ["b", "d", "a", "c"]


def test_what_is_invoiced_of_a_terminated_contract_is_still_paid() -> None:
    world = planned().after(
        *issued_invoice(60), TerminateContract(contract_id=CONTRACT, reason="违约")
    )
    known(world).when(of_the_account(100))
    assert allocated(world) == [(cny(60), None, INVOICE)]


def test_what_was_paid_ahead_of_a_terminated_contract_is_credit_again() -> None:
    world = planned().after(*issued_invoice(50), payment(80))
    world.when(TerminateContract(contract_id=CONTRACT, reason="违约")).then_kinds(
        ContractTerminated,
        PaymentReallocated,
        LedgerPosted,
        InstalmentReopened,
        InstalmentReopened,
        InstalmentVoided,
        InstalmentVoided,
    )
    freed = world.news[1].event
    assert isinstance(freed, PaymentReallocated)
    assert (freed.unallocated, freed.invoice_id) == (cny(30), None)
    assert [(one.amount, one.invoice_id) for one in freed.allocations] == [(cny(50), INVOICE)]
    posted = world.news[2].event
    assert isinstance(posted, LedgerPosted)
    assert {(line.ledger_account, line.side, line.amount) for line in posted.lines} == {
        (LedgerAccount.ADVANCES, Side.DEBIT, Decimal(30)),
        (LedgerAccount.CREDIT, Side.CREDIT, Decimal(30)),
    }
    world.when(TerminateContract(contract_id=CONTRACT, reason="违约")).then_nothing()


def test_what_was_paid_ahead_of_a_withdrawn_draft_pays_something_else() -> None:
    world = billing().after(*running_contract(100, part(100, 5, "i1"))[::2], payment(60))
    world.after(WithdrawContract(contract_id=CONTRACT, reason="客户取消"))
    world.after(*running_contract(70, part(70, 5, "j1"), contract_id="contract-2"))
    world.when(AllocatePayment(payment_id=PAYMENT, contract_id="contract-2"))
    assert allocated(world) == [(cny(60), "j1", None)]


def test_what_a_credit_note_frees_after_the_contract_s_end_is_credit() -> None:
    world = planned().after(
        *issued_invoice(60), payment(60), TerminateContract(contract_id=CONTRACT, reason="违约")
    )
    world.when(CreditInvoice(invoice_id=INVOICE, amount=cny(25), reason="退货"))
    freed = [fact.event for fact in world.news if isinstance(fact.event, PaymentReallocated)]
    assert [one.unallocated for one in freed] == [cny(0), cny(25)]
    assert [one.amount for one in freed[-1].allocations] == [cny(35)]


def test_a_payment_counts_from_the_day_it_is_where_the_contract_is() -> None:
    new_year = datetime(2025, 12, 31, 23, tzinfo=UTC)
    world = billing().given(CONTRACT, contract_drafted(time_zone="Asia/Shanghai"))
    world.after(*running_contract(100, part(100, 5, "i1"))[1:])
    world.when(payment(10), at=new_year)
    received = world.news[0].event
    assert isinstance(received, PaymentReceived)
    assert received.value_date == date(2026, 1, 1)
    world.when(BOUNCED, at=new_year)
    bounced = world.news[0].event
    assert isinstance(bounced, PaymentReversed)
    assert bounced.value_date == date(2026, 1, 1)
