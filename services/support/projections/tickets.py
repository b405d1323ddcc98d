"""The ticket list: what customers came with, and how each matter stands."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import JSON, Boolean, Column, Index, Integer, MetaData, String, Table, Text, select

from services.support.projections.ticket_messages import TicketMessage, messages_of
from shared.chassis.shapes import (
    Instant,
    Key,
    ListQuery,
    NotFound,
    Page,
    Projection,
    Query,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.events.base import Event, Recorded
from shared.events.support import (
    Author,
    RatingGiven,
    SlaBreached,
    SlaClock,
    SlaDueSet,
    SlaMet,
    SlaRebased,
    SlaRiskRaised,
    TicketAssigned,
    TicketChanged,
    TicketClosed,
    TicketMerged,
    TicketOpened,
    TicketPended,
    TicketReopened,
    TicketReplied,
    TicketResolved,
    TicketResumed,
    TicketSplit,
    TicketUnmerged,
    WatcherAdded,
    WatcherRemoved,
)
from shared.events.values import TicketId

__all__ = ["GetTicket", "ListTickets", "Tickets", "get_ticket", "list_tickets"]

_metadata = MetaData()
tickets = Table(
    "tickets",
    _metadata,
    Column("ticket_id", String, primary_key=True),
    Column("number", String, nullable=False),
    Column("status", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("priority", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("category", String),
    Column("subcategory", String),
    Column("product_id", String),
    Column("subject", Text),
    Column("description", Text),
    Column("requester", Text),
    Column("account_id", String),
    Column("contact_id", String),
    Column("contract_id", String),
    Column("parent_id", String),
    Column("into_id", String),
    Column("split_from_id", String),
    Column("employee_id", String),
    Column("unit_id", String),
    Column("region", String),
    Column("watchers", JSON, nullable=False),
    Column("entitlement_id", String),
    Column("sla_policy_id", String),
    Column("sla_version", Integer),
    Column("response_due_at", Instant),
    Column("response_sla", String),
    Column("resolution_due_at", Instant),
    Column("resolution_sla", String),
    Column("is_at_risk", Boolean, nullable=False),
    Column("is_breached", Boolean, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("answered_at", Instant),
    Column("waiting_since", Instant),
    Column("resolved_at", Instant),
    Column("closed_at", Instant),
    Column("reopen_until", Instant),
    Column("reopened", Integer, nullable=False),
    Column("cause", String),
    Column("resolution", Text),
    Column("rating", Integer),
    Column("rating_comment", Text),
    Column("source", String),
    Column("external_id", String),
    Column("version", Integer, nullable=False),
    Index("tickets_by_account", "account_id", "opened_at"),
    Index("tickets_by_employee", "employee_id", "status"),
    Index("tickets_by_status", "status", "opened_at"),
    Index("tickets_by_opening", "opened_at", "ticket_id"),
    Index("tickets_by_number", "number"),
)

_OPENED = (
    "number", "kind", "priority", "channel", "category", "subcategory", "product_id", "subject",
    "description", "requester", "account_id", "contact_id", "contract_id", "parent_id", "unit_id",
    "region", "entitlement_id", "sla_policy_id", "sla_version", "split_from_id", "source",
    "external_id",
)  # fmt: skip
_CHANGED = (
    "kind", "priority", "category", "subcategory", "product_id", "subject", "account_id",
    "contact_id", "contract_id", "parent_id",
)  # fmt: skip
_REBASED = ("entitlement_id", "sla_policy_id", "sla_version")


class Tickets(Projection):
    """Every ticket as it stands."""

    table, version = tickets, 3
    events = (
        TicketOpened,
        TicketChanged,
        TicketAssigned,
        TicketReplied,
        TicketPended,
        TicketResumed,
        TicketResolved,
        TicketClosed,
        TicketReopened,
        TicketMerged,
        TicketUnmerged,
        TicketSplit,
        WatcherAdded,
        WatcherRemoved,
        SlaRebased,
        SlaDueSet,
        SlaRiskRaised,
        SlaMet,
        SlaBreached,
        RatingGiven,
    )

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per ticket."""
        if isinstance(recorded.event, RatingGiven):
            ticket_id = recorded.event.ticket_id
            return [(ticket_id,)] if ticket_id else []
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep what the last facts say."""
        event = recorded.event
        if isinstance(event, TicketOpened):
            return _opened(key, recorded)
        if row is None:
            return None
        if isinstance(event, RatingGiven):
            return {**row, "rating": event.score, "rating_comment": event.comment}
        now = {**row, **_news(row, event, recorded.occurred_at), "version": recorded.version}
        return {**now, "is_at_risk": "at_risk" in {now["response_sla"], now["resolution_sla"]}}


def _opened(key: Key, recorded: Recorded[TicketOpened]) -> Row:
    event = recorded.event
    return {
        **dict.fromkeys(tickets.columns.keys()),
        **{name: getattr(event, name) for name in _OPENED},
        "ticket_id": key[0],
        "status": "new",
        "watchers": [],
        "is_at_risk": False,
        "is_breached": False,
        "opened_at": recorded.occurred_at,
        "reopened": 0,
        "version": recorded.version,
    }


def _news(row: Row, event: Event, at: datetime) -> Mapping[str, Any]:
    match event:
        case TicketChanged():
            return {name: getattr(event, name) for name in _CHANGED}
        case SlaRebased():
            return {name: getattr(event, name) for name in _REBASED}
        case TicketAssigned(employee_id=employee_id, unit_id=unit_id):
            return {"employee_id": employee_id, "unit_id": unit_id, "status": _in_hand(row)}
        case TicketReplied(author=Author.AGENT, is_public=True):
            return {"answered_at": row["answered_at"] or at, "status": _in_hand(row)}
        case TicketPended(waiting_since=since):
            return {"status": "pending", "waiting_since": since}
        case TicketResumed():
            return {"status": "open", "waiting_since": None}
        case TicketResolved(employee_id=employee_id, cause=cause, resolution=resolution):
            return {
                "status": "resolved",
                "resolved_at": at,
                "employee_id": row["employee_id"] or employee_id,
                "cause": cause,
                "resolution": resolution,
            }
        case TicketClosed(reopen_until=until):
            return {"status": "closed", "closed_at": at, "reopen_until": until}
        case TicketReopened(reopened=reopened):
            settled = dict.fromkeys(("resolved_at", "closed_at", "reopen_until", "resolution_sla"))
            return {**settled, "status": "open", "reopened": reopened}
        case TicketMerged(into_id=into_id):
            return {"status": "merged", "into_id": into_id, "waiting_since": None}
        case TicketUnmerged(status=status, waiting_since=since):
            return {"status": status, "into_id": None, "waiting_since": since}
        case WatcherAdded(employee_id=watcher):
            return {"watchers": sorted({*row["watchers"], watcher})}
        case WatcherRemoved(employee_id=watcher):
            return {"watchers": [one for one in row["watchers"] if one != watcher]}
    return _promise(row, event)


def _promise(row: Row, event: Event) -> Mapping[str, Any]:
    match event:
        case SlaDueSet(clock=clock, due_at=due_at):
            at_risk = row[_column(clock, "sla")] == "at_risk" and event.warn_at is None
            sla = "at_risk" if at_risk else "running"
            return {_column(clock, "due_at"): due_at, _column(clock, "sla"): sla}
        case SlaRiskRaised(clock=clock):
            return {_column(clock, "sla"): "at_risk"}
        case SlaMet(clock=clock):
            return {_column(clock, "sla"): "met"}
        case SlaBreached(clock=clock):
            return {_column(clock, "sla"): "breached", "is_breached": True}
    return {}


def _column(clock: SlaClock, suffix: str) -> str:
    return f"{clock.value}_{suffix}"


def _in_hand(row: Row) -> str:
    return "open" if row["status"] == "new" else str(row["status"])


class TicketRow(View):
    """A ticket in a list."""

    ticket_id: str
    number: str
    status: str
    """new, open, pending, resolved, closed or merged."""
    kind: str
    priority: str
    channel: str
    category: str | None
    subcategory: str | None
    product_id: str | None
    subject: str | None
    requester: str | None
    account_id: str | None
    contact_id: str | None
    contract_id: str | None
    parent_id: str | None
    into_id: str | None
    """The ticket that carries this one on, when they were merged."""
    split_from_id: str | None = None
    """The ticket that this one was a part of."""
    employee_id: str | None
    unit_id: str | None
    region: str | None
    response_due_at: AwareDatetime | None
    response_sla: str | None
    """running, at_risk, met or breached; absent when nothing was promised."""
    resolution_due_at: AwareDatetime | None
    resolution_sla: str | None
    is_at_risk: bool
    is_breached: bool
    """Whether a promise was ever broken on it."""
    opened_at: AwareDatetime
    answered_at: AwareDatetime | None
    waiting_since: AwareDatetime | None
    resolved_at: AwareDatetime | None
    closed_at: AwareDatetime | None
    reopened: int
    rating: int | None
    source: str | None
    external_id: str | None
    version: int


class TicketView(TicketRow):
    """A ticket with everything said on it."""

    description: str | None
    watchers: list[str]
    entitlement_id: str | None
    sla_policy_id: str | None
    sla_version: int | None
    reopen_until: AwareDatetime | None
    cause: str | None
    resolution: str | None
    rating_comment: str | None
    messages: list[TicketMessage]


class GetTicket(Query, http="GET /v1/tickets/{ticket_id}"):
    """Read a ticket with everything said on it."""

    ticket_id: TicketId


class ListTickets(ListQuery, http="GET /v1/tickets"):
    """List tickets, the newest first."""


def get_ticket(query: GetTicket, reader: Reader) -> TicketView:
    found = select(tickets).where(tickets.c.ticket_id == query.ticket_id)
    row = reader.connection.execute(found).mappings().first()
    if row is None:
        raise NotFound("ticket", query.ticket_id)
    messages = messages_of(query.ticket_id, reader)
    return TicketView.model_validate({**row, "messages": messages})


def list_tickets(query: ListTickets, reader: Reader) -> Page[TicketRow]:
    return listed(query, reader, tickets, TicketRow, order_by="opened_at desc")
