"""What each role may do."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Integer, MetaData, String, Table

from shared.chassis.shapes import (
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
from shared.events.values import Slug
from shared.events.workplace import DataScope, FieldRight, RoleDefined, RoleRetired

__all__ = ["GetRole", "ListRoles", "Roles", "get_role", "list_roles"]

roles = Table(
    "roles",
    MetaData(),
    Column("role", String, primary_key=True),
    Column("title", String, nullable=False),
    Column("rights", JSON, nullable=False),
    Column("fields", JSON, nullable=False),
    Column("scope", String, nullable=False),
    Column("unit_ids", JSON, nullable=False),
    Column("is_retired", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)


class Roles(Projection):
    """Every role in its last definition."""

    version = 2
    table = roles
    events = (RoleDefined, RoleRetired)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per role."""
        return [(recorded.event.role,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the last definition."""
        match recorded.event:
            case RoleDefined() as defined:
                stated = defined.model_dump(mode="json", exclude={"role_version"})
                return {**stated, "is_retired": False, "version": recorded.version}
            case RoleRetired() if row is not None:
                return {**row, "is_retired": True, "version": recorded.version}
        return row


class RoleView(View):
    """A role and its rights."""

    role: str
    title: str
    rights: list[str]
    """Patterns over `<context>.<Rpc>`."""
    fields: list[FieldRight]
    """Exceptions; fields not named may be read and edited."""
    scope: DataScope
    """Whose records the rights are about."""
    unit_ids: list[str]
    """The units of the scope `units`."""
    is_retired: bool
    version: int


class GetRole(Query, http="GET /v1/roles/{role}"):
    """Read what a role may do."""

    role: Slug


class ListRoles(ListQuery, http="GET /v1/roles"):
    """List the roles."""


def get_role(query: GetRole, reader: Reader) -> RoleView:
    return found(reader, roles, RoleView, "role", query.role)


def list_roles(query: ListRoles, reader: Reader) -> Page[RoleView]:
    return listed(query, reader, roles, RoleView, order_by="role")
