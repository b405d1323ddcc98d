"""Quotes as people see, search and sort them."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

from services.pipeline.domain.quote import QuoteStatus
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
from shared.events.pipeline import (
    QuoteAccepted,
    QuoteContentFact,
    QuoteDrafted,
    QuoteExpired,
    QuoteFact,
    QuoteRejected,
    QuoteRevised,
    QuoteSent,
    QuoteSuperseded,
)
from shared.events.values import LineItem, OpportunityId, QuoteId

__all__ = [
    "GetQuote",
    "ListOpportunityQuotes",
    "ListQuotes",
    "QuoteList",
    "QuoteView",
    "get_quote",
    "list_opportunity_quotes",
    "list_quotes",
]

quote_list = Table(
    "quote_list",
    MetaData(),
    Column("quote_id", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("number", String, nullable=False),
    Column("opportunity_id", String, nullable=False),
    Column("account_id", String),
    Column("lead_id", String),
    Column("owner_id", String),
    Column("revision", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("lines", JSON, nullable=False),
    Column("net", Amount, nullable=False),
    Column("tax", Amount, nullable=False),
    Column("total", Amount, nullable=False),
    Column("currency", String, nullable=False),
    Column("price_book_id", String),
    Column("valid_until", Date),
    Column("terms", String),
    Column("drafted_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("answered_at", Instant),
    Column("contact_id", String),
    Column("reason", String),
    Column("note", String),
    Column("superseded_by_id", String),
    Index("quote_list_by_opportunity", "opportunity_id", "drafted_at"),
    Index("quote_list_by_status", "status", "valid_until"),
    Index("quote_list_by_drafted_at", "drafted_at", "quote_id"),
    Index("quote_list_by_number", "number"),
)


class QuoteList(Projection):
    """One row per quote: its current version and what became of it."""

    table = quote_list
    events = (
        QuoteDrafted,
        QuoteRevised,
        QuoteSent,
        QuoteAccepted,
        QuoteRejected,
        QuoteExpired,
        QuoteSuperseded,
    )

    @staticmethod
    def keys(recorded: Recorded[QuoteFact]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[QuoteFact]) -> Row | None:
        event = recorded.event
        return {
            **(row or {}),
            "quote_id": key[0],
            "version": recorded.version,
            "opportunity_id": event.opportunity_id,
            "account_id": event.account_id,
            "lead_id": event.lead_id,
            "owner_id": event.owner_id,
            "revision": event.revision,
            **(_content(event) if isinstance(event, QuoteContentFact) else {}),
            **_after(event, recorded.occurred_at),
        }


def _content(event: QuoteContentFact) -> Row:
    return {
        "lines": [line.model_dump(mode="json") for line in event.lines],
        "net": event.net.amount,
        "tax": event.tax.amount,
        "total": event.total.amount,
        "currency": event.total.currency,
        "price_book_id": event.price_book_id,
        "valid_until": event.valid_until,
        "terms": event.terms,
    }


_UNANSWERED: Row = dict.fromkeys(("sent_at", "answered_at", "contact_id", "reason", "note"))


def _after(event: QuoteFact, at: datetime) -> Row:
    match event:
        case QuoteDrafted():
            return {"status": QuoteStatus.DRAFT.value, "number": event.number, "drafted_at": at}
        case QuoteRevised():
            return {"status": QuoteStatus.DRAFT.value, **_UNANSWERED}
        case QuoteSent():
            return {
                "status": QuoteStatus.SENT.value,
                "sent_at": at,
                "contact_id": event.contact_id,
            }
        case QuoteAccepted():
            accepted = {"status": QuoteStatus.ACCEPTED.value, "answered_at": at}
            return accepted | ({"contact_id": event.contact_id} if event.contact_id else {})
        case QuoteRejected():
            return {
                "status": QuoteStatus.REJECTED.value,
                "answered_at": at,
                "reason": event.reason,
                "note": event.note,
            }
        case QuoteExpired():
            return {"status": QuoteStatus.EXPIRED.value}
        case QuoteSuperseded():
            return {
                "status": QuoteStatus.SUPERSEDED.value,
                "superseded_by_id": event.by_quote_id,
            }
    return {}


class QuoteView(View):
    """An offer in its current version, and what became of it."""

    quote_id: str
    version: int
    number: str
    opportunity_id: str
    account_id: str | None
    lead_id: str | None
    owner_id: str | None
    revision: int
    status: QuoteStatus
    lines: list[LineItem]
    net: Decimal
    tax: Decimal
    total: Decimal
    """Net and tax."""
    currency: str
    price_book_id: str | None
    valid_until: date | None
    terms: str | None
    drafted_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    contact_id: str | None
    """Whom it was sent to, or who accepted it."""
    reason: str | None
    note: str | None
    superseded_by_id: str | None
    """None when it lapsed because the deal was reopened."""


class GetQuote(Query, http="GET /v1/quotes/{quote_id}"):
    """Show a quote."""

    quote_id: QuoteId


class ListQuotes(ListQuery, http="GET /v1/quotes"):
    """List quotes, latest first."""


class ListOpportunityQuotes(ListQuery, http="GET /v1/opportunities/{opportunity_id}/quotes"):
    """List the quotes of an opportunity, latest first."""

    opportunity_id: OpportunityId


def get_quote(query: GetQuote, reader: Reader) -> QuoteView:
    return found(reader, quote_list, QuoteView, "quote", query.quote_id)


def list_quotes(query: ListQuotes, reader: Reader) -> Page[QuoteView]:
    return listed(query, reader, quote_list, QuoteView, order_by="drafted_at desc")


def list_opportunity_quotes(query: ListOpportunityQuotes, reader: Reader) -> Page[QuoteView]:
    return listed(
        query,
        reader,
        quote_list,
        QuoteView,
        where=(quote_list.c.opportunity_id == query.opportunity_id,),
        order_by="drafted_at desc",
    )
