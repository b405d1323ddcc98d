"""Postings: the books line by line."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Date, Index, Integer, MetaData, String, Table

from shared.chassis.shapes import (
    Amount,
    Instant,
    Key,
    ListQuery,
    Page,
    Projection,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.events.base import Recorded
from shared.events.billing import LedgerAccount, LedgerPosted, Side

__all__ = ["ListPostings", "Postings", "list_postings", "postings"]

postings = Table(
    "postings",
    MetaData(),
    Column("posting_id", String, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("ledger_account", String, nullable=False),
    Column("side", String, nullable=False),
    Column("amount", Amount, nullable=False),
    Column("balance", Amount, nullable=False),
    Column("currency", String, nullable=False),
    Column("value_date", Date, nullable=False),
    Column("about", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("contract_id", String),
    Column("invoice_id", String),
    Column("payment_id", String),
    Column("posted_at", Instant, nullable=False),
    Index("postings_by_account", "account_id", "value_date"),
    Index("postings_by_ledger_account", "ledger_account", "currency"),
    Index("postings_by_value_date", "value_date", "posted_at", "posting_id", "line"),
)


class Postings(Projection):
    """Every line of the books; debits count up and credits down, so all lines add up to zero."""

    table = postings
    version = 1
    events = (LedgerPosted,)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.event_id, number) for number, _ in enumerate(recorded.event.lines, 1)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        event: LedgerPosted = recorded.event
        line = event.lines[key[1] - 1]
        return {
            "posting_id": key[0],
            "line": key[1],
            "ledger_account": line.ledger_account,
            "side": line.side,
            "amount": line.amount,
            "balance": line.amount if line.side is Side.DEBIT else -line.amount,
            "currency": event.currency,
            "value_date": event.value_date,
            "about": event.about,
            "account_id": event.account_id,
            "contract_id": event.contract_id,
            "invoice_id": event.invoice_id,
            "payment_id": event.payment_id,
            "posted_at": recorded.occurred_at,
        }


class PostingView(View):
    """One line of the books."""

    posting_id: str
    line: int
    ledger_account: LedgerAccount
    side: Side
    amount: Decimal
    balance: Decimal
    """The amount with its sign: debits above zero, credits below."""
    currency: str
    value_date: date
    about: str
    account_id: str
    contract_id: str | None
    invoice_id: str | None
    payment_id: str | None
    posted_at: datetime


class ListPostings(ListQuery, http="GET /v1/ledger/postings"):
    """List the lines of the books, the latest value date first."""


def list_postings(query: ListPostings, reader: Reader) -> Page[PostingView]:
    """Answer with a page of lines."""
    return listed(query, reader, postings, PostingView, order_by="value_date desc, posted_at desc")
