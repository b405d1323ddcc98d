"""Rights: which role may call which method, and what of the records behind it a reader may see.

Both are laid down by the workplace context's facts. Every service folds them for itself, so that
none asks another.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Protocol

from sqlalchemy import JSON, Column, Connection, Date, MetaData, String, Table, select

from shared.chassis import tracking
from shared.chassis.database import Database
from shared.chassis.shapes import Actor, Key, Projection, Row
from shared.chassis.shapes.guard import EVERYTHING, Sight
from shared.events.base import Recorded
from shared.events.workplace import (
    DataScope,
    EmployeeJoined,
    EmployeeMoved,
    FieldAccess,
    RoleDefined,
    RoleRetired,
    UnitCreated,
    UnitMoved,
)

__all__ = [
    "ADMINISTRATOR",
    "SERVICE",
    "Postings",
    "Rights",
    "RoleRights",
    "StoredRights",
    "UnitTree",
]

ADMINISTRATOR = "administrator"
"""The role that may do everything, whatever the facts say."""
SERVICE = "service"
"""The role of a service that reads others' logs; it may do that and nothing else."""

_READ_LOG = ".ReadLog"
_FRESH, _WHOLE = 1.0, 30.0
"""Seconds after which is looked whether something is new, and after which all is read anew."""
_REMEMBERED = 4096
_ORDER = tuple(FieldAccess)
"""From the narrowest to the widest."""

_role_rights = Table(
    "role_rights",
    MetaData(),
    Column("role", String, primary_key=True),
    Column("patterns", JSON, nullable=False),
    Column("scope", String, nullable=False),
    Column("unit_ids", JSON, nullable=False),
    Column("fields", JSON, nullable=False),
)
_postings = Table(
    "employee_units",
    MetaData(),
    Column("employee_id", String, primary_key=True),
    Column("unit_id", String),
    Column("effective_on", Date, nullable=False),
)
_unit_tree = Table(
    "unit_tree",
    MetaData(),
    Column("unit_id", String, primary_key=True),
    Column("parent_id", String),
)


class RoleRights(Projection):
    """What each role may do and see; part of every service."""

    version = 2
    table = _role_rights
    events = (RoleDefined, RoleRetired)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per role."""
        return [(recorded.event.role,)]

    @staticmethod
    def fold(_key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the last definition; a retired role has no row."""
        match recorded.event:
            case RoleDefined(role=role, rights=rights) as defined:
                return {
                    "role": role,
                    "patterns": list(rights),
                    "scope": defined.scope.value,
                    "unit_ids": list(defined.unit_ids),
                    "fields": [one.model_dump(mode="json") for one in defined.fields],
                }
            case RoleRetired():
                return None
        return row


class Postings(Projection):
    """The unit each employee belongs to; part of every service. Who left keeps the last one."""

    version = 2
    table = _postings
    events = (EmployeeJoined, EmployeeMoved)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per employee."""
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the unit of the latest day, in whatever order moves are learnt of."""
        event = recorded.event
        day = event.joined_on if isinstance(event, EmployeeJoined) else event.effective_on
        if row is not None and day < row["effective_on"]:
            return row
        return {"employee_id": key[0], "unit_id": event.unit_id, "effective_on": day}


class UnitTree(Projection):
    """Which unit stands below which; part of every service."""

    table = _unit_tree
    events = (UnitCreated, UnitMoved)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per unit."""
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, _row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the last place."""
        return {"unit_id": key[0], "parent_id": recorded.event.parent_id}


class Rights(Protocol):
    """Says what somebody may do and see."""

    def allows(self, actor: Actor, right: str) -> bool:
        """Whether `actor` has `right`, e.g. `leads.ClaimLead`."""
        ...

    def sight(self, actor: Actor, right: str) -> Sight:
        """Return what of the records behind a right the actor may see."""
        ...


class _Role(NamedTuple):
    patterns: tuple[str, ...]
    scope: DataScope
    unit_ids: tuple[str, ...]
    fields: Mapping[tuple[str, str], FieldAccess]


@dataclass
class _Organisation:
    """Units and who belongs to them."""

    unit_of: Mapping[str, str | None] = field(default_factory=dict)
    parents: Mapping[str, str | None] = field(default_factory=dict)

    def below(self, units: Iterable[str]) -> frozenset[str]:
        """Return these units and all that stand below them."""
        found = set(units)
        while more := {u for u, above in self.parents.items() if above in found} - found:
            found |= more
        return frozenset(found)

    def staff(self, units: frozenset[str]) -> set[str]:
        """Return the employees of these units."""
        return {employee for employee, unit in self.unit_of.items() if unit in units}


class StoredRights:
    """Rights by the rows that every service's views hold of them, at most a second old.

    Args:
        views: the database of a service.
    """

    def __init__(self, views: Database) -> None:
        self._views = views
        self._roles: Mapping[str, _Role] = {}
        self._organisation = _Organisation()
        self._allowed: dict[tuple[frozenset[str], str], bool] = {}
        self._seen: dict[tuple[str, str | None, frozenset[str], str], Sight] = {}
        self._read_at = float("-inf")
        self._whole_at = float("-inf")
        self._reached: tuple[int, ...] = ()

    def allows(self, actor: Actor, right: str) -> bool:
        """Whether one of the actor's roles has a pattern that fits `right`."""
        if ADMINISTRATOR in actor.roles:
            return True
        if SERVICE in actor.roles:
            return right.endswith(_READ_LOG)
        self._refresh()
        question = (actor.roles, right)
        known = self._allowed
        allowed = known.get(question)
        if allowed is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            allowed = known[question] = bool(self._with(actor, right))
        return allowed

    def sight(self, actor: Actor, right: str) -> Sight:
        """Return what the actor's roles that give the right let them see, taken together.

        The widest scope counts, and a field is restricted as far as all of those roles restrict it.
        """
        if ADMINISTRATOR in actor.roles:
            return EVERYTHING
        self._refresh()
        question = (actor.id, actor.unit, actor.roles, right)
        known = self._seen
        seen = known.get(question)
        if seen is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            roles = self._with(actor, right)
            seen = known[question] = Sight(self._employees(actor, roles), _fields(roles))
        return seen

    def _with(self, actor: Actor, right: str) -> list[_Role]:
        """Return the actor's roles that give a right.

        A log is read whole, without scope and field rights: that right has to be named as it is.
        """
        found = (self._roles[name] for name in actor.roles if name in self._roles)
        if right.endswith(_READ_LOG):
            return [role for role in found if right in role.patterns]
        return [role for role in found if any(fnmatchcase(right, p) for p in role.patterns)]

    def _employees(self, actor: Actor, roles: Iterable[_Role]) -> frozenset[str] | None:
        organisation = self._organisation
        own = organisation.unit_of.get(actor.id) or (actor.unit or "").rpartition("/")[2]
        found = {actor.id}
        for role in roles:
            match role.scope:
                case DataScope.ALL:
                    return None
                case DataScope.UNIT if own:
                    found |= organisation.staff(frozenset({own}))
                case DataScope.UNIT_AND_BELOW if own:
                    found |= organisation.staff(organisation.below({own}))
                case DataScope.UNITS:
                    found |= organisation.staff(organisation.below(role.unit_ids))
        return frozenset(found)

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at <= _FRESH:
            return
        with self._views.read() as connection:
            reached = tuple(
                tracking.position(connection, projection.name, "workplace")
                for projection in (RoleRights, Postings, UnitTree)
            )
            # A parked fact that is applied later moves no position.
            is_old = time.monotonic() - self._whole_at > _WHOLE
            if reached != self._reached or is_old or not any(reached):
                self._read(connection)
                self._reached, self._whole_at = reached, time.monotonic()
        self._read_at = time.monotonic()

    def _read(self, connection: Connection) -> None:
        self._roles = {
            name: _Role(
                tuple(patterns),
                DataScope(scope),
                tuple(units),
                {(f["record"], f["field"]): FieldAccess(f["access"]) for f in fields},
            )
            for name, patterns, scope, units, fields in connection.execute(select(_role_rights))
        }
        self._organisation = _Organisation(
            {row.employee_id: row.unit_id for row in connection.execute(select(_postings))},
            {row.unit_id: row.parent_id for row in connection.execute(select(_unit_tree))},
        )
        self._allowed, self._seen = {}, {}


def _fields(roles: Iterable[_Role]) -> frozenset[tuple[str, str, FieldAccess]]:
    """Return the fields that every role restricts, each as the widest of them says."""
    tables = [role.fields for role in roles]
    if not tables:
        return frozenset()
    shared = set(tables[0]).intersection(*tables[1:])
    widest = ((key, max((t[key] for t in tables), key=_ORDER.index)) for key in shared)
    return frozenset(
        (record, name, access)
        for (record, name), access in widest
        if access is not FieldAccess.EDIT
    )
