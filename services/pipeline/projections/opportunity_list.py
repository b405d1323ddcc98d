"""Opportunities as people see, search and sort them."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

from services.pipeline.domain.opportunity import OpportunityStatus
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
    DealRole,
    ForecastCategory,
    OpportunityChanged,
    OpportunityDescriptionFact,
    OpportunityFact,
    OpportunityLost,
    OpportunityOpened,
    OpportunityOwnerChanged,
    OpportunityReopened,
    OpportunityStalled,
    OpportunityWithdrawn,
    OpportunityWon,
    StageMoved,
)
from shared.events.values import Money, OpportunityId

__all__ = [
    "GetOpportunity",
    "ListOpportunities",
    "OpportunityList",
    "OpportunityView",
    "get_opportunity",
    "list_opportunities",
]

opportunity_list = Table(
    "opportunity_list",
    MetaData(),
    Column("opportunity_id", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("name", String),
    Column("status", String, nullable=False),
    Column("account_id", String),
    Column("lead_id", String),
    Column("owner_id", String),
    Column("unit_id", String),
    Column("amount", Amount),
    Column("currency", String),
    Column("product_ids", JSON, nullable=False),
    Column("expected_close_on", Date),
    Column("contacts", JSON, nullable=False),
    Column("team_ids", JSON, nullable=False),
    Column("next_step", String),
    Column("process_id", String, nullable=False),
    Column("process_version", Integer, nullable=False),
    Column("stage", String, nullable=False),
    Column("stage_entered_at", Instant, nullable=False),
    Column("stalls_at", Instant),
    Column("stalled", Boolean, nullable=False),
    Column("probability", Integer, nullable=False),
    Column("forecast", String, nullable=False),
    Column("region", String),
    Column("channel", String),
    Column("campaign_id", String),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("days_open", Amount),
    Column("loss_reason", String),
    Column("competitor", String),
    Column("review", String),
    Column("quote_id", String),
    Column("source", String),
    Column("external_id", String),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", String, nullable=False),
    Index("opportunity_list_by_account", "account_id", "opened_at"),
    Index("opportunity_list_by_owner", "owner_id", "opened_at"),
    Index("opportunity_list_by_stage", "status", "stage", "opened_at"),
    Index("opportunity_list_by_stall", "status", "stalls_at"),
    Index("opportunity_list_by_opened_at", "opened_at", "opportunity_id"),
    Index("opportunity_list_by_name", "name"),
)


class OpportunityList(Projection):
    """One row per deal: what it is about, where it stands and how it ended."""

    table = opportunity_list
    events = (
        OpportunityOpened,
        OpportunityChanged,
        OpportunityOwnerChanged,
        StageMoved,
        OpportunityStalled,
        OpportunityWon,
        OpportunityLost,
        OpportunityReopened,
        OpportunityWithdrawn,
    )

    @staticmethod
    def keys(recorded: Recorded[OpportunityFact]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[OpportunityFact]) -> Row | None:
        event = recorded.event
        return {
            **(row or {}),
            "opportunity_id": key[0],
            "version": recorded.version,
            "account_id": event.account_id,
            "lead_id": event.lead_id,
            "owner_id": event.owner_id,
            **(_description(event) if isinstance(event, OpportunityDescriptionFact) else {}),
            **_after(event, recorded.occurred_at),
            "changed_at": recorded.occurred_at,
            "changed_by": recorded.actor,
        }


def _description(event: OpportunityDescriptionFact) -> Row:
    return {
        "name": event.name,
        **_money(event.amount),
        "product_ids": list(event.product_ids),
        "expected_close_on": event.expected_close_on,
        "contacts": [role.model_dump(mode="json") for role in event.contacts],
        "team_ids": list(event.team_ids),
        "next_step": event.next_step,
    }


def _after(event: OpportunityFact, at: datetime) -> dict[str, Any]:
    match event:
        case OpportunityOpened():
            return {
                **_entry(event, event.stage),
                "process_id": event.process_id,
                "process_version": event.process_version,
                "unit_id": event.unit_id,
                "region": event.region,
                "channel": event.channel,
                "campaign_id": event.campaign_id,
                "source": event.source,
                "external_id": event.external_id,
                "opened_at": event.entered_at,
            }
        case OpportunityOwnerChanged():
            return {"unit_id": event.unit_id}
        case StageMoved():
            return {
                **_entry(event, event.to_stage),
                "process_id": event.process_id,
                "process_version": event.process_version,
            }
        case OpportunityReopened():
            return {**_entry(event, event.to_stage), **_UNSETTLED}
        case OpportunityStalled():
            return {"stalled": True}
        case OpportunityWon():
            return {
                **_end(event, at),
                "status": OpportunityStatus.WON.value,
                "probability": 100,
                "quote_id": event.quote_id,
            }
        case OpportunityLost():
            return {
                **_end(event, at),
                "status": OpportunityStatus.LOST.value,
                "probability": 0,
                "loss_reason": event.reason,
            }
        case OpportunityWithdrawn():
            return {
                "status": OpportunityStatus.WITHDRAWN.value,
                "closed_at": at,
                "stalled": False,
                "stalls_at": None,
            }
    return {}


_UNSETTLED: Row = dict.fromkeys(
    ("closed_at", "days_open", "loss_reason", "competitor", "review", "quote_id")
)


def _entry(event: OpportunityOpened | StageMoved | OpportunityReopened, stage: str) -> Row:
    return {
        "status": OpportunityStatus.OPEN.value,
        "stage": stage,
        "stage_entered_at": event.entered_at,
        "stalls_at": event.stalls_at,
        "stalled": False,
        "probability": event.probability,
        "forecast": event.forecast.value,
    }


def _end(event: OpportunityWon | OpportunityLost, at: datetime) -> Row:
    return {
        **_money(event.amount),
        "closed_at": at,
        "days_open": event.days_open,
        "competitor": event.competitor,
        "review": event.review,
        "stalled": False,
        "stalls_at": None,
    }


def _money(amount: Money | None) -> Row:
    return {
        "amount": amount.amount if amount else None,
        "currency": amount.currency if amount else None,
    }


class OpportunityView(View):
    """A deal: what it is about, where it stands and how it ended."""

    opportunity_id: str
    version: int
    name: str | None
    status: OpportunityStatus
    account_id: str | None
    lead_id: str | None
    owner_id: str | None
    unit_id: str | None
    amount: Decimal | None
    currency: str | None
    product_ids: list[str]
    expected_close_on: date | None
    contacts: list[DealRole]
    team_ids: list[str]
    next_step: str | None
    process_id: str
    process_version: int
    stage: str
    stage_entered_at: datetime
    stalls_at: datetime | None
    """When it will have stood in its stage for one and a half times the days expected."""
    stalled: bool
    probability: int
    forecast: ForecastCategory
    region: str | None
    channel: str | None
    campaign_id: str | None
    opened_at: datetime
    closed_at: datetime | None
    days_open: Decimal | None
    loss_reason: str | None
    competitor: str | None
    review: str | None
    quote_id: str | None
    source: str | None
    external_id: str | None
    changed_at: datetime
    changed_by: str


class GetOpportunity(Query, http="GET /v1/opportunities/{opportunity_id}"):
    """Show an opportunity."""

    opportunity_id: OpportunityId


class ListOpportunities(ListQuery, http="GET /v1/opportunities"):
    """List opportunities, latest first."""

    stalled_at: AwareDatetime | None = None
    """Only open deals that at this moment have stood in their stage for too long."""


def get_opportunity(query: GetOpportunity, reader: Reader) -> OpportunityView:
    return found(reader, opportunity_list, OpportunityView, "opportunity", query.opportunity_id)


def list_opportunities(query: ListOpportunities, reader: Reader) -> Page[OpportunityView]:
    where = [opportunity_list.c.status != OpportunityStatus.WITHDRAWN.value]
    if query.stalled_at is not None:
        where += [
            opportunity_list.c.status == OpportunityStatus.OPEN.value,
            opportunity_list.c.stalls_at <= query.stalled_at,
        ]
    return listed(
        query,
        reader,
        opportunity_list,
        OpportunityView,
        where=where,
        order_by="opened_at desc",
    )
