"""Invoices: the list, and one invoice with its lines."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Date,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    select,
)

from services.billing.domain.invoice import PAYABLE, InvoiceStatus
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
)
from shared.events.values import Address, InvoiceId, LineItem

__all__ = [
    "GetInvoice",
    "Invoices",
    "ListInvoices",
    "get_invoice",
    "invoices_with_debts",
    "list_invoices",
]

invoices = Table(
    "invoices",
    MetaData(),
    Column("invoice_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("number", String),
    Column("status", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("contract_id", String),
    Column("opportunity_id", String),
    Column("lead_id", String),
    Column("owner_id", String),
    Column("kind", String, nullable=False),
    Column("title", String),
    Column("tax_number", String),
    Column("billing_address", JSON),
    Column("currency", String, nullable=False),
    Column("net", Amount, nullable=False),
    Column("tax", Amount, nullable=False),
    Column("total", Amount, nullable=False),
    Column("credited", Amount, nullable=False),
    Column("paid", Amount, nullable=False),
    Column("outstanding", Amount, nullable=False),
    Column("lines", JSON, nullable=False),
    Column("instalment_ids", JSON, nullable=False),
    Column("credit_notes", JSON, nullable=False),
    Column("due_on", Date),
    Column("issued_on", Date),
    Column("settled_on", Date),
    Column("reason", String),
    Column("source", String),
    Column("external_id", String),
    Column("applied_at", Instant, nullable=False),
    Index("invoices_by_applied_at", "applied_at", "invoice_id"),
    Index("invoices_by_account", "account_id", "applied_at"),
    Index("invoices_by_contract", "contract_id"),
    Index("invoices_by_status", "status", "due_on"),
    Index("invoices_by_number", "number"),
)


class Invoices(Projection):
    """What was invoiced to whom, and what of it is paid."""

    table = invoices
    version = 1
    events = (
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
    )

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        event = recorded.event
        if isinstance(event, InvoiceApplied):
            return _applied(recorded)
        if row is None:
            return None
        return {**row, "version": recorded.version, **_changes(row, event)}


def _changes(row: Row, event: Any) -> dict[str, Any]:
    match event:
        case InvoiceApproved():
            return {"status": InvoiceStatus.APPROVED}
        case InvoiceDeclined():
            return {
                "status": InvoiceStatus.DECLINED,
                "reason": event.reason,
                "outstanding": Decimal(0),
            }
        case InvoiceIssued():
            return {
                "status": InvoiceStatus.ISSUED,
                "number": event.number,
                "issued_on": event.issued_on,
                "outstanding": event.total.amount,
            }
        case InvoiceSent():
            sent = row["status"] == InvoiceStatus.ISSUED
            return {"status": InvoiceStatus.SENT if sent else row["status"]}
        case InvoicePaid():
            return {"paid": event.paid.amount, "outstanding": event.outstanding.amount}
        case InvoiceSettled():
            return {"status": InvoiceStatus.SETTLED, "settled_on": event.settled_on}
        case InvoiceReopened():
            settled = row["status"] == InvoiceStatus.SETTLED and event.outstanding.amount > 0
            return {
                "paid": event.paid.amount,
                "outstanding": event.outstanding.amount,
                "status": InvoiceStatus.ISSUED if settled else row["status"],
                "settled_on": None if settled else row["settled_on"],
            }
        case InvoiceVoided():
            return {
                "status": InvoiceStatus.VOIDED,
                "reason": event.reason,
                "outstanding": Decimal(0),
            }
        case InvoiceCredited():
            return _credited(row, event)
    return {}


def _credited(row: Row, event: InvoiceCredited) -> dict[str, Any]:
    credited = row["credited"] + event.total.amount
    left = row["total"] - credited
    paid = min(row["paid"], left)
    note = {"number": event.credit_note, "total": str(event.total.amount), "reason": event.reason}
    return {
        "credited": credited,
        "paid": paid,
        "outstanding": left - paid,
        "status": row["status"] if left else InvoiceStatus.CREDITED,
        "credit_notes": [*row["credit_notes"], note],
    }


def _applied(recorded: Recorded[InvoiceApplied]) -> Row:
    event = recorded.event
    address = event.billing_address
    return {
        "invoice_id": recorded.stream_id,
        "version": recorded.version,
        "number": None,
        "status": InvoiceStatus.APPLIED,
        "account_id": event.account_id,
        "contract_id": event.contract_id,
        "opportunity_id": event.opportunity_id,
        "lead_id": event.lead_id,
        "owner_id": event.owner_id,
        "kind": event.kind,
        "title": event.title,
        "tax_number": event.tax_number,
        "billing_address": address.model_dump(mode="json") if address else None,
        "currency": event.total.currency,
        "net": event.net.amount,
        "tax": event.tax.amount,
        "total": event.total.amount,
        "credited": Decimal(0),
        "paid": Decimal(0),
        "outstanding": Decimal(0),
        "lines": [line.model_dump(mode="json") for line in event.lines],
        "instalment_ids": list(event.instalment_ids),
        "credit_notes": [],
        "due_on": event.due_on,
        "issued_on": None,
        "settled_on": None,
        "reason": None,
        "source": event.source,
        "external_id": event.external_id,
        "applied_at": recorded.occurred_at,
    }


class CreditNote(View):
    """A part of an invoice taken back."""

    number: str
    total: Decimal
    reason: str


class InvoiceRow(View):
    """An invoice in a list; nothing is outstanding before it is issued."""

    invoice_id: InvoiceId
    version: int
    number: str | None
    status: InvoiceStatus
    account_id: str
    contract_id: str | None
    opportunity_id: str | None
    lead_id: str | None
    owner_id: str | None
    kind: str
    title: str | None
    currency: str
    net: Decimal
    tax: Decimal
    total: Decimal
    credited: Decimal
    paid: Decimal
    outstanding: Decimal
    due_on: date | None
    issued_on: date | None
    settled_on: date | None
    reason: str | None
    source: str | None
    external_id: str | None
    applied_at: datetime


class InvoiceView(InvoiceRow):
    """An invoice as it is printed."""

    tax_number: str | None
    billing_address: Address | None
    lines: list[LineItem]
    instalment_ids: list[str]
    credit_notes: list[CreditNote]


class GetInvoice(Query, http="GET /v1/invoices/{invoice_id}"):
    """Read one invoice."""

    invoice_id: InvoiceId


class ListInvoices(ListQuery, http="GET /v1/invoices"):
    """List invoices, newest first."""


def get_invoice(query: GetInvoice, reader: Reader) -> InvoiceView:
    """Answer with one invoice."""
    return found(reader, invoices, InvoiceView, "invoice", query.invoice_id)


def list_invoices(query: ListInvoices, reader: Reader) -> Page[InvoiceRow]:
    """Answer with a page of invoices."""
    return listed(query, reader, invoices, InvoiceRow, order_by="applied_at desc")


def invoices_with_debts(
    connection: Connection, account_id: str, currency: str
) -> list[tuple[str, str | None]]:
    """Return the invoices of an account that are open in a currency, with their contracts."""
    found = connection.execute(
        select(invoices.c.invoice_id, invoices.c.contract_id)
        .where(
            invoices.c.account_id == account_id,
            invoices.c.currency == currency,
            invoices.c.status.in_(sorted(PAYABLE)),
            invoices.c.outstanding > 0,
        )
        .order_by(invoices.c.invoice_id)
    )
    return [(one.invoice_id, one.contract_id) for one in found]
