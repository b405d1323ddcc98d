"""Customers and contacts as everybody knows them, who looked after them, and what was done."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Date, Index, Integer, MetaData, String, Table

from shared.chassis.shapes import Instant, Key, Projection, Row, blank
from shared.events.accounts import (
    AccountLifecycleMoved,
    AccountMilestoneReached,
    AccountOpened,
    AccountOwnerChanged,
    AccountParentSet,
    AccountProfileChanged,
    AccountTagged,
    AccountUntagged,
    AccountWithdrawn,
    ActivityCancelled,
    ActivityDone,
    ActivityPlanned,
    ActivityWithdrawn,
    ContactAdded,
    ContactLeft,
    ContactLinked,
    ContactProfileChanged,
    ContactWithdrawn,
    TeamMemberAdded,
    TeamMemberRemoved,
)
from shared.events.base import Recorded
from shared.events.leads import FollowUpCancelled, FollowUpPlanned, FollowUpRecorded

__all__ = [
    "Activities",
    "ContactRoles",
    "Contacts",
    "Customers",
    "OwnerSpells",
    "activities",
    "contact_roles",
    "contacts",
    "customers",
    "owner_spells",
]

customers = Table(
    "customers",
    MetaData(),
    Column("account_id", String, primary_key=True),
    Column("name", String),
    Column("kind", String),
    Column("number", String),
    Column("industry", String),
    Column("region", String),
    Column("website", String),
    Column("phones", JSON),
    Column("emails", JSON),
    Column("introduction", String),
    Column("owner_id", String),
    Column("unit_id", String),
    Column("team_ids", JSON),
    Column("parent_id", String),
    Column("lead_id", String),
    Column("channel", String),
    Column("lifecycle", String),
    Column("milestones", JSON),
    Column("tags", JSON),
    Column("withdrawn", Boolean),
    Column("opened_at", Instant),
    Column("changed_at", Instant),
    Index("customers_name", "name"),
)


class Customers(Projection):
    """One row per account."""

    table, version = customers, 2
    events = (
        AccountOpened,
        AccountProfileChanged,
        AccountParentSet,
        AccountOwnerChanged,
        TeamMemberAdded,
        TeamMemberRemoved,
        AccountLifecycleMoved,
        AccountMilestoneReached,
        AccountTagged,
        AccountUntagged,
        AccountWithdrawn,
    )

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The account."""
        return ((recorded.stream_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Follow the account."""
        was: Row = row if row is not None else blank(customers, key)
        event = recorded.event
        now = {**was, "changed_at": recorded.occurred_at}
        match event:
            case AccountOpened():
                return now | {
                    "owner_id": event.owner_id,
                    "unit_id": event.unit_id,
                    "team_ids": [],
                    "parent_id": event.parent_id,
                    "lead_id": event.lead_id,
                    "channel": event.channel,
                    "lifecycle": "potential",
                    "milestones": [],
                    "tags": [],
                    "withdrawn": False,
                    "opened_at": recorded.occurred_at,
                    **_profile(event),
                }
            case AccountProfileChanged():
                return now | _profile(event)
            case AccountParentSet():
                return now | {"parent_id": event.parent_id}
            case AccountOwnerChanged():
                return now | {"owner_id": event.owner_id, "unit_id": event.unit_id}
            case TeamMemberAdded():
                return now | {"team_ids": sorted({*(was["team_ids"] or []), event.employee_id})}
            case TeamMemberRemoved():
                left = event.employee_id
                return now | {"team_ids": [one for one in was["team_ids"] or [] if one != left]}
            case AccountLifecycleMoved():
                return now | {"lifecycle": event.to_stage}
            case AccountMilestoneReached():
                return now | {"milestones": [*(was["milestones"] or []), event.milestone]}
            case AccountTagged():
                return now | {"tags": sorted({*(was["tags"] or []), event.tag})}
            case AccountUntagged():
                return now | {"tags": [tag for tag in was["tags"] or [] if tag != event.tag]}
            case AccountWithdrawn():
                return now | {"withdrawn": True}
        return row


def _profile(event: AccountOpened | AccountProfileChanged) -> dict[str, Any]:
    return {
        "name": event.name,
        "kind": event.kind,
        "number": event.number,
        "industry": event.industry,
        "region": event.region,
        "website": event.website,
        "phones": list(event.phones or ()),
        "emails": list(event.emails or ()),
        "introduction": event.introduction,
    }


contacts = Table(
    "contacts",
    MetaData(),
    Column("contact_id", String, primary_key=True),
    Column("name", String),
    Column("titles", JSON),
    Column("department", String),
    Column("phones", JSON),
    Column("emails", JSON),
    Column("birthday", Date),
    Column("withdrawn", Boolean),
)


class Contacts(Projection):
    """One row per person who acts for customers."""

    table = contacts
    events = (ContactAdded, ContactProfileChanged, ContactWithdrawn)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The contact."""
        return ((recorded.stream_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the profile."""
        was: Row = row if row is not None else blank(contacts, key)
        event = recorded.event
        if isinstance(event, ContactWithdrawn):
            return {**was, "withdrawn": True}
        return {
            **was,
            "name": event.name,
            "titles": list(event.titles or ()),
            "department": event.department,
            "phones": list(event.phones or ()),
            "emails": list(event.emails or ()),
            "birthday": event.birthday,
            "withdrawn": bool(was["withdrawn"]),
        }


contact_roles = Table(
    "contact_roles",
    MetaData(),
    Column("account_id", String, primary_key=True),
    Column("contact_id", String, primary_key=True),
    Column("role", String),
    Column("is_primary", Boolean),
    Column("since", Instant),
    Column("left_on", Date),
)


class ContactRoles(Projection):
    """One row per account a contact acts, or acted, for."""

    table = contact_roles
    events = (ContactAdded, ContactLinked, ContactLeft, ContactWithdrawn)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """Account and contact."""
        return ((recorded.event.account_id, recorded.stream_id),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the role; who left stays known."""
        was: Row = row if row is not None else blank(contact_roles, key)
        event = recorded.event
        match event:
            case ContactAdded() | ContactLinked():
                return {
                    **was,
                    "role": event.role,
                    "is_primary": event.is_primary,
                    "since": was["since"] or recorded.occurred_at,
                    "left_on": None,
                }
            case ContactLeft():
                return {**was, "left_on": event.on or recorded.occurred_at.date()}
            case ContactWithdrawn():
                return None
        return row


owner_spells = Table(
    "owner_spells",
    MetaData(),
    Column("account_id", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("owner_id", String),
    Column("since", Instant),
    Column("reason", String),
)


class OwnerSpells(Projection):
    """One row per change of owner: who looked after an account since when."""

    table = owner_spells
    events = (AccountOpened, AccountOwnerChanged)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The account and the version that changed its owner."""
        return ((recorded.stream_id, recorded.version),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the spell."""
        event = recorded.event
        if event.owner_id is None:
            return None
        reason = event.reason if isinstance(event, AccountOwnerChanged) else None
        return {
            **blank(owner_spells, key),
            "owner_id": event.owner_id,
            "since": recorded.occurred_at,
            "reason": reason,
        }


activities = Table(
    "activities",
    MetaData(),
    Column("activity_id", String, primary_key=True),
    Column("account_id", String),
    Column("lead_id", String),
    Column("opportunity_id", String),
    Column("employee_id", String),
    Column("method", String),
    Column("subject", String),
    Column("result", String),
    Column("outcome", String),
    Column("attitude", String),
    Column("status", String),
    Column("due_at", Instant),
    Column("done_at", Instant),
    Index("activities_account", "account_id", "done_at"),
    Index("activities_lead", "lead_id"),
    Index("activities_employee", "employee_id", "done_at"),
)


class Activities(Projection):
    """One row per thing done or planned with a customer or a lead.

    A follow-up that travelled along with a conversion is told twice, as the lead's and as the
    account's; it keeps one row, under the follow-up's id.
    """

    table, version = activities, 2
    events = (
        ActivityPlanned,
        ActivityDone,
        ActivityCancelled,
        ActivityWithdrawn,
        FollowUpRecorded,
        FollowUpPlanned,
        FollowUpCancelled,
    )

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The activity or follow-up; a fulfilled plan too."""
        event = recorded.event
        match event:
            case FollowUpRecorded(plan_id=plan) if plan:
                return ((event.follow_up_id,), (plan,))
            case FollowUpRecorded() | FollowUpPlanned() | FollowUpCancelled():
                return ((event.follow_up_id,),)
            case ActivityDone(follow_up_id=follow_up) if follow_up:
                return ((follow_up,),)
            case ActivityWithdrawn():
                return ((event.follow_up_id,),)
        return ((recorded.stream_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Follow the activity."""
        was: Row = row if row is not None else blank(activities, key)
        event = recorded.event
        match event:
            case FollowUpRecorded(plan_id=plan) if (plan,) == key:
                return {**was, "status": "fulfilled"}
            case FollowUpRecorded():
                return {
                    **was,
                    "lead_id": recorded.stream_id,
                    "employee_id": event.employee_id,
                    "method": event.method,
                    "result": event.content,
                    "outcome": event.outcome,
                    "attitude": event.attitude,
                    "status": "done",
                    "done_at": event.at,
                }
            case FollowUpPlanned():
                return {
                    **was,
                    "lead_id": recorded.stream_id,
                    "employee_id": event.employee_id,
                    "method": event.method,
                    "subject": event.next_step,
                    "status": "planned",
                    "due_at": event.due_at,
                }
            case FollowUpCancelled():
                return {**was, "status": "cancelled"}
            case ActivityDone(follow_up_id=follow_up) if follow_up:
                return {**was, "account_id": event.account_id}
            case ActivityWithdrawn():
                return {**was, "account_id": None}
            case ActivityPlanned():
                return {**was, **_known(event), "status": "planned", "due_at": event.due_at}
            case ActivityDone():
                return {
                    **was,
                    **_known(event),
                    "result": event.result,
                    "outcome": event.outcome,
                    "attitude": event.attitude,
                    "status": "done",
                    "done_at": recorded.occurred_at,
                }
            case ActivityCancelled():
                return {**was, **_known(event), "status": "cancelled"}
        return row


def _known(event: ActivityPlanned | ActivityDone | ActivityCancelled) -> dict[str, Any]:
    return {
        "account_id": event.account_id,
        "lead_id": event.lead_id,
        "opportunity_id": event.opportunity_id,
        "employee_id": event.employee_id,
        "method": event.method,
        "subject": event.subject,
    }
