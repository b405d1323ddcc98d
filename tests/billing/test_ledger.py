from collections import defaultdict
from decimal import Decimal
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.billing.commands import (
    AllocatePayment,
    AmendContract,
    ApplyForInvoice,
    CreditInvoice,
    IssueInvoice,
    ReceivePayment,
    ReversePayment,
    TerminateContract,
    VoidInvoice,
)
from services.billing.domain.contract import Contract, ContractStatus, plan_of
from services.billing.domain.invoice import ISSUED, Invoice, InvoiceStatus
from services.billing.domain.ledger import DebitsDifferFromCredits, credit, debit, posted
from services.billing.domain.payment import Payment
from services.billing.domain.payment_plan import PaymentPlan
from services.billing.projections.contracts import Contracts
from services.billing.projections.instalments import Instalments
from services.billing.projections.invoices import Invoices
from services.billing.projections.payments import Payments
from services.billing.projections.postings import Postings
from shared.chassis.shapes import Aggregate, Command, Refused, fold
from shared.chassis.testing import NOON, folded, issue
from shared.events.billing import LedgerAccount, LedgerPosted, ReversalReason, Side
from shared.events.values import CurrencyMismatch, Money
from tests.billing.builders import ACCOUNT, billing, cny, eur, part, running_contract

A = TypeVar("A", bound=Aggregate)

CONTRACTS = ("c1", "c2")
ACTS = ("receive", "invoice", "credit", "allocate", "reverse", "void", "amend", "terminate")


@pytest.mark.capability("BIL-08")
def test_a_posting_that_does_not_balance_is_refused() -> None:
    with pytest.raises(DebitsDifferFromCredits):
        posted(
            "attempt",
            debit(LedgerAccount.BANK, cny(10)),
            credit(LedgerAccount.CREDIT, cny("9.99")),
            value_date=NOON.date(),
            account_id=ACCOUNT,
        )


@pytest.mark.capability("BIL-08")
def test_currencies_do_not_mix_in_a_posting() -> None:
    with pytest.raises(CurrencyMismatch):
        posted(
            "attempt",
            debit(LedgerAccount.BANK, cny(10)),
            credit(LedgerAccount.CREDIT, eur(10)),
            value_date=NOON.date(),
            account_id=ACCOUNT,
        )


@pytest.mark.capability("BIL-08")
def test_nothing_is_posted_when_nothing_moves() -> None:
    nothing = posted(
        "attempt",
        debit(LedgerAccount.BANK, cny(0)),
        credit(LedgerAccount.CREDIT, cny(0)),
        value_date=NOON.date(),
        account_id=ACCOUNT,
    )
    assert nothing == []


amounts = st.integers(1, 6000).map(lambda cents: cny(Decimal(cents) / 100))


class Books(RuleBasedStateMachine):
    """Any commands in any order: whatever is accepted keeps the books right."""

    def __init__(self) -> None:
        super().__init__()
        self.world = billing()
        self.payments: list[str] = []
        self.invoices: list[str] = []
        self.world.after(
            *running_contract(100, part(60, 10), part(40, 20), contract_id="c1"),
            *running_contract("77.77", contract_id="c2"),
        )

    @rule(
        act=st.sampled_from(ACTS),
        amount=amounts,
        contract_id=st.sampled_from(CONTRACTS),
        whole=st.booleans(),
        pick=st.integers(0, 1000),
    )
    def act(self, act: str, amount: Money, contract_id: str, whole: bool, pick: int) -> None:
        """Do anything; the same rule does all, so that every example mixes all of them."""
        match act:
            case "receive":
                self._receive(amount, None if whole else contract_id)
            case "invoice":
                self._invoice(amount, None if whole else contract_id)
            case "amend":
                self._do(AmendContract(contract_id=contract_id, amount=amount))
            case "terminate" if pick % 4 == 0:
                self._do(TerminateContract(contract_id=contract_id, reason="test"))
            case "allocate" if self.payments:
                payment_id = self.payments[pick % len(self.payments)]
                contract = None if whole else contract_id
                self._do(AllocatePayment(payment_id=payment_id, contract_id=contract))
            case "reverse" if self.payments:
                payment_id = self.payments[pick % len(self.payments)]
                reason = ReversalReason.BOUNCED
                assert self._do(ReversePayment(payment_id=payment_id, reason=reason))
            case "void" if self.invoices:
                invoice_id = self.invoices[pick % len(self.invoices)]
                self._do(VoidInvoice(invoice_id=invoice_id, reason="test"))
            case "credit" if self.invoices:
                invoice_id = self.invoices[pick % len(self.invoices)]
                credited = None if whole else amount
                self._do(CreditInvoice(invoice_id=invoice_id, amount=credited, reason="test"))

    @invariant()
    def the_trial_balance_is_zero(self) -> None:
        assert sum(self._balances().values(), Decimal(0)) == 0

    @invariant()
    def the_books_say_what_the_documents_say(self) -> None:
        balances = self._balances()
        payments = [p for p in map(self._load_payment, self.payments) if not p.is_reversed]
        invoices = [self._load(Invoice, invoice_id) for invoice_id in self.invoices]
        claims = [one for one in invoices if one.number and one.status is not InvoiceStatus.VOIDED]
        expected = {
            LedgerAccount.BANK: sum(p.amount.amount for p in payments),
            LedgerAccount.CREDIT: -sum(p.unallocated.amount for p in payments),
            LedgerAccount.ADVANCES: -sum(
                one.amount.amount for p in payments for one in p.allocations if not one.invoice_id
            ),
            LedgerAccount.RECEIVABLE: sum(one.outstanding.amount for one in claims),
            LedgerAccount.REVENUE: -sum((one.net - one.credited_net).amount for one in claims),
        }
        for account, balance in expected.items():
            assert balances[account] == balance, account

    @invariant()
    def a_payment_is_allocated_or_left_to_the_cent(self) -> None:
        for payment in map(self._load_payment, self.payments):
            allocated = Money.total((one.amount for one in payment.allocations), "CNY")
            whole = cny(0) if payment.is_reversed else payment.amount
            assert allocated + payment.unallocated == whole
            assert payment.unallocated >= cny(0)
            assert all(one.amount > cny(0) for one in payment.allocations)

    @invariant()
    def nothing_is_paid_above_its_amount(self) -> None:
        paid: dict[str, Decimal] = defaultdict(Decimal)
        for payment in map(self._load_payment, self.payments):
            for one in payment.allocations:
                for debt in {one.instalment_id, one.invoice_id} - {None}:
                    paid[str(debt)] += one.amount.amount
        for contract_id in CONTRACTS:
            contract = self._load(Contract, contract_id)
            plan = self._load(PaymentPlan, plan_of(contract_id))
            issued = [self._load(Invoice, one) for one in contract.invoice_ids]
            left = [one.left for one in issued if one.status is not InvoiceStatus.VOIDED]
            assert contract.invoiced == Money.total(left, "CNY") <= contract.total
            for term in plan.terms:
                assert cny(0) <= term.paid <= term.instalment.amount
                assert term.paid.amount == paid[term.id]
            if contract.status is ContractStatus.TERMINATED:
                assert all(
                    one.invoice_id or one.contract_id != contract_id
                    for payment in map(self._load_payment, self.payments)
                    for one in payment.allocations
                )
            if not contract.ended:
                whole = Money.total((term.instalment.amount for term in plan.terms), "CNY")
                assert whole == plan.total == contract.total
        for invoice_id in self.invoices:
            invoice = self._load(Invoice, invoice_id)
            assert cny(0) <= invoice.paid <= invoice.left
            assert invoice.paid.amount == paid[invoice_id]

    def teardown(self) -> None:
        """Screens show what is."""
        facts = self.world.log.read(0, 10_000)
        lines = folded(Postings, facts).values()
        assert sum((row["balance"] for row in lines), Decimal(0)) == 0
        for row in folded(Payments, facts).values():
            payment = self._load_payment(str(row["payment_id"]))
            assert row["unallocated"] == payment.unallocated.amount
            assert len(row["allocations"]) == len(payment.allocations)
        for row in folded(Invoices, facts).values():
            invoice = self._load(Invoice, str(row["invoice_id"]))
            assert (row["status"], row["paid"]) == (invoice.status, invoice.paid.amount)
            if invoice.status in ISSUED:
                assert row["outstanding"] == invoice.outstanding.amount
        for row in folded(Contracts, facts).values():
            plan = self._load(PaymentPlan, plan_of(str(row["contract_id"])))
            contract = self._load(Contract, str(row["contract_id"]))
            assert (row["paid"], row["invoiced"]) == (plan.paid.amount, contract.invoiced.amount)
            assert row["status"] == contract.status
        screen = folded(Instalments, facts)
        for contract_id in CONTRACTS:
            for term in self._load(PaymentPlan, plan_of(contract_id)).terms:
                row = screen.pop((term.id,))
                assert (row["status"], row["paid"]) == (term.state, term.paid.amount)
                assert row["outstanding"] == term.outstanding.amount
        assert not screen

    def _receive(self, amount: Money, contract_id: str | None) -> None:
        payment_id = f"payment-{len(self.payments)}"
        wish = ReceivePayment(
            payment_id=payment_id,
            account_id=ACCOUNT,
            contract_id=contract_id,
            amount=amount,
            method="bank",
        )
        assert self._do(wish)
        self.payments.append(payment_id)

    def _invoice(self, amount: Money, contract_id: str | None) -> None:
        invoice_id = f"invoice-{len(self.invoices)}"
        wish = ApplyForInvoice(
            invoice_id=invoice_id, account_id=ACCOUNT, contract_id=contract_id, amount=amount
        )
        if self._do(wish):
            self.invoices.append(invoice_id)
            self._do(IssueInvoice(invoice_id=invoice_id))

    def _do(self, command: Command) -> bool:
        try:
            self.world.application.handle(issue(command))
        except Refused:
            return False
        finally:
            self._show()
        return True

    def _show(self) -> None:
        shown = getattr(self, "_shown", 0)
        self.world.known(*self.world.log.read(shown, 10_000))
        self._shown = self.world.log.tip()

    def _load_payment(self, payment_id: str) -> Payment:
        return self._load(Payment, payment_id)

    def _load(self, kind: type[A], stream_id: str) -> A:
        state = fold(kind, [fact.event for fact in self.world.log.stream(stream_id)])
        assert state is not None
        return state

    def _balances(self) -> dict[LedgerAccount, Decimal]:
        balances: dict[LedgerAccount, Decimal] = defaultdict(Decimal)
        for fact in self.world.log.read(0, 10_000):
            if isinstance(fact.event, LedgerPosted):
                for line in fact.event.lines:
                    signed = line.amount if line.side is Side.DEBIT else -line.amount
                    balances[line.ledger_account] += signed
        return balances


TestBooks = pytest.mark.capability("BIL-05", "BIL-08")(Books.TestCase)
TestBooks.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
