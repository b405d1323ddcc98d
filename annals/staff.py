"""Members of staff, folded from the workplace's log: who may be given a token, with which roles."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from shared.events.base import Event, Recorded
from shared.events.workplace import (
    EmployeeJoined,
    EmployeeLeft,
    EmployeeMoved,
    EmployeeProfileFact,
    RoleGranted,
    RoleRevoked,
    UnitCreated,
    UnitMoved,
)

__all__ = ["Ambiguous", "Member", "Staff", "Stranger"]


@dataclass(frozen=True)
class Member:
    """Somebody who works, or worked, for us."""

    id: str
    name: str = ""
    email: str = ""
    number: str = ""
    unit_id: str | None = None
    since: date = date.min
    """When the posting to this unit took effect."""
    roles: frozenset[str] = frozenset()
    left: bool = False

    def answers_to(self, name: str) -> bool:
        """Whether `name` is this member's id, number, name or mail address."""
        wanted = name.casefold()
        return wanted in {
            known.casefold() for known in (self.id, self.number, self.name, self.email) if known
        }


class Stranger(LookupError):
    """Nobody on the staff answers to a name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"nobody on the staff is called {name}")


class Ambiguous(LookupError):
    """Several members of staff answer to a name."""

    def __init__(self, name: str, members: list[Member]) -> None:
        ids = ", ".join(member.id for member in members)
        super().__init__(f"several people are called {name}; give one of the ids {ids}")


class Staff:
    """The staff as the workplace's facts tell it.

    Args:
        facts: the workplace's log from its beginning.
    """

    def __init__(self, facts: Iterable[Recorded[Any]]) -> None:
        self._members: dict[str, Member] = {}
        self._parents: dict[str, str | None] = {}
        for fact in facts:
            self._learn(fact.stream_id, fact.event)

    def member(self, name: str) -> Member:
        """Return the one member at work who answers to `name`.

        Raises:
            Stranger: there is none.
            Ambiguous: there are several.
        """
        found = [m for m in self._members.values() if not m.left and m.answers_to(name)]
        if not found:
            raise Stranger(name)
        if len(found) > 1:
            raise Ambiguous(name, found)
        return found[0]

    def path(self, unit_id: str | None) -> str | None:
        """Return a unit's path from the top, e.g. `company/sales/north`; None for no unit."""
        steps: list[str] = []
        while unit_id is not None and unit_id not in steps:
            steps.append(unit_id)
            unit_id = self._parents.get(unit_id)
        return "/".join(reversed(steps)) or None

    def _learn(self, id: str, event: Event) -> None:
        match event:
            case UnitCreated(parent_id=parent) | UnitMoved(parent_id=parent):
                self._parents[id] = parent
                return
        member = self._members.get(id, Member(id))
        match event:
            case EmployeeProfileFact():
                member = replace(member, name=event.name or "", email=event.email or "")
                if isinstance(event, EmployeeJoined):
                    member = replace(member, number=event.number or "")
                    member = replace(member, unit_id=event.unit_id, since=event.joined_on)
            case EmployeeMoved(unit_id=unit, effective_on=day):
                if day >= member.since:
                    member = replace(member, unit_id=unit, since=day)
            case EmployeeLeft():
                member = replace(member, left=True)
            case RoleGranted(role=role):
                member = replace(member, roles=member.roles | {role})
            case RoleRevoked(role=role):
                member = replace(member, roles=member.roles - {role})
            case _:
                return
        self._members[id] = member
