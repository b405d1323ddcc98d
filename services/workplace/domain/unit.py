"""Units: the tree of the organisation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.workplace.commands import CloseUnit, CreateUnit, MoveUnit, RenameUnit
from shared.chassis.shapes import BrokenRule
from shared.events.base import Event
from shared.events.values import EmployeeId, Label, UnitId
from shared.events.workplace import UnitClosed, UnitCreated, UnitKind, UnitMoved, UnitRenamed

__all__ = ["Unit", "UnitIsClosed", "UnitTreeGoesInCircles", "create_unit"]


class UnitIsClosed(BrokenRule):
    """A dissolved unit is not changed, and nobody is moved into it."""


class UnitTreeGoesInCircles(BrokenRule):
    """A unit cannot be placed under itself or one of its own."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A part of the organisation, under another one or at the top."""

    name: str
    kind: UnitKind = UnitKind.DEPARTMENT
    parent_id: UnitId | None = None
    head_id: EmployeeId | None = None
    region: Label | None = None
    is_closed: bool = False

    def rename(self, command: RenameUnit) -> list[Event]:
        """Give it another name or head."""
        self.must_be_open()
        renamed = UnitRenamed(
            name=command.name or self.name, head_id=command.head_id or self.head_id
        )
        same = (renamed.name, renamed.head_id) == (self.name, self.head_id)
        return [] if same else [renamed]

    def move(self, command: MoveUnit, above: Sequence[UnitId]) -> list[Event]:
        """Place it under a unit, given the new parent and all units above that."""
        self.must_be_open()
        if command.unit_id in above:
            raise UnitTreeGoesInCircles(unit_id=command.unit_id, parent_id=command.parent_id)
        if command.parent_id == self.parent_id:
            return []
        return [
            UnitMoved(
                parent_id=command.parent_id,
                previous_parent_id=self.parent_id,
                effective_on=command.at.date(),
            )
        ]

    def close(self, command: CloseUnit) -> list[Event]:
        """Dissolve it."""
        return [] if self.is_closed else [UnitClosed(effective_on=command.at.date())]

    def must_be_open(self) -> None:
        """Refuse what a dissolved unit is no longer for."""
        if self.is_closed:
            raise UnitIsClosed(name=self.name)

    @staticmethod
    def evolve(state: "Unit | None", event: Event) -> "Unit | None":
        match event:
            case UnitCreated():
                return Unit(**event.model_dump())
            case UnitRenamed() if state is not None:
                return replace(state, name=event.name, head_id=event.head_id)
            case UnitMoved() if state is not None:
                return replace(state, parent_id=event.parent_id)
            case UnitClosed() if state is not None:
                return replace(state, is_closed=True)
        return state


def create_unit(command: CreateUnit) -> UnitCreated:
    """Set a unit up."""
    return UnitCreated(**command.model_dump(exclude={"unit_id"}))
