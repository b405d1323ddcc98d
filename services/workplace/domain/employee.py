"""Employees: who works for us, where, and in which roles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.workplace.commands import (
    CancelLeave,
    CarryOutDeparture,
    CarryOutMove,
    ChangeEmployee,
    GrantRole,
    HireEmployee,
    LeaveCompany,
    MoveEmployee,
    RevokeRole,
    ScheduleLeave,
)
from services.workplace.domain.particulars import checked
from shared.chassis.shapes import BrokenRule, Invalid
from shared.events.base import Event
from shared.events.values import EmployeeId, Label, Slug, UnitId
from shared.events.workplace import (
    DepartureScheduled,
    EmployeeJoined,
    EmployeeLeft,
    EmployeeMoved,
    EmployeeProfileChanged,
    EmployeeProfileFact,
    LeaveCancelled,
    LeaveScheduled,
    MoveScheduled,
    RoleGranted,
    RoleRevoked,
)

__all__ = ["Employee", "EmployeeHasLeft", "LeavesOverlap", "Posting", "hire_employee"]

_PROFILE = ("name", "email", "phone", "language", "time_zone")


class EmployeeHasLeft(BrokenRule):
    """Somebody who no longer works for us is neither moved nor given roles."""


class LeavesOverlap(BrokenRule):
    """Somebody cannot be away twice at the same time."""


@dataclass(frozen=True, kw_only=True)
class Posting:
    """Where somebody stands in the organisation from a day on."""

    effective_on: date
    unit_id: UnitId | None = None
    position: Label | None = None
    manager_id: EmployeeId | None = None


@dataclass(frozen=True, kw_only=True)
class Employee:
    """Somebody who works for us, until they leave."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    time_zone: str | None = None
    number: str | None = None
    joined_on: date
    postings: tuple[Posting, ...]
    """In order of their days; the last one holds."""
    next_posting: Posting | None = None
    leaves: frozenset[tuple[date, date]] = frozenset()
    roles: frozenset[Slug] = frozenset()
    leaves_on: date | None = None
    has_left: bool = False

    def change(self, command: ChangeEmployee) -> list[Event]:
        """Correct the particulars."""
        self._must_work_here()
        normal = checked(command.email, command.phone, command.time_zone)._asdict()
        wanted = {"name": command.name, "language": command.language, **normal}
        changed = {n: v for n, v in wanted.items() if v not in {None, getattr(self, n)}}
        if not changed:
            return []
        profile = {name: getattr(self, name) for name in _PROFILE} | changed
        return [EmployeeProfileChanged(**profile, changed=tuple(sorted(changed)))]

    def move(self, command: MoveEmployee) -> list[Event]:
        """Give another unit, position or manager, now or on a later day."""
        self._must_work_here()
        if command.manager_id == command.employee_id:
            raise Invalid.one("manager_id", "nobody is their own manager")
        today = self._day(command.at)
        effective_on = command.effective_on or today
        if effective_on < self.joined_on:
            raise Invalid.one("effective_on", f"is before the employee joined on {self.joined_on}")
        wish = _posting(command, effective_on)
        base, moved = self._moved(wish)
        if replace(moved, effective_on=base.effective_on) == base or wish == self.next_posting:
            return []
        if effective_on > today:
            return [MoveScheduled(**vars(wish))]
        return [EmployeeMoved(**vars(moved), previous_unit_id=base.unit_id)]

    def carry_out_move(self, command: CarryOutMove) -> list[Event]:
        """Carry out the move that was planned, if it still is."""
        planned = Posting(**command.model_dump(exclude={"employee_id"}))
        if self.has_left or planned != self.next_posting:
            return []
        base, moved = self._moved(planned)
        return [EmployeeMoved(**vars(moved), previous_unit_id=base.unit_id)]

    def leave(self, command: LeaveCompany) -> list[Event]:
        """Stop working here, now or on a later day."""
        if self.has_left:
            return []
        today = self._day(command.at)
        left_on = command.left_on or today
        if left_on < self.joined_on:
            raise Invalid.one("left_on", f"is before the employee joined on {self.joined_on}")
        if left_on == self.leaves_on:
            return []
        if left_on > today:
            return [DepartureScheduled(left_on=left_on, reason=command.reason)]
        return [EmployeeLeft(left_on=left_on, reason=command.reason)]

    def carry_out_departure(self, command: CarryOutDeparture) -> list[Event]:
        """Stop working here as planned, if it still is."""
        if self.has_left or self.leaves_on != command.left_on:
            return []
        return [EmployeeLeft(left_on=command.left_on, reason=command.reason)]

    def schedule_leave(self, command: ScheduleLeave) -> list[Event]:
        """Be away for some days."""
        self._must_work_here()
        if command.ends_on < command.starts_on:
            raise Invalid.one("ends_on", "is before the leave starts")
        if (command.starts_on, command.ends_on) in self.leaves:
            return []
        for starts_on, ends_on in self.leaves:
            if starts_on <= command.ends_on and command.starts_on <= ends_on:
                raise LeavesOverlap(starts_on=str(starts_on), ends_on=str(ends_on))
        return [LeaveScheduled(**command.model_dump(exclude={"employee_id"}))]

    def cancel_leave(self, command: CancelLeave) -> list[Event]:
        """Be at work after all."""
        if (command.starts_on, command.ends_on) not in self.leaves:
            return []
        return [LeaveCancelled(starts_on=command.starts_on, ends_on=command.ends_on)]

    def grant(self, command: GrantRole) -> list[Event]:
        """Get a role."""
        self._must_work_here()
        return [] if command.role in self.roles else [RoleGranted(role=command.role)]

    def revoke(self, command: RevokeRole) -> list[Event]:
        """Lose a role."""
        return [RoleRevoked(role=command.role)] if command.role in self.roles else []

    def _moved(self, wish: Posting) -> tuple[Posting, Posting]:
        """Return where they stand before a move, and after it."""
        base = next(p for p in reversed(self.postings) if p.effective_on <= wish.effective_on)
        return base, _amended(base, wish)

    def _day(self, at: datetime) -> date:
        return (at.astimezone(ZoneInfo(self.time_zone)) if self.time_zone else at).date()

    def _must_work_here(self) -> None:
        if self.has_left:
            raise EmployeeHasLeft(left_on=str(self.leaves_on))

    @staticmethod
    def evolve(state: "Employee | None", event: Event) -> "Employee | None":
        match event:
            case EmployeeJoined():
                posting = _posting(event, event.joined_on)
                return Employee(
                    **_profile(event),
                    number=event.number,
                    joined_on=event.joined_on,
                    postings=(posting,),
                )
            case _ if state is None:
                return None
            case EmployeeProfileChanged():
                return replace(state, **_profile(event))
            case MoveScheduled():
                return replace(state, next_posting=_posting(event, event.effective_on))
            case EmployeeMoved():
                moved = _posting(event, event.effective_on)
                postings = _in_order([*state.postings, moved])
                pending = state.next_posting
                if pending is not None and _amended(moved, pending) == moved:
                    pending = None
                return replace(state, postings=postings, next_posting=pending)
            case DepartureScheduled():
                return replace(state, leaves_on=event.left_on)
            case EmployeeLeft():
                return replace(
                    state, leaves_on=event.left_on, has_left=True, roles=frozenset(),
                    next_posting=None,
                )  # fmt: skip
            case LeaveScheduled():
                return replace(state, leaves=state.leaves | {(event.starts_on, event.ends_on)})
            case LeaveCancelled():
                return replace(state, leaves=state.leaves - {(event.starts_on, event.ends_on)})
            case RoleGranted():
                return replace(state, roles=state.roles | {event.role})
            case RoleRevoked():
                return replace(state, roles=state.roles - {event.role})
        return state


_POSTING = ("unit_id", "position", "manager_id")


def hire_employee(command: HireEmployee) -> EmployeeJoined:
    """Take somebody on."""
    if (command.external_id is None) is not (command.source is None):
        raise Invalid.one("external_id", "goes together with source")
    if command.manager_id is not None and command.manager_id == command.employee_id:
        raise Invalid.one("manager_id", "nobody is their own manager")
    normal = checked(command.email, command.phone, command.time_zone)
    stated = command.model_dump(exclude={"employee_id"}) | normal._asdict()
    return EmployeeJoined(**stated | {"joined_on": command.joined_on or command.at.date()})


def _profile(event: EmployeeProfileFact) -> dict[str, Any]:
    return {name: getattr(event, name) for name in _PROFILE}


def _posting(
    said: MoveEmployee | EmployeeJoined | MoveScheduled | EmployeeMoved, day: date
) -> Posting:
    return Posting(effective_on=day, **{name: getattr(said, name) for name in _POSTING})


def _amended(base: Posting, wish: Posting) -> Posting:
    """Return a posting with what a move names; the rest stays as it is."""
    return replace(base, **{name: v for name, v in vars(wish).items() if v is not None})


def _in_order(postings: Sequence[Posting]) -> tuple[Posting, ...]:
    return tuple(sorted(postings, key=lambda posting: posting.effective_on))
