"""Who is on whose team."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Column, Index, MetaData, String, Table

from shared.chassis.shapes import (
    Instant,
    Key,
    ListQuery,
    Page,
    Projection,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.events.accounts import TeamAccess, TeamMemberAdded, TeamMemberRemoved
from shared.events.base import Recorded
from shared.events.values import AccountId

__all__ = ["AccountTeam", "ListTeam", "TeamMemberView", "account_team", "list_team"]

account_team = Table(
    "account_team",
    MetaData(),
    Column("account_id", String, primary_key=True),
    Column("employee_id", String, primary_key=True),
    Column("access", String, nullable=False),
    Column("role", String),
    Column("expires_at", Instant),
    Column("since", Instant, nullable=False),
    Index("account_team_by_employee", "employee_id"),
)


class AccountTeam(Projection):
    """One row per member of an account's team."""

    table = account_team
    events = (TeamMemberAdded, TeamMemberRemoved)

    @staticmethod
    def keys(recorded: Recorded[TeamMemberAdded | TeamMemberRemoved]) -> Iterable[Key]:
        return [(recorded.stream_id, recorded.event.employee_id)]

    @staticmethod
    def fold(
        key: Key, row: Row | None, recorded: Recorded[TeamMemberAdded | TeamMemberRemoved]
    ) -> Row | None:
        match recorded.event:
            case TeamMemberAdded() as added:
                return {
                    "account_id": key[0],
                    "employee_id": key[1],
                    "access": added.access.value,
                    "role": added.role,
                    "expires_at": added.expires_at,
                    "since": row["since"] if row else recorded.occurred_at,
                }
        return None


class TeamMemberView(View):
    """An employee on an account's team."""

    account_id: str
    employee_id: str
    access: TeamAccess
    role: str | None
    expires_at: datetime | None
    since: datetime


class ListTeam(ListQuery, http="GET /v1/accounts/{account_id}/team"):
    """List an account's team."""

    account_id: AccountId


def list_team(query: ListTeam, reader: Reader) -> Page[TeamMemberView]:
    return listed(
        query,
        reader,
        account_team,
        TeamMemberView,
        where=(account_team.c.account_id == query.account_id,),
        order_by="since",
    )
