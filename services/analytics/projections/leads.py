"""Every lead with the dimensions people ask for and the moments it reached each stage."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, String, Table

from shared.chassis.shapes import Amount, Instant, Key, Projection, Row, blank
from shared.events.base import Recorded
from shared.events.billing import PaymentReceived, PaymentReversed
from shared.events.leads import (
    ConversionReverted,
    FollowUpRecorded,
    LeadAssigned,
    LeadCaptured,
    LeadClaimed,
    LeadConverted,
    LeadDisqualified,
    LeadNurtured,
    LeadPooled,
    LeadProfileChanged,
    LeadQualified,
    LeadRecycled,
    LeadReleased,
    LeadReopened,
    LeadScored,
    StatementMerged,
)
from shared.events.pipeline import OpportunityReopened, OpportunityWithdrawn, OpportunityWon
from shared.events.values import Money

__all__ = ["Leads", "leads"]

leads = Table(
    "leads",
    MetaData(),
    Column("lead_id", String, primary_key=True),
    Column("channel", String),
    Column("campaign_id", String),
    Column("landing_page", String),
    Column("region", String),
    Column("industry", String),
    Column("product_id", String),
    Column("owner_id", String),
    Column("unit_id", String),
    Column("pool_id", String),
    Column("status", String),
    Column("score", Integer),
    Column("grade", String),
    Column("statements", Integer),
    Column("account_id", String),
    Column("captured_at", Instant),
    Column("assigned_at", Instant),
    Column("contacted_at", Instant),
    Column("qualified_at", Instant),
    Column("converted_at", Instant),
    Column("won_at", Instant),
    Column("won_opportunity_id", String),
    Column("won_amount", Amount),
    Column("won_currency", String),
    Column("paid_at", Instant),
    Column("paid_amount", Amount),
    Column("paid_currency", String),
    Column("follow_ups", Integer),
    Column("cost", Amount),
    Column("cost_currency", String),
    Index("leads_account", "account_id"),
    Index("leads_channel", "channel"),
    Index("leads_captured", "captured_at"),
)


class Leads(Projection):
    """One row per lead: where it came from, who has it, and how far it got when."""

    table, version = leads, 2
    events = (
        LeadCaptured,
        StatementMerged,
        LeadProfileChanged,
        LeadScored,
        LeadAssigned,
        LeadPooled,
        LeadClaimed,
        LeadReleased,
        LeadRecycled,
        FollowUpRecorded,
        LeadQualified,
        LeadNurtured,
        LeadDisqualified,
        LeadReopened,
        LeadConverted,
        ConversionReverted,
        OpportunityWon,
        OpportunityReopened,
        OpportunityWithdrawn,
        PaymentReceived,
        PaymentReversed,
    )

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The lead itself, or the lead that a deal or payment goes back to."""
        if recorded.context == "leads":
            return ((recorded.stream_id,),)
        lead_id = recorded.event.lead_id
        return ((lead_id,),) if lead_id else ()

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Fill in what the fact tells; each context fills columns of its own."""
        was: Row = row if row is not None else blank(leads, key)
        at, event = recorded.occurred_at, recorded.event
        match event:
            case LeadCaptured():
                return {
                    **was,
                    "channel": event.channel,
                    "campaign_id": event.campaign_id,
                    "landing_page": event.landing_page,
                    "unit_id": event.unit_id,
                    "status": "new",
                    "statements": 1,
                    "follow_ups": 0,
                    "captured_at": at,
                    **_profile(event),
                }
            case StatementMerged():
                return {**was, "statements": event.statements, **_profile(event)}
            case LeadProfileChanged():
                return {**was, **_profile(event)}
            case LeadScored():
                return {**was, "score": event.score, "grade": event.grade}
            case LeadAssigned() | LeadClaimed():
                return {
                    **was,
                    "owner_id": event.owner_id,
                    "unit_id": event.unit_id or was["unit_id"],
                    "pool_id": None,
                    "assigned_at": was["assigned_at"] or at,
                    "status": "assigned" if was["status"] == "new" else was["status"],
                }
            case LeadPooled():
                return {**was, "pool_id": event.pool_id, "owner_id": None}
            case LeadReleased() | LeadRecycled():
                return {**was, "pool_id": event.pool_id, "owner_id": None, "status": "new"}
            case FollowUpRecorded():
                return {
                    **was,
                    "contacted_at": was["contacted_at"] or at,
                    "follow_ups": (was["follow_ups"] or 0) + 1,
                    "status": "working" if was["status"] in {"new", "assigned"} else was["status"],
                    **_added(was, "cost", event.cost),
                }
            case LeadQualified():
                return {**was, "qualified_at": was["qualified_at"] or at, "status": "qualified"}
            case LeadNurtured():
                return {**was, "status": "nurturing"}
            case LeadDisqualified():
                return {**was, "status": "disqualified"}
            case LeadReopened():
                return {
                    **was,
                    "status": "assigned" if event.owner_id else "new",
                    "owner_id": event.owner_id,
                }
            case LeadConverted():
                return {
                    **was,
                    "status": "converted",
                    "account_id": event.account_id,
                    "qualified_at": was["qualified_at"] or at,
                    "converted_at": at,
                }
            case ConversionReverted():
                return {**was, "status": "qualified", "account_id": None, "converted_at": None}
            case OpportunityWon():
                return {
                    **was,
                    "won_at": at,
                    "won_opportunity_id": recorded.stream_id,
                    "won_amount": event.amount.amount if event.amount else None,
                    "won_currency": event.amount.currency if event.amount else None,
                }
            case OpportunityReopened() | OpportunityWithdrawn():
                if was["won_opportunity_id"] != recorded.stream_id:
                    return was
                return {
                    **was,
                    "won_at": None,
                    "won_opportunity_id": None,
                    "won_amount": None,
                    "won_currency": None,
                }
            case PaymentReceived():
                before = was if was["paid_at"] else {**was, "paid_currency": None}
                paid = _added(before, "paid", event.amount)
                return {**before, "paid_at": was["paid_at"] or at, **paid}
            case PaymentReversed():
                return _with_less(was, event.amount)
        return row


def _profile(event: LeadCaptured | StatementMerged | LeadProfileChanged) -> dict[str, Any]:
    return {
        "region": event.region,
        "industry": event.industry,
        "product_id": event.product_ids[0] if event.product_ids else None,
    }


def _with_less(row: Row, money: Money) -> Row:
    """Take a payment back; a lead of which nothing is left has not paid."""
    now = {**row, **_added(row, "paid", -money)}
    return now if now["paid_amount"] else {**now, "paid_at": None, "paid_amount": None}


def _added(row: Row, what: str, money: Any) -> dict[str, Any]:
    """Add money to a running amount; a second currency is left to the ledger."""
    amount, currency = (
        ("paid_amount", "paid_currency") if what == "paid" else ("cost", "cost_currency")
    )
    if money is None or row[currency] not in {None, money.currency}:
        return {}
    return {amount: (row[amount] or Decimal(0)) + money.amount, currency: money.currency}
