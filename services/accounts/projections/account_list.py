"""Accounts as people see, search and sort them."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    select,
)

from services.accounts.projections.account_team import account_team
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
from shared.events.accounts import (
    AccountFact,
    AccountKind,
    AccountLifecycleMoved,
    AccountMilestoneReached,
    AccountOpened,
    AccountOwnerChanged,
    AccountParentSet,
    AccountProfileChanged,
    AccountProfileFact,
    AccountTagged,
    AccountUntagged,
    AccountWithdrawn,
    BankAccount,
    Lifecycle,
    Milestone,
    TeamMemberAdded,
    TeamMemberRemoved,
)
from shared.events.base import Recorded
from shared.events.values import AccountId, Address

__all__ = [
    "AccountList",
    "AccountScope",
    "AccountView",
    "GetAccount",
    "ListAccounts",
    "ListChildAccounts",
    "get_account",
    "list_accounts",
    "list_child_accounts",
]

account_list = Table(
    "account_list",
    MetaData(),
    Column("account_id", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String),
    Column("number", String),
    Column("legal_representative", String),
    Column("registered_capital", Amount),
    Column("registered_capital_currency", String),
    Column("addresses", JSON),
    Column("phones", JSON),
    Column("fax", String),
    Column("emails", JSON),
    Column("website", String),
    Column("industry", String),
    Column("nature", String),
    Column("employees", Integer),
    Column("region", String),
    Column("territory", String),
    Column("bank_accounts", JSON),
    Column("introduction", String),
    Column("custom", JSON),
    Column("owner_id", String),
    Column("unit_id", String),
    Column("parent_id", String),
    Column("relation", String),
    Column("lifecycle", String, nullable=False),
    Column("lifecycle_since", Instant),
    Column("milestones", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("lead_id", String),
    Column("channel", String),
    Column("campaign_id", String),
    Column("source", String),
    Column("external_id", String),
    Column("withdrawn", Boolean, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("opened_by", String, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", String, nullable=False),
    Index("account_list_by_name", "name"),
    Index("account_list_by_number", "number"),
    Index("account_list_by_owner", "owner_id", "opened_at"),
    Index("account_list_by_parent", "parent_id"),
    Index("account_list_by_lifecycle", "lifecycle", "opened_at"),
    Index("account_list_by_opened_at", "opened_at", "account_id"),
)


class AccountList(Projection):
    """One row per account with everything known of it."""

    table = account_list
    events = (
        AccountOpened,
        AccountProfileChanged,
        AccountParentSet,
        AccountOwnerChanged,
        AccountLifecycleMoved,
        AccountMilestoneReached,
        AccountTagged,
        AccountUntagged,
        AccountWithdrawn,
        TeamMemberAdded,
        TeamMemberRemoved,
    )

    @staticmethod
    def keys(recorded: Recorded[AccountFact]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[AccountFact]) -> Row | None:
        if isinstance(recorded.event, AccountOpened):
            row = _opened(recorded.event, recorded)
        if row is None:
            return None
        return {
            **row,
            **_after(row, recorded.event),
            "account_id": key[0],
            "version": recorded.version,
            "changed_at": recorded.occurred_at,
            "changed_by": recorded.actor,
        }


def _opened(opened: AccountOpened, recorded: Recorded[Any]) -> Row:
    return {
        "owner_id": opened.owner_id,
        "unit_id": opened.unit_id,
        "parent_id": opened.parent_id,
        "relation": None,
        "lifecycle": Lifecycle.POTENTIAL.value,
        "lifecycle_since": None,
        "milestones": [],
        "tags": [],
        "lead_id": opened.lead_id,
        "channel": opened.channel,
        "campaign_id": opened.campaign_id,
        "source": opened.source,
        "external_id": opened.external_id,
        "withdrawn": False,
        "opened_at": recorded.occurred_at,
        "opened_by": recorded.actor,
    }


def _after(row: Row, event: AccountFact) -> Row:
    match event:
        case AccountProfileFact():
            return _profile(event)
        case AccountParentSet():
            return {"parent_id": event.parent_id, "relation": event.relation}
        case AccountOwnerChanged():
            return {"owner_id": event.owner_id, "unit_id": event.unit_id}
        case AccountLifecycleMoved():
            return {"lifecycle": event.to_stage.value, "lifecycle_since": event.since}
        case AccountMilestoneReached():
            return {"milestones": sorted({*row["milestones"], event.milestone.value})}
        case AccountTagged():
            return {"tags": sorted({*row["tags"], event.tag})}
        case AccountUntagged():
            return {"tags": [tag for tag in row["tags"] if tag != event.tag]}
        case AccountWithdrawn():
            return {"withdrawn": True}
    return {}


def _profile(profile: AccountProfileFact) -> Row:
    capital = profile.registered_capital
    return {
        "kind": profile.kind.value,
        "name": profile.name,
        "number": profile.number,
        "legal_representative": profile.legal_representative,
        "registered_capital": capital.amount if capital else None,
        "registered_capital_currency": capital.currency if capital else None,
        "addresses": [one.model_dump(mode="json") for one in profile.addresses or ()],
        "phones": list(profile.phones or ()),
        "fax": profile.fax,
        "emails": list(profile.emails or ()),
        "website": profile.website,
        "industry": profile.industry,
        "nature": profile.nature,
        "employees": profile.employees,
        "region": profile.region,
        "territory": profile.territory,
        "bank_accounts": [one.model_dump(mode="json") for one in profile.bank_accounts or ()],
        "introduction": profile.introduction,
        "custom": profile.custom or {},
    }


class AccountView(View):
    """An account with everything known of it."""

    account_id: str
    version: int
    kind: AccountKind
    name: str | None
    number: str | None
    legal_representative: str | None
    registered_capital: Decimal | None
    registered_capital_currency: str | None
    addresses: list[Address]
    phones: list[str]
    fax: str | None
    emails: list[str]
    website: str | None
    industry: str | None
    nature: str | None
    employees: int | None
    region: str | None
    territory: str | None
    bank_accounts: list[BankAccount]
    introduction: str | None
    custom: dict[str, Any]
    owner_id: str | None
    unit_id: str | None
    parent_id: str | None
    relation: str | None
    lifecycle: Lifecycle
    lifecycle_since: datetime | None
    milestones: list[Milestone]
    tags: list[str]
    lead_id: str | None
    channel: str | None
    campaign_id: str | None
    source: str | None
    external_id: str | None
    withdrawn: bool
    opened_at: datetime
    opened_by: str
    changed_at: datetime
    changed_by: str


class GetAccount(Query, http="GET /v1/accounts/{account_id}"):
    """Show an account."""

    account_id: AccountId


class AccountScope(StrEnum):
    """Whose accounts to list."""

    ALL = "all"
    MINE = "mine"
    TEAM = "team"
    """Those on whose team the caller is."""
    POTENTIAL = "potential"
    """The caller's own that have not bought yet."""


class ListAccounts(ListQuery, http="GET /v1/accounts"):
    """List accounts, latest first."""

    scope: AccountScope = AccountScope.ALL


class ListChildAccounts(ListQuery, http="GET /v1/accounts/{account_id}/children"):
    """List the accounts directly below an account in its group, by name."""

    account_id: AccountId


def get_account(query: GetAccount, reader: Reader) -> AccountView:
    return found(reader, account_list, AccountView, "account", query.account_id)


def list_accounts(query: ListAccounts, reader: Reader) -> Page[AccountView]:
    caller = reader.actor.id
    mine = account_list.c.owner_id == caller
    teams = select(account_team.c.account_id).where(account_team.c.employee_id == caller)
    where = {
        AccountScope.ALL: (),
        AccountScope.MINE: (mine,),
        AccountScope.TEAM: (account_list.c.account_id.in_(teams),),
        AccountScope.POTENTIAL: (mine, account_list.c.lifecycle == Lifecycle.POTENTIAL.value),
    }[query.scope]
    return listed(
        query,
        reader,
        account_list,
        AccountView,
        where=(account_list.c.withdrawn.is_(False), *where),
        order_by="opened_at desc",
    )


def list_child_accounts(query: ListChildAccounts, reader: Reader) -> Page[AccountView]:
    return listed(
        query,
        reader,
        account_list,
        AccountView,
        where=(
            account_list.c.withdrawn.is_(False),
            account_list.c.parent_id == query.account_id,
        ),
        order_by="name",
    )
