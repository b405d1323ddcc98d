"""Payments: money that came in, and what it was taken for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from services.billing.commands import NewPayment, ReversePayment
from services.billing.domain.allocation import AllocationExceedsPayment, CurrencyDiffers
from services.billing.domain.ledger import Entry, credit, debit, posted
from shared.chassis.shapes import BrokenRule
from shared.events.base import Event
from shared.events.billing import (
    Allocation,
    LedgerAccount,
    PaymentAllocated,
    PaymentCredited,
    PaymentReallocated,
    PaymentReceived,
    PaymentReversed,
)
from shared.events.values import Money

__all__ = ["Payment", "PaymentIsReversed", "PaymentOfAnotherAccount", "received"]


class PaymentIsReversed(BrokenRule):
    """A payment taken back pays for nothing."""

    sentence = "the payment was reversed"


class PaymentOfAnotherAccount(BrokenRule):
    """A customer's money pays that customer's debts."""

    def __init__(self, account_id: str, debtor_id: str) -> None:
        super().__init__(
            f"the payment is from {account_id}, the debt is that of {debtor_id}",
            account_id=account_id,
            debtor_id=debtor_id,
        )


@dataclass(frozen=True, kw_only=True)
class Payment:
    """Money from a customer; what is allocated and what is left always add up to it."""

    refs: dict[str, Any]
    amount: Money
    value_date: date
    unallocated: Money
    allocations: tuple[Allocation, ...] = ()
    is_reversed: bool = False

    @property
    def account_id(self) -> str:
        return str(self.refs["account_id"])

    def check_debtor(self, debt: str, account_id: str, currency: str) -> None:
        """Hold the payment to its payer's debts in its own currency."""
        if account_id != self.account_id:
            raise PaymentOfAnotherAccount(self.account_id, account_id)
        if currency != self.amount.currency:
            raise CurrencyDiffers(debt, currency, self.amount.currency)

    @property
    def contract_id(self) -> str | None:
        found: str | None = self.refs["contract_id"]
        return found

    def allocate(
        self,
        payment_id: str,
        parts: Sequence[Allocation],
        value_date: date,
        *,
        from_credit: bool = False,
    ) -> list[Event]:
        if not parts:
            return []
        if self.is_reversed:
            raise PaymentIsReversed
        wanted = self._sum(parts)
        if wanted > self.unallocated:
            raise AllocationExceedsPayment(wanted, self.unallocated)
        return [
            PaymentAllocated(
                **self.refs,
                allocations=tuple(parts),
                unallocated=self.unallocated - wanted,
                from_credit=from_credit,
                value_date=value_date,
            ),
            *self._posted(
                "payment_allocated",
                payment_id,
                value_date,
                [debit(LedgerAccount.CREDIT, wanted)],
                [credit(account, amount) for account, amount in _claims(parts)],
            ),
        ]

    def keep_as_credit(self, value_date: date) -> list[Event]:
        """Say what the customer paid beyond their debts."""
        if not self.unallocated.amount:
            return []
        return [PaymentCredited(**self.refs, amount=self.unallocated, value_date=value_date)]

    def cover_invoice(
        self, payment_id: str, contract_id: str, invoice_id: str, open_amount: Money, on: date
    ) -> tuple[list[Event], Money]:
        """Let what was paid ahead on a contract count towards its new invoice.

        Returns:
            The facts, and how much of the invoice they cover.
        """
        moved = nothing = Money.zero(self.amount.currency)
        parts: list[Allocation] = []
        for part in self.allocations:
            ahead = part.invoice_id is None and part.contract_id == contract_id
            taken = min(part.amount, open_amount - moved) if ahead else nothing
            if taken.amount:
                parts.append(part.model_copy(update={"amount": taken, "invoice_id": invoice_id}))
            if part.amount > taken:
                parts.append(part.model_copy(update={"amount": part.amount - taken}))
            moved += taken
        if not moved.amount:
            return [], moved
        return [
            self._reallocated(parts, self.unallocated, invoice_id, on),
            *self._posted(
                "advance_invoiced",
                payment_id,
                on,
                [debit(LedgerAccount.ADVANCES, moved)],
                [credit(LedgerAccount.RECEIVABLE, moved)],
                invoice_id=invoice_id,
            ),
        ], moved

    def uncover_invoice(
        self, payment_id: str, invoice_id: str, excess: Money, on: date
    ) -> tuple[list[Event], Money]:
        """Free what was paid on an invoice beyond what a credit note left of it.

        What also paid an instalment stays paid ahead on the contract; the rest becomes credit.

        Returns:
            The facts, and how much was freed.
        """
        ahead = kept = nothing = Money.zero(self.amount.currency)
        parts: list[Allocation] = []
        for part in reversed(self.allocations):
            on_it = part.invoice_id == invoice_id
            taken = min(part.amount, excess - ahead - kept) if on_it else nothing
            if part.amount > taken:
                parts.append(part.model_copy(update={"amount": part.amount - taken}))
            if taken.amount and part.instalment_id is not None:
                parts.append(part.model_copy(update={"amount": taken, "invoice_id": None}))
                ahead += taken
            else:
                kept += taken
        freed = ahead + kept
        if not freed.amount:
            return [], freed
        return [
            self._reallocated(parts[::-1], self.unallocated + kept, invoice_id, on),
            *self._posted(
                "payment_freed",
                payment_id,
                on,
                [debit(LedgerAccount.RECEIVABLE, freed)],
                [credit(LedgerAccount.ADVANCES, ahead), credit(LedgerAccount.CREDIT, kept)],
                invoice_id=invoice_id,
            ),
        ], freed

    def free_advances(
        self, payment_id: str, contract_id: str, on: date
    ) -> tuple[list[Event], list[Allocation]]:
        """Make what was paid ahead on a contract the customer's credit again.

        Returns:
            The facts, and the allocations that hold no longer.
        """
        parts: dict[bool, list[Allocation]] = {True: [], False: []}
        for part in self.allocations:
            parts[part.invoice_id is None and part.contract_id == contract_id].append(part)
        if not parts[True]:
            return [], []
        freed = self._sum(parts[True])
        return [
            self._reallocated(parts[False], self.unallocated + freed, None, on),
            *self._posted(
                "advance_freed",
                payment_id,
                on,
                [debit(LedgerAccount.ADVANCES, freed)],
                [credit(LedgerAccount.CREDIT, freed)],
            ),
        ], parts[True]

    def reverse(self, payment_id: str, command: ReversePayment, on: date) -> list[Event]:
        if self.is_reversed:
            return []
        return [
            PaymentReversed(
                **self.refs,
                amount=self.amount,
                reason=command.reason,
                value_date=on,
                released=self.allocations,
                note=command.note,
            ),
            *self._posted(
                "payment_reversed",
                payment_id,
                on,
                [
                    debit(LedgerAccount.CREDIT, self.unallocated),
                    *(debit(account, amount) for account, amount in _claims(self.allocations)),
                ],
                [credit(LedgerAccount.BANK, self.amount)],
            ),
        ]

    def _sum(self, parts: Iterable[Allocation]) -> Money:
        currency = self.amount.currency
        for part in parts:
            if part.amount.currency != currency:
                raise CurrencyDiffers("the payment", currency, part.amount.currency)
        return Money.total((part.amount for part in parts), currency)

    def _reallocated(
        self, parts: Sequence[Allocation], unallocated: Money, invoice_id: str | None, on: date
    ) -> PaymentReallocated:
        return PaymentReallocated(
            **self.refs,
            allocations=tuple(parts),
            unallocated=unallocated,
            invoice_id=invoice_id,
            value_date=on,
        )

    def _posted(
        self,
        about: str,
        payment_id: str,
        on: date,
        debits: Sequence[Entry],
        credits_: Sequence[Entry],
        invoice_id: str | None = None,
    ) -> Sequence[Event]:
        return posted(
            about,
            *debits,
            *credits_,
            value_date=on,
            account_id=self.account_id,
            contract_id=self.refs["contract_id"],
            invoice_id=invoice_id,
            payment_id=payment_id,
        )

    @staticmethod
    def evolve(state: "Payment | None", event: Event) -> "Payment | None":
        if isinstance(event, PaymentReceived):
            return Payment(
                refs={
                    "account_id": event.account_id,
                    "contract_id": event.contract_id,
                    "opportunity_id": event.opportunity_id,
                    "lead_id": event.lead_id,
                },
                amount=event.amount,
                value_date=event.value_date,
                unallocated=event.amount,
            )
        if state is None:
            return None
        match event:
            case PaymentAllocated():
                return replace(
                    state,
                    allocations=state.allocations + event.allocations,
                    unallocated=event.unallocated,
                )
            case PaymentReallocated():
                return replace(state, allocations=event.allocations, unallocated=event.unallocated)
            case PaymentReversed():
                nothing = Money.zero(state.amount.currency)
                return replace(state, allocations=(), unallocated=nothing, is_reversed=True)
        return state


def received(
    payment_id: str, account_id: str, refs: dict[str, Any], command: NewPayment, on: date
) -> list[Event]:
    """Record money that came in; until it is allocated it is the customer's credit."""
    return [
        PaymentReceived(
            account_id=account_id,
            contract_id=command.contract_id,
            **refs,
            amount=command.amount,
            value_date=on,
            method=command.method,
            reference=command.reference,
            payer=command.payer,
            owner_id=command.owner_id,
            channel=command.channel,
            source=command.source,
            external_id=command.external_id,
        ),
        *posted(
            "payment_received",
            debit(LedgerAccount.BANK, command.amount),
            credit(LedgerAccount.CREDIT, command.amount),
            value_date=on,
            account_id=account_id,
            contract_id=command.contract_id,
            payment_id=payment_id,
        ),
    ]


def _claims(parts: Iterable[Allocation]) -> list[tuple[LedgerAccount, Money]]:
    """Return the accounts this money stands in: against an invoice, or paid ahead of one."""
    ahead, claimed = LedgerAccount.ADVANCES, LedgerAccount.RECEIVABLE
    return [(claimed if part.invoice_id else ahead, part.amount) for part in parts]
