"""Leads: the record, the list, and what waits in a pool."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import Field
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Date,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    or_,
    select,
)

from services.leads.domain.lead_state import LeadStatus
from services.leads.domain.profile import PROFILE_FIELDS
from services.leads.projections.pool_list import PoolList, hidden_from
from shared.chassis.shapes import (
    Amount,
    Instant,
    Key,
    Listed,
    ListQuery,
    Mapped,
    NotFound,
    Page,
    Projection,
    Query,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.chassis.shapes.telling import first, found
from shared.events.base import Recorded
from shared.events.leads import (
    ConversionReverted,
    FollowUpCancelled,
    FollowUpPlanned,
    FollowUpRecorded,
    LeadAssigned,
    LeadCaptured,
    LeadClaimed,
    LeadConverted,
    LeadDisqualified,
    LeadFact,
    LeadLocked,
    LeadNurtured,
    LeadPooled,
    LeadProfileChanged,
    LeadProfileFact,
    LeadQualified,
    LeadRecycled,
    LeadReleased,
    LeadReopened,
    LeadScored,
    LeadUnlocked,
    RecycleScheduled,
    RecycleWarned,
    ScorePart,
    StatementMerged,
)
from shared.events.values import Address, LeadId, PoolId

__all__ = ["LeadList", "get_lead", "list_leads", "list_pool_leads"]

leads = Table(
    "leads",
    MetaData(),
    Column("lead_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("status", String, nullable=False, index=True),
    Column("name", String),
    Column("company", String),
    Column("title", String),
    Column("phones", JSON),
    Column("emails", JSON),
    Column("platform_ids", JSON),
    Column("address", JSON),
    Column("region", String),
    Column("industry", String),
    Column("expected_scale", String),
    Column("demand_level", String),
    Column("budget_amount", Amount),
    Column("budget_currency", String),
    Column("win_probability", Integer),
    Column("expected_purchase_on", Date),
    Column("need", Text),
    Column("product_ids", JSON),
    Column("custom", JSON),
    Column("channel", String),
    Column("campaign_id", String),
    Column("landing_page", String),
    Column("utm", JSON),
    Column("referrer", String),
    Column("source", String),
    Column("external_id", String),
    Column("unit_id", String),
    Column("owner_id", String, index=True),
    Column("pool_id", String, index=True),
    Column("statements", Integer, nullable=False),
    Column("suspected_lead_ids", JSON),
    Column("suspected_account_ids", JSON),
    Column("score", Integer),
    Column("grade", String),
    Column("score_parts", JSON),
    Column("locked", Boolean, nullable=False),
    Column("captured_at", Instant, nullable=False),
    Column("changed_at", Instant, index=True),
    Column("assigned_at", Instant),
    Column("follow_ups", Integer, nullable=False),
    Column("last_follow_up_at", Instant),
    Column("protected_until", Instant),
    Column("recycle_at", Instant),
    Column("qualified_at", Instant),
    Column("nurture_until", Date),
    Column("disqualified_because", String),
    Column("converted_at", Instant),
    Column("status_before", String),
    Column("account_id", String),
    Column("contact_id", String),
    Column("opportunity_id", String),
    Index("leads_by_captured_at", "captured_at", "lead_id"),
)

_FREE = leads.c.pool_id.is_(None)
_COLUMNS = {column.name: None for column in leads.columns}
_RESHAPED = {"address", "budget", "demand_level", "emails", "phones", "product_ids"}
_AS_SAID = tuple(name for name in PROFILE_FIELDS if name not in _RESHAPED)
_ORIGIN = ("channel", "campaign_id", "landing_page", "utm", "referrer", "source", "external_id")


class LeadList(Projection):
    """Every lead as it stands."""

    table = leads
    version = 1
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
        RecycleScheduled,
        RecycleWarned,
        LeadLocked,
        LeadUnlocked,
        FollowUpRecorded,
        FollowUpPlanned,
        FollowUpCancelled,
        LeadQualified,
        LeadNurtured,
        LeadDisqualified,
        LeadReopened,
        LeadConverted,
        ConversionReverted,
    )

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        event: LeadFact = recorded.event
        at = recorded.occurred_at
        if isinstance(event, LeadCaptured):
            changes = _captured(event, at)
            row = _COLUMNS | {"lead_id": key[0]}
        elif row is None:
            return None
        else:
            changes = _changes(row, event, at)
        return {**row, **changes, "version": recorded.version, "changed_at": at}


def _captured(event: LeadCaptured, at: datetime) -> dict[str, Any]:
    return {
        **_profile(event),
        **{name: getattr(event, name) for name in _ORIGIN},
        "status": LeadStatus.NEW.value,
        "unit_id": event.unit_id,
        "statements": 1,
        "follow_ups": 0,
        "locked": False,
        "captured_at": at,
        "suspected_lead_ids": list(event.suspected_lead_ids),
        "suspected_account_ids": list(event.suspected_account_ids),
    }


def _profile(event: LeadProfileFact) -> dict[str, Any]:
    said = {name: getattr(event, name) for name in _AS_SAID}
    return said | {
        "phones": list(event.phones or ()),
        "emails": list(event.emails or ()),
        "product_ids": list(event.product_ids),
        "address": event.address.model_dump(exclude_none=True) if event.address else None,
        "demand_level": event.demand_level.value if event.demand_level else None,
        "budget_amount": event.budget.amount if event.budget else None,
        "budget_currency": event.budget.currency if event.budget else None,
    }


def _changes(row: Row, event: LeadFact, at: datetime) -> dict[str, Any]:
    match event:
        case StatementMerged():
            return _profile(event) | {"statements": event.statements}
        case LeadProfileChanged():
            return _profile(event)
        case LeadScored():
            return {
                "score": event.score,
                "grade": event.grade,
                "score_parts": [part.model_dump() for part in event.parts],
            }
        case LeadAssigned() | LeadClaimed():
            new = row["status"] == LeadStatus.NEW
            return {
                "status": LeadStatus.ASSIGNED.value if new else row["status"],
                "owner_id": event.owner_id,
                "unit_id": event.unit_id or row["unit_id"],
                "pool_id": None,
                "assigned_at": at,
                "recycle_at": None,
            }
        case LeadPooled():
            until = event.protected_until or row["protected_until"]
            return _in_pool(event.pool_id) | {"protected_until": until}
        case LeadReleased() | LeadRecycled():
            return _in_pool(event.pool_id)
        case RecycleScheduled():
            return {"recycle_at": event.recycle_at}
        case LeadLocked():
            return {"locked": True, "recycle_at": None}
        case LeadUnlocked():
            return {"locked": False}
        case FollowUpRecorded():
            assigned = row["status"] == LeadStatus.ASSIGNED
            return {
                "status": LeadStatus.WORKING.value if assigned else row["status"],
                "follow_ups": row["follow_ups"] + 1,
                "last_follow_up_at": max(at, row["last_follow_up_at"] or at),
            }
        case LeadQualified():
            return {"status": LeadStatus.QUALIFIED.value, "qualified_at": at}
        case LeadNurtured():
            return {
                "status": LeadStatus.NURTURING.value,
                "nurture_until": event.until,
                "recycle_at": None,
            }
        case LeadDisqualified():
            return {
                "status": LeadStatus.DISQUALIFIED.value,
                "disqualified_because": event.reason,
                "pool_id": None,
                "recycle_at": None,
            }
        case LeadReopened():
            return _reopened(row, event)
        case LeadConverted():
            return {
                "status": LeadStatus.CONVERTED.value,
                "status_before": row["status"],
                "converted_at": at,
                "account_id": event.account_id,
                "contact_id": event.contact_id,
                "opportunity_id": event.opportunity_id,
                "pool_id": None,
                "recycle_at": None,
            }
        case ConversionReverted():
            return {
                "status": row["status_before"],
                "converted_at": None,
                "account_id": None,
                "contact_id": None,
                "opportunity_id": None,
            }
    return {}


def _in_pool(pool_id: str) -> dict[str, Any]:
    return {
        "status": LeadStatus.NEW.value,
        "owner_id": None,
        "pool_id": pool_id,
        "recycle_at": None,
    }


def _reopened(row: Row, event: LeadReopened) -> dict[str, Any]:
    if event.owner_id is None:
        status = LeadStatus.NEW
    else:
        status = LeadStatus.WORKING if row["follow_ups"] else LeadStatus.ASSIGNED
    return {
        "status": status.value,
        "owner_id": event.owner_id,
        "disqualified_because": None,
        "nurture_until": None,
    }


class LeadView(View):
    """A lead as it stands; what its pool hides until it is claimed is left out."""

    lead_id: str
    version: int
    status: LeadStatus
    name: str | None = None
    company: str | None = None
    title: str | None = None
    phones: list[str] = Field(default_factory=list)
    emails: list[str] = Field(default_factory=list)
    platform_ids: Mapped[str] = Field(default_factory=dict)
    address: Address | None = None
    region: str | None = None
    industry: str | None = None
    expected_scale: str | None = None
    demand_level: str | None = None
    budget_amount: Decimal | None = None
    budget_currency: str | None = None
    win_probability: int | None = None
    expected_purchase_on: date | None = None
    need: str | None = None
    product_ids: list[str] = Field(default_factory=list)
    custom: dict[str, Any] | None = None
    channel: str | None = None
    campaign_id: str | None = None
    landing_page: str | None = None
    utm: Mapped[str] = Field(default_factory=dict)
    referrer: str | None = None
    source: str | None = None
    external_id: str | None = None
    unit_id: str | None = None
    owner_id: str | None = None
    pool_id: str | None = None
    statements: int
    """Statements of interest so far."""
    suspected_lead_ids: list[str] = Field(default_factory=list)
    suspected_account_ids: list[str] = Field(default_factory=list)
    score: int | None = None
    grade: str | None = None
    score_parts: Listed[ScorePart] = Field(default_factory=list)
    """Which rule gave how many points, and why."""
    locked: bool
    captured_at: datetime
    changed_at: datetime
    assigned_at: datetime | None = None
    follow_ups: int
    last_follow_up_at: datetime | None = None
    protected_until: datetime | None = None
    recycle_at: datetime | None = None
    """When it goes back to its pool unless somebody follows it up."""
    qualified_at: datetime | None = None
    nurture_until: date | None = None
    disqualified_because: str | None = None
    converted_at: datetime | None = None
    account_id: str | None = None
    contact_id: str | None = None
    opportunity_id: str | None = None
    hidden_fields: list[str] = Field(default_factory=list)
    """What the pool hides until the lead is claimed."""


class GetLead(Query, http="GET /v1/leads/{lead_id}"):
    """Return a lead."""

    lead_id: LeadId


class ListLeads(ListQuery, http="GET /v1/leads"):
    """List leads, newest first unless ordered otherwise."""


class ListPoolLeads(ListQuery, http="GET /v1/pools/{pool_id}/leads"):
    """List the leads that wait in a pool."""

    pool_id: PoolId


def get_lead(query: GetLead, reader: Reader) -> LeadView:
    free = first(reader, leads, LeadView, query.lead_id, _FREE)
    if free is not None:
        return free
    lead = found(reader.seeing(), leads, LeadView, "lead", query.lead_id)
    return _seen(lead, hidden_from(reader))


def list_leads(query: ListLeads, reader: Reader) -> Page[LeadView]:
    hidden = hidden_from(reader)
    return _page(query, reader, hidden, _visible(query, hidden))


def list_pool_leads(query: ListPoolLeads, reader: Reader) -> Page[LeadView]:
    pools = PoolList.table
    if not reader.rows(select(pools.c.pool_id).where(pools.c.pool_id == query.pool_id)):
        raise NotFound("pool", query.pool_id)
    hidden = hidden_from(reader)
    return _page(
        query, reader, hidden, [leads.c.pool_id == query.pool_id, *_visible(query, hidden)]
    )


def _page(
    query: ListQuery,
    reader: Reader,
    hidden: Mapping[str, frozenset[str]],
    where: Sequence[ColumnElement[bool]],
) -> Page[LeadView]:
    reader = reader.seeing() if hidden else reader
    page = listed(query, reader, leads, LeadView, where=where, order_by="captured_at desc")
    if not hidden:
        return page
    return page.model_copy(update={"items": [_seen(lead, hidden) for lead in page.items]})


def _visible(query: ListQuery, hidden: Mapping[str, frozenset[str]]) -> list[ColumnElement[bool]]:
    """Leave out leads of pools that hide a field the query filters or sorts by."""
    asked = set(re.findall(r"[a-z_]+", f"{query.filter or ''} {query.order_by or ''}"))
    closed = sorted(
        pool for pool, fields in hidden.items() if not asked.isdisjoint(_columns(fields))
    )
    return [or_(_FREE, leads.c.pool_id.not_in(closed))] if closed else []


def _seen(lead: LeadView, hidden: Mapping[str, frozenset[str]]) -> LeadView:
    fields = hidden.get(lead.pool_id or "", frozenset())
    if not fields:
        return lead
    empty = {name: _EMPTY.get(name) for name in _columns(fields)}
    return lead.model_copy(update=empty | {"hidden_fields": sorted(fields)})


def _columns(fields: Iterable[str]) -> set[str]:
    columns = set(fields)
    return columns | {"budget_amount", "budget_currency"} if "budget" in columns else columns


_EMPTY: dict[str, Any] = {"phones": [], "emails": [], "product_ids": []}
