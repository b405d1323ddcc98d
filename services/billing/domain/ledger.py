"""The books: every movement of money or claims is posted with debits equal to credits."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from shared.chassis.shapes import BrokenRule
from shared.events.billing import LedgerAccount, LedgerPosted, PostingLine, Side
from shared.events.values import Money

__all__ = ["DebitsDifferFromCredits", "Entry", "credit", "debit", "posted"]

Entry = tuple[LedgerAccount, Side, Money]


class DebitsDifferFromCredits(BrokenRule):
    """The two sides of a posting must be equal."""

    sentence = "the debits of a posting must equal its credits"


def debit(account: LedgerAccount, amount: Money) -> Entry:
    """Return a line on the left."""
    return account, Side.DEBIT, amount


def credit(account: LedgerAccount, amount: Money) -> Entry:
    """Return a line on the right."""
    return account, Side.CREDIT, amount


def posted(
    about: str,
    *entries: Entry,
    value_date: date,
    account_id: str,
    contract_id: str | None = None,
    invoice_id: str | None = None,
    payment_id: str | None = None,
) -> list[LedgerPosted]:
    """Return the posting of these entries; none when nothing moves.

    Raises:
        CurrencyMismatch: the entries are not in one currency.
        DebitsDifferFromCredits: the entries do not balance.
    """
    moving = [entry for entry in entries if entry[2].amount]
    if not moving:
        return []
    currency = moving[0][2].currency
    debits = _sum(moving, Side.DEBIT, currency)
    credits_ = _sum(moving, Side.CREDIT, currency)
    if debits != credits_:
        raise DebitsDifferFromCredits(debits=str(debits), credits=str(credits_))
    return [
        LedgerPosted(
            account_id=account_id,
            contract_id=contract_id,
            invoice_id=invoice_id,
            payment_id=payment_id,
            currency=currency,
            value_date=value_date,
            about=about,
            lines=_lines(moving),
        )
    ]


def _sum(entries: Sequence[Entry], side: Side, currency: str) -> Money:
    return Money.total((amount for _, where, amount in entries if where is side), currency)


def _lines(entries: Sequence[Entry]) -> tuple[PostingLine, ...]:
    amounts: dict[tuple[LedgerAccount, Side], Decimal] = {}
    for account, side, amount in entries:
        amounts[account, side] = amounts.get((account, side), Decimal(0)) + amount.amount
    return tuple(
        PostingLine(ledger_account=account, side=side, amount=amount)
        for (account, side), amount in amounts.items()
    )
