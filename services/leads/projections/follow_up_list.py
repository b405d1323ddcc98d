"""Follow-ups: what was done with leads and what is to be done, overdue or not."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import AwareDatetime, Field
from sqlalchemy import JSON, Column, ColumnElement, Integer, MetaData, String, Table, Text

from shared.chassis.shapes import (
    Amount,
    Instant,
    Key,
    Listed,
    ListQuery,
    Page,
    Projection,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.events.base import Recorded
from shared.events.leads import FollowUpCancelled, FollowUpPlanned, FollowUpRecorded
from shared.events.values import Attachment, LeadId

__all__ = ["FollowUpList", "list_follow_ups", "list_lead_follow_ups"]

PLANNED, DONE, CANCELLED = "planned", "done", "cancelled"

follow_ups = Table(
    "follow_ups",
    MetaData(),
    Column("follow_up_id", String, primary_key=True),
    Column("lead_id", String, nullable=False, index=True),
    Column("state", String, nullable=False),
    Column("employee_id", String, index=True),
    Column("owner_id", String),
    Column("method", String),
    Column("at", Instant, index=True),
    Column("content", Text),
    Column("outcome", String),
    Column("attitude", String),
    Column("duration_minutes", Integer),
    Column("cost_amount", Amount),
    Column("cost_currency", String),
    Column("attachments", JSON),
    Column("plan_id", String),
    Column("after_id", String),
    Column("due_at", Instant, index=True),
    Column("next_step", Text),
    Column("fulfilled_by", String),
    Column("cancelled_because", String),
)
_EMPTY = {column.name: None for column in follow_ups.columns}


class FollowUpList(Projection):
    """Every follow-up, planned, done or dropped."""

    table = follow_ups
    version = 1
    events = (FollowUpRecorded, FollowUpPlanned, FollowUpCancelled)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        match recorded.event:
            case FollowUpRecorded(follow_up_id=own, plan_id=plan) if plan is not None:
                return [(own,), (plan,)]
        return [(recorded.event.follow_up_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        known: Row = row or _EMPTY | {"follow_up_id": key[0], "lead_id": recorded.stream_id}
        match recorded.event:
            case FollowUpPlanned() as plan:
                return {
                    **known,
                    "state": PLANNED,
                    "employee_id": plan.employee_id,
                    "method": plan.method,
                    "after_id": plan.after_id,
                    "due_at": plan.due_at,
                    "next_step": plan.next_step,
                }
            case FollowUpCancelled() as dropped:
                return {**known, "state": CANCELLED, "cancelled_because": dropped.reason}
            case FollowUpRecorded() as done if done.follow_up_id != key[0]:
                return {**known, "state": DONE, "fulfilled_by": done.follow_up_id}
            case FollowUpRecorded() as done:
                return {
                    **known,
                    "state": DONE,
                    "employee_id": done.employee_id,
                    "owner_id": done.owner_id,
                    "method": done.method,
                    "at": done.at,
                    "content": done.content,
                    "outcome": done.outcome,
                    "attitude": done.attitude.value if done.attitude else None,
                    "duration_minutes": done.duration_minutes,
                    "cost_amount": done.cost.amount if done.cost else None,
                    "cost_currency": done.cost.currency if done.cost else None,
                    "attachments": [a.model_dump() for a in done.attachments or ()],
                    "plan_id": done.plan_id,
                }
        return row


class FollowUpView(View):
    """A follow-up, planned, done or dropped."""

    follow_up_id: str
    lead_id: str
    state: str
    """planned, done or cancelled."""
    employee_id: str | None = None
    owner_id: str | None = None
    method: str | None = None
    at: datetime | None = None
    """When they were in touch."""
    content: str | None = None
    outcome: str | None = None
    attitude: str | None = None
    duration_minutes: int | None = None
    cost_amount: Decimal | None = None
    cost_currency: str | None = None
    attachments: Listed[Attachment] = Field(default_factory=list)
    plan_id: str | None = None
    """The planned step it fulfilled."""
    after_id: str | None = None
    """The follow-up that led to this step."""
    due_at: datetime | None = None
    next_step: str | None = None
    fulfilled_by: str | None = None
    cancelled_because: str | None = None


class ListFollowUps(ListQuery, http="GET /v1/follow-ups"):
    """List follow-ups of all leads, planned ones by when they are due."""

    overdue: bool = False
    """Only planned steps whose time has passed."""
    as_of: AwareDatetime | None = Field(None)
    """The moment to call overdue by; now when left out."""


class ListLeadFollowUps(ListQuery, http="GET /v1/leads/{lead_id}/follow-ups"):
    """List a lead's follow-ups, latest first."""

    lead_id: LeadId


def list_follow_ups(query: ListFollowUps, reader: Reader) -> Page[FollowUpView]:
    where: list[ColumnElement[bool]] = []
    if query.overdue:
        now = query.as_of or datetime.now(UTC)
        where = [follow_ups.c.state == PLANNED, follow_ups.c.due_at < now]
    return listed(query, reader, follow_ups, FollowUpView, where=where, order_by="due_at")


def list_lead_follow_ups(query: ListLeadFollowUps, reader: Reader) -> Page[FollowUpView]:
    where = [follow_ups.c.lead_id == query.lead_id]
    return listed(query, reader, follow_ups, FollowUpView, where=where, order_by="at desc")
