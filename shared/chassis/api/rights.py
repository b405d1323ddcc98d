"""Rights: which role may call which method, as laid down by the workplace context's facts."""

import time
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Protocol

from sqlalchemy import JSON, Column, MetaData, String, Table, select

from shared.chassis.database import Database
from shared.chassis.shapes import Actor, Key, Projection, Row
from shared.events.base import Recorded
from shared.events.workplace import RoleDefined, RoleRetired

__all__ = ["ADMINISTRATOR", "Rights", "RoleRights", "StoredRights", "permits"]

ADMINISTRATOR = "administrator"
"""The role that may do everything, whatever the facts say."""

_FRESH = 1.0

_role_rights = Table(
    "role_rights",
    MetaData(),
    Column("role", String, primary_key=True),
    Column("patterns", JSON, nullable=False),
)


class RoleRights(Projection):
    """What each role may do; part of every service, so that none asks another for it."""

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
            case RoleDefined(role=role, rights=rights):
                return {"role": role, "patterns": list(rights)}
            case RoleRetired():
                return None
        return row


class Rights(Protocol):
    """Says whether somebody may do something."""

    def allows(self, actor: Actor, right: str) -> bool:
        """Whether `actor` has `right`, e.g. `leads.ClaimLead`."""
        ...


class StoredRights:
    """Rights by the `RoleRights` rows of a service's views, at most a second old.

    Args:
        views: the database of a service that has `RoleRights` among its projections.
    """

    def __init__(self, views: Database) -> None:
        self._views = views
        self._patterns: Mapping[str, tuple[str, ...]] = {}
        self._known: dict[tuple[frozenset[str], str], bool] = {}
        self._read_at = float("-inf")

    def allows(self, actor: Actor, right: str) -> bool:
        """Whether one of the actor's roles has a pattern that fits `right`."""
        if ADMINISTRATOR in actor.roles:
            return True
        if time.monotonic() - self._read_at > _FRESH:
            self._refresh()
        question = (actor.roles, right)
        known = self._known
        if question not in known:
            known[question] = permits(self._patterns, actor.roles, right)
        return known[question]

    def _refresh(self) -> None:
        with self._views.read() as connection:
            rows = connection.execute(select(_role_rights.c.role, _role_rights.c.patterns)).all()
        patterns = {role: tuple(patterns) for role, patterns in rows}
        if patterns != self._patterns:
            self._patterns, self._known = patterns, {}
        self._read_at = time.monotonic()


def permits(patterns: Mapping[str, Iterable[str]], roles: Iterable[str], right: str) -> bool:
    """Whether a pattern of one of the roles (`leads.*`, `*.List*`) fits the right.

    >>> permits({"sales": ["leads.*"]}, ["sales"], "leads.ClaimLead")
    True
    """
    return any(fnmatchcase(right, pattern) for role in roles for pattern in patterns.get(role, ()))
