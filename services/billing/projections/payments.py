"""Payments: what came in, what it paid, and what is left as the customer's credit."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, Date, Index, Integer, MetaData, String, Table, select

from services.billing.projections.exchange_rates import converted
from shared.chassis.shapes import (
    Amount,
    Instant,
    Key,
    ListQuery,
    Page,
    Projection,
    Query,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.chassis.shapes.telling import found
from shared.events.base import Recorded
from shared.events.billing import (
    Allocation,
    PaymentAllocated,
    PaymentReallocated,
    PaymentReceived,
    PaymentReversed,
)
from shared.events.values import AccountId, Currency, Money, PaymentId

__all__ = [
    "GetAccountCredit",
    "GetPayment",
    "ListPayments",
    "Payments",
    "get_account_credit",
    "get_payment",
    "list_payments",
]

payments = Table(
    "payments",
    MetaData(),
    Column("payment_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("contract_id", String),
    Column("opportunity_id", String),
    Column("lead_id", String),
    Column("owner_id", String),
    Column("currency", String, nullable=False),
    Column("amount", Amount, nullable=False),
    Column("unallocated", Amount, nullable=False),
    Column("value_date", Date, nullable=False),
    Column("method", String, nullable=False),
    Column("reference", String),
    Column("payer", String),
    Column("channel", String),
    Column("allocations", JSON, nullable=False),
    Column("reversed_on", Date),
    Column("reversal_reason", String),
    Column("source", String),
    Column("external_id", String),
    Column("received_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Index("payments_by_account", "account_id", "value_date"),
    Index("payments_by_contract", "contract_id"),
    Index("payments_by_value_date", "value_date", "payment_id"),
)


class PaymentStatus(StrEnum):
    """Whether a payment counts."""

    RECEIVED = "received"
    REVERSED = "reversed"


class Payments(Projection):
    """Money that came in, and what it was taken for."""

    table = payments
    version = 1
    events = (PaymentReceived, PaymentAllocated, PaymentReallocated, PaymentReversed)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        event = recorded.event
        if isinstance(event, PaymentReceived):
            return _received(recorded)
        if row is None:
            return None
        now = {**row, "version": recorded.version}
        match event:
            case PaymentAllocated():
                now["allocations"] = [*row["allocations"], *_plain(event.allocations)]
                now["unallocated"] = event.unallocated.amount
            case PaymentReallocated():
                now["allocations"] = _plain(event.allocations)
                now["unallocated"] = event.unallocated.amount
            case PaymentReversed():
                now |= {
                    "status": PaymentStatus.REVERSED,
                    "allocations": [],
                    "unallocated": Decimal(0),
                    "reversed_on": event.value_date,
                    "reversal_reason": event.reason,
                }
        return now


def _received(recorded: Recorded[PaymentReceived]) -> Row:
    event = recorded.event
    return {
        "payment_id": recorded.stream_id,
        "version": recorded.version,
        "status": PaymentStatus.RECEIVED,
        "account_id": event.account_id,
        "contract_id": event.contract_id,
        "opportunity_id": event.opportunity_id,
        "lead_id": event.lead_id,
        "owner_id": event.owner_id,
        "currency": event.amount.currency,
        "amount": event.amount.amount,
        "unallocated": event.amount.amount,
        "value_date": event.value_date,
        "method": event.method,
        "reference": event.reference,
        "payer": event.payer,
        "channel": event.channel,
        "allocations": [],
        "reversed_on": None,
        "reversal_reason": None,
        "source": event.source,
        "external_id": event.external_id,
        "received_at": recorded.occurred_at,
        "recorded_at": recorded.recorded_at,
    }


def _plain(allocations: Iterable[Allocation]) -> list[dict[str, Any]]:
    return [part.model_dump(mode="json", exclude_none=True) for part in allocations]


class PaymentView(View):
    """A payment; what is allocated and what is left add up to it unless it was reversed."""

    payment_id: PaymentId
    version: int
    status: PaymentStatus
    account_id: str
    contract_id: str | None
    opportunity_id: str | None
    lead_id: str | None
    owner_id: str | None
    currency: str
    amount: Decimal
    unallocated: Decimal
    reported: Money | None = None
    """The amount in the reporting currency asked for; absent when no rate is known."""
    value_date: date
    method: str
    reference: str | None
    payer: str | None
    channel: str | None
    allocations: list[Allocation]
    reversed_on: date | None
    reversal_reason: str | None
    source: str | None
    external_id: str | None
    received_at: datetime
    recorded_at: datetime


class CreditView(View):
    """What a customer has paid beyond their debts, in one currency."""

    currency: str
    amount: Decimal
    payment_ids: list[str]
    """Where it comes from, oldest first."""


class AccountCreditView(View):
    """A customer's credit."""

    account_id: AccountId
    credits: list[CreditView]


class GetPayment(Query, http="GET /v1/payments/{payment_id}"):
    """Read one payment."""

    payment_id: PaymentId
    reporting_currency: Currency | None = None
    """Also give the amount in this currency, at the rate of the value date."""


class ListPayments(ListQuery, http="GET /v1/payments"):
    """List payments, the latest value date first."""

    reporting_currency: Currency | None = None
    """Also give each amount in this currency, at the rate of its value date."""


class GetAccountCredit(Query, http="GET /v1/accounts/{account_id}/credit"):
    """Read what a customer has paid beyond their debts."""

    account_id: AccountId


def get_payment(query: GetPayment, reader: Reader) -> PaymentView:
    """Answer with one payment."""
    reader = _reading(query.reporting_currency, reader)
    payment = found(reader, payments, PaymentView, "payment", query.payment_id)
    return _reported(payment, query.reporting_currency, reader)


def list_payments(query: ListPayments, reader: Reader) -> Page[PaymentView]:
    """Answer with a page of payments."""
    reader = _reading(query.reporting_currency, reader)
    page = listed(query, reader, payments, PaymentView, order_by="value_date desc")
    if query.reporting_currency is None:
        return page
    items = [_reported(item, query.reporting_currency, reader) for item in page.items]
    return Page[PaymentView](items=items, next_page_token=page.next_page_token)


def get_account_credit(query: GetAccountCredit, reader: Reader) -> AccountCreditView:
    """Answer with a customer's credit by currency; none for whoever never paid too much."""
    found = reader.connection.execute(
        select(payments.c.payment_id, payments.c.currency, payments.c.unallocated)
        .where(payments.c.account_id == query.account_id, payments.c.unallocated > 0)
        .order_by(payments.c.currency, payments.c.value_date, payments.c.payment_id)
    )
    credits_: dict[str, CreditView] = {}
    for payment_id, currency, unallocated in found:
        before = credits_.get(currency)
        credits_[currency] = CreditView(
            currency=currency,
            amount=unallocated + (before.amount if before else 0),
            payment_ids=[*(before.payment_ids if before else []), payment_id],
        )
    return AccountCreditView(account_id=query.account_id, credits=list(credits_.values()))


def _reading(currency: str | None, reader: Reader) -> Reader:
    return reader if currency is None else reader.seeing()


def _reported(view: PaymentView, currency: str | None, reader: Reader) -> PaymentView:
    if currency is None:
        return view
    money = Money.of(view.amount, view.currency)
    worth = converted(reader.connection, money, currency, view.value_date)
    return view.model_copy(update={"reported": worth})
