"""Activities planned and done."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, MetaData, String, Table

from services.accounts.domain.activity import ActivityStatus
from shared.chassis.shapes import (
    Amount,
    Instant,
    Key,
    Listed,
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
from shared.events.accounts import (
    ActivityCancelled,
    ActivityDone,
    ActivityFact,
    ActivityPlanned,
    ActivityWithdrawn,
)
from shared.events.base import Recorded
from shared.events.values import AccountId, ActivityId, Attachment, Attitude

__all__ = [
    "ActivityList",
    "ActivityView",
    "GetActivity",
    "ListAccountActivities",
    "ListActivities",
    "get_activity",
    "list_account_activities",
    "list_activities",
]

activity_list = Table(
    "activity_list",
    MetaData(),
    Column("activity_id", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("status", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("contact_ids", JSON, nullable=False),
    Column("opportunity_id", String),
    Column("lead_id", String),
    Column("employee_id", String, nullable=False),
    Column("companion_ids", JSON, nullable=False),
    Column("method", String, nullable=False),
    Column("subject", String),
    Column("at", Instant, nullable=False),
    Column("due_at", Instant),
    Column("done_at", Instant),
    Column("goal", String),
    Column("preparation", String),
    Column("result", String),
    Column("outcome", String),
    Column("attitude", String),
    Column("duration_minutes", Integer),
    Column("cost", Amount),
    Column("cost_currency", String),
    Column("remarks", String),
    Column("attachments", JSON),
    Column("follow_up_id", String),
    Column("cancelled_because", String),
    Column("recorded_by", String, nullable=False),
    Index("activity_list_by_account", "account_id", "at"),
    Index("activity_list_by_employee", "employee_id", "at"),
    Index("activity_list_by_status", "status", "due_at"),
    Index("activity_list_by_moment", "at", "activity_id"),
)


class ActivityList(Projection):
    """One row per activity: when it is due or was done, and what came of it."""

    table, version = activity_list, 2
    events = (ActivityPlanned, ActivityDone, ActivityCancelled, ActivityWithdrawn)

    @staticmethod
    def keys(recorded: Recorded[ActivityFact]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[ActivityFact]) -> Row | None:
        event = recorded.event
        if isinstance(event, ActivityWithdrawn):
            return None
        return {
            **(row or {}),
            **_people(event),
            **_after(event, recorded.occurred_at),
            "activity_id": key[0],
            "version": recorded.version,
            "recorded_by": recorded.actor,
        }


def _people(event: ActivityFact) -> Row:
    return {
        "account_id": event.account_id,
        "contact_ids": list(event.contact_ids),
        "opportunity_id": event.opportunity_id,
        "lead_id": event.lead_id,
        "employee_id": event.employee_id,
        "companion_ids": list(event.companion_ids),
        "method": event.method,
        "subject": event.subject,
    }


def _after(event: ActivityFact, at: datetime) -> dict[str, Any]:
    match event:
        case ActivityPlanned():
            return {
                "status": ActivityStatus.PLANNED.value,
                "at": event.due_at,
                "due_at": event.due_at,
                "goal": event.goal,
                "preparation": event.preparation,
            }
        case ActivityDone():
            return {
                "status": ActivityStatus.DONE.value,
                "at": at,
                "done_at": at,
                "goal": event.goal,
                "preparation": event.preparation,
                "result": event.result,
                "outcome": event.outcome,
                "attitude": event.attitude.value if event.attitude else None,
                "duration_minutes": event.duration_minutes,
                "cost": event.cost.amount if event.cost else None,
                "cost_currency": event.cost.currency if event.cost else None,
                "remarks": event.remarks,
                "attachments": [one.model_dump(mode="json") for one in event.attachments or ()],
                "follow_up_id": event.follow_up_id,
            }
        case ActivityCancelled():
            return {
                "status": ActivityStatus.CANCELLED.value,
                "cancelled_because": event.reason,
            }
    return {}


class ActivityView(View):
    """Something planned or done with a customer."""

    activity_id: str
    version: int
    status: ActivityStatus
    account_id: str
    contact_ids: list[str]
    opportunity_id: str | None
    lead_id: str | None
    employee_id: str
    companion_ids: list[str]
    method: str
    subject: str | None
    at: datetime
    """When it is due, or was done."""
    due_at: datetime | None
    done_at: datetime | None
    goal: str | None
    preparation: str | None
    result: str | None
    outcome: str | None
    attitude: Attitude | None
    duration_minutes: int | None
    cost: Decimal | None
    cost_currency: str | None
    remarks: str | None
    attachments: Listed[Attachment]
    follow_up_id: str | None
    cancelled_because: str | None
    recorded_by: str


class GetActivity(Query, http="GET /v1/activities/{activity_id}"):
    """Show an activity."""

    activity_id: ActivityId


class ListActivities(ListQuery, http="GET /v1/activities"):
    """List activities with all customers, latest first."""


class ListAccountActivities(ListQuery, http="GET /v1/accounts/{account_id}/activities"):
    """List what is planned and was done with an account, latest first."""

    account_id: AccountId


def get_activity(query: GetActivity, reader: Reader) -> ActivityView:
    return found(reader, activity_list, ActivityView, "activity", query.activity_id)


def list_activities(query: ListActivities, reader: Reader) -> Page[ActivityView]:
    return listed(query, reader, activity_list, ActivityView, order_by="at desc")


def list_account_activities(query: ListAccountActivities, reader: Reader) -> Page[ActivityView]:
    return listed(
        query,
        reader,
        activity_list,
        ActivityView,
        where=(activity_list.c.account_id == query.account_id,),
        order_by="at desc",
    )
