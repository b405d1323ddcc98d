"""Invoices: what a customer is asked to pay, from the application to its settlement."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from services.billing.commands import (
    ApplyForInvoice,
    CreditInvoice,
    DeclineInvoice,
    SendInvoice,
    VoidInvoice,
)
from services.billing.domain.allocation import AllocationExceedsDebt, CurrencyDiffers, Debt
from services.billing.domain.contract import Contract
from services.billing.domain.ledger import credit, debit, posted
from services.billing.domain.payment_plan import PaymentPlan
from services.billing.domain.pricing import Price, priced, without_lines
from shared.chassis.shapes import BrokenRule
from shared.events.base import Event
from shared.events.billing import (
    InvoiceApplied,
    InvoiceApproved,
    InvoiceCredited,
    InvoiceDeclined,
    InvoiceIssued,
    InvoicePaid,
    InvoiceReopened,
    InvoiceSent,
    InvoiceSettled,
    InvoiceVoided,
    LedgerAccount,
)
from shared.events.values import Address, LineItem, Money

__all__ = [
    "CreditedBeyondInvoice",
    "Invoice",
    "InvoiceIsNotIssued",
    "InvoiceIsPaid",
    "InvoiceIsSettled",
    "InvoiceStatus",
    "InvoicedBeyondInstalments",
    "NothingToInvoice",
    "applied",
    "asked_price",
    "check_instalments",
]


class InvoiceStatus(StrEnum):
    """Where an invoice stands."""

    APPLIED = "applied"
    APPROVED = "approved"
    DECLINED = "declined"
    ISSUED = "issued"
    SENT = "sent"
    SETTLED = "settled"
    VOIDED = "voided"
    CREDITED = "credited"


UNISSUED = {InvoiceStatus.APPLIED, InvoiceStatus.APPROVED}
ISSUED = {InvoiceStatus.ISSUED, InvoiceStatus.SENT, InvoiceStatus.SETTLED}
PAYABLE = {InvoiceStatus.ISSUED, InvoiceStatus.SENT}


class InvoiceIsSettled(BrokenRule):
    """An invoice that has taken another way does not come back to this step."""

    def __init__(self, step: str, status: InvoiceStatus) -> None:
        super().__init__(f"an invoice that is {status} cannot be {step}", step=step, status=status)


class InvoiceIsNotIssued(BrokenRule):
    """Only an issued invoice is sent, paid or credited."""

    def __init__(self, step: str, status: InvoiceStatus) -> None:
        super().__init__(f"an invoice that is {status} cannot be {step}", step=step, status=status)


class InvoiceIsPaid(BrokenRule):
    """An invoice that something is paid on is credited, not voided."""

    def __init__(self, paid: Money) -> None:
        super().__init__(f"{paid} is paid on it; credit it instead", paid=str(paid))


class CreditedBeyondInvoice(BrokenRule):
    """No more is credited than was invoiced."""

    def __init__(self, wanted: Money, left: Money) -> None:
        super().__init__(
            f"{wanted} is more than the {left} not credited yet", wanted=str(wanted), left=str(left)
        )


class InvoicedBeyondInstalments(BrokenRule):
    """What invoices ask for instalments never exceeds what the instalments come to."""

    def __init__(self, wanted: Money, left: Money) -> None:
        super().__init__(
            f"{wanted} is more than the {left} of these instalments not invoiced yet",
            wanted=str(wanted),
            left=str(left),
        )


class NothingToInvoice(BrokenRule):
    """An invoice asks for more than nothing."""

    sentence = "there is nothing left to invoice"


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """A demand for payment under a number; it is taken back only by voiding or crediting it."""

    status: InvoiceStatus
    refs: dict[str, Any]
    title: str | None
    tax_number: str | None
    billing_address: Address | None
    lines: tuple[LineItem, ...]
    net: Money
    tax: Money
    total: Money
    due_on: date | None
    credited: Money
    credited_net: Money
    paid: Money
    number: str | None = None
    instalment_ids: tuple[str, ...] = ()
    payment_ids: tuple[str, ...] = ()

    @property
    def contract_id(self) -> str | None:
        found: str | None = self.refs["contract_id"]
        return found

    @property
    def account_id(self) -> str:
        return str(self.refs["account_id"])

    @property
    def left(self) -> Money:
        """What of the total is not credited."""
        return self.total - self.credited

    @property
    def outstanding(self) -> Money:
        return self.left - self.paid

    @property
    def payable(self) -> bool:
        return self.status in PAYABLE

    def debt(self, invoice_id: str) -> Debt:
        return Debt(id=invoice_id, outstanding=self.outstanding, due_on=self.due_on)

    def approve(self) -> list[Event]:
        if self.status is InvoiceStatus.APPROVED:
            return []
        self._require({InvoiceStatus.APPLIED}, "approved")
        return [InvoiceApproved(**self.refs, total=self.total)]

    def decline(self, command: DeclineInvoice) -> list[Event]:
        if self.status is InvoiceStatus.DECLINED:
            return []
        self._require(UNISSUED, "declined")
        return [InvoiceDeclined(**self.refs, reason=command.reason)]

    def issue(self, invoice_id: str, number: str, issued_on: date) -> list[Event]:
        approval = self.approve() if self.status is InvoiceStatus.APPLIED else []
        self._require(UNISSUED, "issued")
        return [
            *approval,
            InvoiceIssued(**self.refs, **self._content(), number=number, issued_on=issued_on),
            *posted(
                "invoice_issued",
                debit(LedgerAccount.RECEIVABLE, self.total),
                credit(LedgerAccount.REVENUE, self.net),
                credit(LedgerAccount.TAX, self.tax),
                **self._posting(invoice_id, issued_on),
            ),
        ]

    def send(self, command: SendInvoice) -> list[Event]:
        self._require_issued("sent")
        return [
            InvoiceSent(
                **self.refs,
                number=self.number or "",
                channel=command.channel,
                contact_id=command.contact_id,
                email=command.email,
            )
        ]

    def pay(self, payment_id: str, amount: Money, value_date: date) -> list[Event]:
        self._require_issued("paid")
        self._check_currency(amount)
        if amount > self.outstanding:
            raise AllocationExceedsDebt(self.number or "", amount, self.outstanding)
        outstanding = self.outstanding - amount
        paid = InvoicePaid(
            **self.refs,
            payment_id=payment_id,
            amount=amount,
            paid=self.paid + amount,
            outstanding=outstanding,
            value_date=value_date,
        )
        return [paid] if outstanding.amount else [paid, self._settled(value_date, self.left)]

    def give_back(self, payment_id: str, amount: Money) -> list[Event]:
        """Open again what a reversed payment had paid."""
        paid = self.paid - amount
        return [
            InvoiceReopened(
                **self.refs,
                payment_id=payment_id,
                amount=amount,
                paid=paid,
                outstanding=self.left - paid,
            )
        ]

    def void(self, invoice_id: str, command: VoidInvoice, on: date) -> list[Event]:
        if self.status is InvoiceStatus.VOIDED:
            return []
        if self.number is None:
            self._require(UNISSUED, "voided")
            return [InvoiceVoided(**self.refs, total=self.total, reason=command.reason)]
        if self.paid.amount:
            raise InvoiceIsPaid(self.paid)
        self._require_issued("voided")
        rest = self._part(self.left)
        return [
            InvoiceVoided(**self.refs, number=self.number, total=self.left, reason=command.reason),
            *posted(
                "invoice_voided",
                debit(LedgerAccount.REVENUE, rest.net),
                debit(LedgerAccount.TAX, rest.tax),
                credit(LedgerAccount.RECEIVABLE, rest.total),
                **self._posting(invoice_id, on),
            ),
        ]

    def credit(
        self, invoice_id: str, credit_note: str, amount: Money, command: CreditInvoice, on: date
    ) -> list[Event]:
        note = self._part(amount)
        left = self.left - amount
        settles = self.payable and left.amount > 0 and left <= self.paid
        return [
            InvoiceCredited(
                **self.refs,
                number=self.number or "",
                credit_note=credit_note,
                net=note.net,
                tax=note.tax,
                total=note.total,
                reason=command.reason,
            ),
            *posted(
                "invoice_credited",
                debit(LedgerAccount.REVENUE, note.net),
                debit(LedgerAccount.TAX, note.tax),
                credit(LedgerAccount.RECEIVABLE, note.total),
                **self._posting(invoice_id, on),
            ),
            *([self._settled(on, left)] if settles else []),
        ]

    def creditable(self, command: CreditInvoice) -> Money:
        """Return how much the command asks to credit."""
        self._require_issued("credited")
        amount = command.amount or self.left
        self._check_currency(amount)
        if amount > self.left:
            raise CreditedBeyondInvoice(amount, self.left)
        return amount

    def _settled(self, on: date, total: Money) -> InvoiceSettled:
        return InvoiceSettled(**self.refs, number=self.number or "", total=total, settled_on=on)

    def _part(self, amount: Money) -> Price:
        """Return what to take back so that all that is taken back is taxed like the invoice."""
        whole = Price(net=self.net, tax=self.tax, total=self.total)
        net = whole.part(self.credited + amount).net - self.credited_net
        return Price(net=net, tax=amount - net, total=amount)

    def _content(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "tax_number": self.tax_number,
            "billing_address": self.billing_address,
            "lines": self.lines,
            "net": self.net,
            "tax": self.tax,
            "total": self.total,
            "due_on": self.due_on,
        }

    def _posting(self, invoice_id: str, on: date) -> dict[str, Any]:
        return {
            "value_date": on,
            "account_id": self.account_id,
            "contract_id": self.contract_id,
            "invoice_id": invoice_id,
        }

    def _check_currency(self, amount: Money) -> None:
        if amount.currency != self.total.currency:
            raise CurrencyDiffers("the invoice", self.total.currency, amount.currency)

    def _require(self, allowed: set[InvoiceStatus], step: str) -> None:
        if self.status not in allowed:
            raise InvoiceIsSettled(step, self.status)

    def _require_issued(self, step: str) -> None:
        if self.status not in ISSUED:
            raise InvoiceIsNotIssued(step, self.status)

    @staticmethod
    def evolve(state: "Invoice | None", event: Event) -> "Invoice | None":
        if isinstance(event, InvoiceApplied):
            return _applied(event)
        if state is None:
            return None
        match event:
            case InvoiceApproved():
                return replace(state, status=InvoiceStatus.APPROVED)
            case InvoiceDeclined():
                return replace(state, status=InvoiceStatus.DECLINED)
            case InvoiceIssued():
                return replace(state, status=InvoiceStatus.ISSUED, number=event.number)
            case InvoiceSent() if state.status is InvoiceStatus.ISSUED:
                return replace(state, status=InvoiceStatus.SENT)
            case InvoicePaid():
                known = dict.fromkeys((*state.payment_ids, event.payment_id))
                return replace(state, paid=event.paid, payment_ids=tuple(known))
            case InvoiceSettled():
                return replace(state, status=InvoiceStatus.SETTLED)
            case InvoiceReopened():
                return state._reopened(event)
            case InvoiceVoided():
                return replace(state, status=InvoiceStatus.VOIDED)
            case InvoiceCredited():
                return state._credited(event)
        return state

    def _reopened(self, event: InvoiceReopened) -> "Invoice":
        settled = self.status is InvoiceStatus.SETTLED and event.outstanding.amount > 0
        status = InvoiceStatus.ISSUED if settled else self.status
        others = tuple(known for known in self.payment_ids if known != event.payment_id)
        return replace(self, status=status, paid=event.paid, payment_ids=others)

    def _credited(self, event: InvoiceCredited) -> "Invoice":
        credited = self.credited + event.total
        left = self.total - credited
        status = self.status if left.amount else InvoiceStatus.CREDITED
        return replace(
            self,
            status=status,
            credited=credited,
            credited_net=self.credited_net + event.net,
            paid=min(self.paid, left),
        )


def asked_price(
    command: ApplyForInvoice, contract: Contract | None, plan: PaymentPlan | None
) -> Price:
    """Return what is asked for: lines, an amount, instalments, or all a contract has left."""
    if contract is None:
        if command.amount is not None:
            return without_lines(command.amount)
        return priced(command.lines, command.currency or "")
    currency = contract.total.currency
    given = command.amount.currency if command.amount else command.currency or currency
    if given != currency:
        raise CurrencyDiffers("the contract", currency, given)
    if command.lines:
        price = priced(command.lines, currency)
    elif command.amount is not None:
        price = contract.price.part(command.amount)
    elif plan is not None:
        terms = [plan.term(one) for one in command.instalment_ids]
        price = contract.price.part(
            Money.total((term.instalment.amount for term in terms), currency)
        )
    elif contract.invoiced.amount:
        price = contract.price.part(contract.total - contract.invoiced)
    else:
        price = contract.price
    contract.check_invoiceable(price.total)
    return price


def check_instalments(
    named: Iterable[str], wanted: Money, plan: PaymentPlan, issued: Iterable[Invoice]
) -> None:
    """Hold an invoice of instalments to what earlier ones left of them.

    What an invoice of several asks for each is not known, so that they count together.
    """
    ids = set(named)
    earlier = [it for it in issued if it.status in ISSUED and ids.intersection(it.instalment_ids)]
    if not earlier:
        return
    ids = ids.union(*(invoice.instalment_ids for invoice in earlier))
    amounts = (term.instalment.amount for term in plan.terms if term.id in ids)
    invoiced = Money.total((invoice.left for invoice in earlier), wanted.currency)
    left = Money.total(amounts, wanted.currency) - invoiced
    if wanted > left:
        raise InvoicedBeyondInstalments(wanted, left)


def applied(
    command: ApplyForInvoice, account_id: str, refs: dict[str, Any], price: Price
) -> list[Event]:
    """Ask for an invoice over a price."""
    if not price.total.amount:
        raise NothingToInvoice
    return [
        InvoiceApplied(
            account_id=account_id,
            contract_id=command.contract_id,
            **refs,
            title=command.title,
            tax_number=command.tax_number,
            billing_address=command.billing_address,
            lines=price.lines,
            net=price.net,
            tax=price.tax,
            total=price.total,
            due_on=command.due_on,
            owner_id=command.by.id,
            kind=command.kind,
            instalment_ids=command.instalment_ids,
            source=command.source,
            external_id=command.external_id,
        )
    ]


def _applied(event: InvoiceApplied) -> Invoice:
    nothing = Money.zero(event.total.currency)
    return Invoice(
        status=InvoiceStatus.APPLIED,
        refs={
            "account_id": event.account_id,
            "contract_id": event.contract_id,
            "opportunity_id": event.opportunity_id,
            "lead_id": event.lead_id,
        },
        title=event.title,
        tax_number=event.tax_number,
        billing_address=event.billing_address,
        lines=event.lines,
        net=event.net,
        tax=event.tax,
        total=event.total,
        due_on=event.due_on,
        credited=nothing,
        credited_net=nothing,
        paid=nothing,
        instalment_ids=event.instalment_ids,
    )
