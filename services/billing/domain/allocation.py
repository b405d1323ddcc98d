"""Allocation: which debts an amount pays, instalments and invoices of a contract side by side."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from shared.chassis.shapes import BrokenRule, NotFound
from shared.events.billing import Allocation
from shared.events.values import Money

__all__ = [
    "AllocationExceedsDebt",
    "AllocationExceedsPayment",
    "Book",
    "CurrencyDiffers",
    "Debt",
    "cover",
    "oldest_first",
]


class AllocationExceedsDebt(BrokenRule):
    """Nothing is paid above what is open on it."""

    def __init__(self, of: str, wanted: Money, outstanding: Money) -> None:
        super().__init__(
            f"{wanted} is more than the {outstanding} open on {of}",
            id=of,
            wanted=str(wanted),
            outstanding=str(outstanding),
        )


class AllocationExceedsPayment(BrokenRule):
    """No more can be allocated than is left of the payment."""

    def __init__(self, wanted: Money, unallocated: Money) -> None:
        super().__init__(
            f"{wanted} is more than the {unallocated} left of the payment",
            wanted=str(wanted),
            unallocated=str(unallocated),
        )


class CurrencyDiffers(BrokenRule):
    """A debt is paid in its own currency."""

    def __init__(self, of: str, currency: str, given: str) -> None:
        super().__init__(
            f"{of} is in {currency} and cannot be paid in {given}", currency=currency, given=given
        )


@dataclass(frozen=True, kw_only=True)
class Debt:
    """Something open: an instalment or an invoice."""

    id: str
    outstanding: Money
    due_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Book:
    """What is open on one contract, or on a free invoice."""

    contract_id: str | None = None
    plan_id: str | None = None
    instalments: tuple[Debt, ...] = ()
    invoices: tuple[Debt, ...] = ()

    def only(self, instalment_id: str | None, invoice_id: str | None) -> "Book":
        """Return the book with nothing but the named debts; the side not named stays whole.

        A named debt is paid as far as it is open, with whatever of the other side it covers.
        """
        instalments = oldest_first(self.instalments)
        invoices = oldest_first(self.invoices)
        if instalment_id is not None:
            if all(debt.id != instalment_id for debt in self.instalments):
                raise NotFound("instalment", instalment_id)
            instalments = [debt for debt in instalments if debt.id == instalment_id]
            named = sum((debt.outstanding.amount for debt in instalments), Decimal(0))
            invoices = _at_most(named, invoices)
        if invoice_id is not None:
            invoices = [debt for debt in invoices if debt.id == invoice_id]
            named = sum((debt.outstanding.amount for debt in invoices), Decimal(0))
            instalments = _at_most(named, instalments)
        return replace(self, instalments=tuple(instalments), invoices=tuple(invoices))


def oldest_first(debts: Iterable[Debt]) -> list[Debt]:
    """Return the open ones in the order they are paid; what has no due date comes last."""
    return sorted((debt for debt in debts if debt.outstanding.amount > 0), key=_age)


def _at_most(amount: Decimal, debts: Sequence[Debt]) -> list[Debt]:
    """Return the first debts, cut so that they do not exceed the amount."""
    kept = []
    for debt in debts:
        part = min(amount, debt.outstanding.amount)
        if part > 0:
            kept.append(replace(debt, outstanding=Money.of(part, debt.outstanding.currency)))
        amount -= part
    return kept


def cover(amount: Money, books: Sequence[Book]) -> tuple[Allocation, ...]:
    """Return which debts `amount` pays: the oldest due first, those without a due date last.

    A contract's invoices claim what its plan schedules, so what covers an instalment covers the
    contract's oldest invoice at once, while one is open. What no debt needs stays with the payer.
    """
    left = amount.amount
    owed = sorted(
        (pair for book in books for pair in _owed(book, amount.currency)), key=lambda pair: pair[0]
    )
    parts: list[Allocation] = []
    for _, part in owed:
        paid = min(left, part.amount.amount)
        if paid > 0:
            parts.append(part.model_copy(update={"amount": Money.of(paid, amount.currency)}))
        left -= paid
    return tuple(parts)


def _owed(book: Book, currency: str) -> Iterator[tuple[date, Allocation]]:
    """Yield all that is open in a book, instalments with the invoices they cover, by due date.

    What two claims ask for is due when the first of them is.
    """
    instalments = deque(oldest_first(book.instalments))
    invoices = deque(oldest_first(book.invoices))
    while instalments or invoices:
        claims = [queue[0] for queue in (instalments, invoices) if queue]
        part = min(claim.outstanding.amount for claim in claims)
        yield (
            min(_age(claim) for claim in claims),
            Allocation(
                amount=Money.of(part, currency),
                contract_id=book.contract_id,
                plan_id=book.plan_id if instalments else None,
                instalment_id=instalments[0].id if instalments else None,
                invoice_id=invoices[0].id if invoices else None,
            ),
        )
        for queue in (instalments, invoices):
            if queue:
                queue.extendleft(_rest(part, queue.popleft()))


def _rest(paid: Decimal, debt: Debt) -> list[Debt]:
    """Return what is left of a debt, if anything."""
    left = debt.outstanding.amount - paid
    return [replace(debt, outstanding=Money.of(left, debt.outstanding.currency))] if left else []


def _age(debt: Debt) -> date:
    return debt.due_on or date.max
