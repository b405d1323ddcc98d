"""Quotes, tickets and what customers thought of the service."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Boolean, Column, Date, Index, Integer, MetaData, String, Table

from shared.chassis.shapes import Amount, Instant, Key, Projection, Row, blank
from shared.events.base import Event, Recorded
from shared.events.pipeline import (
    QuoteAccepted,
    QuoteDrafted,
    QuoteExpired,
    QuoteRejected,
    QuoteRevised,
    QuoteSent,
    QuoteSuperseded,
)
from shared.events.support import (
    Author,
    RatingGiven,
    SlaBreached,
    SlaClock,
    SlaDueSet,
    SlaMet,
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
    TicketUnmerged,
)

__all__ = ["Quotes", "Ratings", "Tickets", "quotes", "ratings", "tickets"]

quotes = Table(
    "quotes",
    MetaData(),
    Column("quote_id", String, primary_key=True),
    Column("account_id", String),
    Column("opportunity_id", String),
    Column("number", String),
    Column("revision", Integer),
    Column("status", String),
    Column("total", Amount),
    Column("currency", String),
    Column("valid_until", Date),
    Index("quotes_account", "account_id"),
    Index("quotes_opportunity", "opportunity_id"),
)

_QUOTE_STATUS: dict[type[Event], str] = {
    QuoteDrafted: "draft",
    QuoteRevised: "draft",
    QuoteSent: "sent",
    QuoteAccepted: "accepted",
    QuoteRejected: "rejected",
    QuoteExpired: "expired",
    QuoteSuperseded: "superseded",
}


class Quotes(Projection):
    """One row per quote."""

    table = quotes
    events = tuple(_QUOTE_STATUS)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The quote."""
        return ((recorded.stream_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Follow the quote."""
        was: Row = row if row is not None else blank(quotes, key)
        event = recorded.event
        now = {
            **was,
            "account_id": event.account_id or was["account_id"],
            "opportunity_id": event.opportunity_id,
            "revision": event.revision,
            "status": _QUOTE_STATUS[type(event)],
        }
        if isinstance(event, QuoteDrafted | QuoteRevised | QuoteAccepted):
            now |= {
                "total": event.total.amount,
                "currency": event.total.currency,
                "valid_until": event.valid_until,
            }
        if isinstance(event, QuoteDrafted):
            now["number"] = event.number
        return now


tickets = Table(
    "tickets",
    MetaData(),
    Column("ticket_id", String, primary_key=True),
    Column("account_id", String),
    Column("contact_id", String),
    Column("contract_id", String),
    Column("number", String),
    Column("kind", String),
    Column("priority", String),
    Column("category", String),
    Column("channel", String),
    Column("subject", String),
    Column("status", String),
    Column("employee_id", String),
    Column("opened_at", Instant),
    Column("first_response_at", Instant),
    Column("resolved_at", Instant),
    Column("closed_at", Instant),
    Column("reopened", Integer),
    Column("response_due_at", Instant),
    Column("resolution_due_at", Instant),
    Column("response_sla", String),
    Column("resolution_sla", String),
    Index("tickets_account", "account_id", "opened_at"),
    Index("tickets_status", "status", "priority"),
)

_TICKET_STATUS: dict[type[Event], str] = {
    TicketOpened: "new",
    TicketPended: "pending",
    TicketResumed: "open",
    TicketResolved: "resolved",
    TicketClosed: "closed",
    TicketReopened: "open",
    TicketMerged: "merged",
}


class Tickets(Projection):
    """One row per ticket with its clocks."""

    table, version = tickets, 2
    events = (
        *_TICKET_STATUS,
        TicketUnmerged,
        TicketChanged,
        TicketAssigned,
        TicketReplied,
        SlaDueSet,
        SlaRiskRaised,
        SlaBreached,
        SlaMet,
    )

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The ticket."""
        return ((recorded.stream_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Follow the ticket and its clocks."""
        was: Row = row if row is not None else blank(tickets, key)
        at, event = recorded.occurred_at, recorded.event
        now = {
            **was,
            "account_id": event.account_id or was["account_id"],
            "contact_id": event.contact_id or was["contact_id"],
            "contract_id": event.contract_id or was["contract_id"],
            "status": _TICKET_STATUS.get(type(event), was["status"]),
        }
        match event:
            case TicketOpened():
                now |= {
                    "number": event.number,
                    "channel": event.channel,
                    "opened_at": at,
                    "reopened": 0,
                    **_class(event),
                }
            case TicketChanged():
                now |= _class(event)
            case TicketAssigned():
                now["employee_id"] = event.employee_id
                if was["status"] == "new":
                    now["status"] = "open"
            case TicketReplied(author=Author.AGENT, is_public=True):
                now["first_response_at"] = was["first_response_at"] or at
                if was["status"] == "new":
                    now["status"] = "open"
            case TicketResolved():
                now |= {"resolved_at": at, "employee_id": was["employee_id"] or event.employee_id}
            case TicketClosed():
                now["closed_at"] = at
            case TicketReopened():
                settled = dict.fromkeys(("resolved_at", "closed_at", "resolution_sla"))
                now |= {**settled, "reopened": event.reopened}
            case TicketUnmerged():
                now["status"] = event.status
            case SlaDueSet():
                sla = _clock(event, "sla")
                still = was[sla] == "at_risk" and event.warn_at is None
                now |= {
                    _clock(event, "due_at"): event.due_at,
                    sla: "at_risk" if still else "running",
                }
            case SlaRiskRaised():
                now[_clock(event, "sla")] = "at_risk"
            case SlaBreached():
                now[_clock(event, "sla")] = "breached"
            case SlaMet():
                now[_clock(event, "sla")] = "met"
        return now


def _class(event: TicketOpened | TicketChanged) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "priority": event.priority,
        "category": event.category,
        "subject": event.subject,
    }


def _clock(event: Any, what: str) -> str:
    return f"{'response' if event.clock is SlaClock.RESPONSE else 'resolution'}_{what}"


ratings = Table(
    "ratings",
    MetaData(),
    Column("survey_id", String, primary_key=True),
    Column("account_id", String),
    Column("ticket_id", String),
    Column("kind", String),
    Column("score", Integer),
    Column("is_low", Boolean),
    Column("comment", String),
    Column("given_at", Instant),
    Index("ratings_account", "account_id"),
)


class Ratings(Projection):
    """One row per answered survey."""

    table = ratings
    events = (RatingGiven,)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The survey."""
        return ((recorded.stream_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the answer."""
        event = recorded.event
        return {
            **blank(ratings, key),
            "account_id": event.account_id,
            "ticket_id": event.ticket_id,
            "kind": event.kind,
            "score": event.score,
            "is_low": event.is_low,
            "comment": event.comment,
            "given_at": recorded.occurred_at,
        }
