"""Recipes: how one command is made of a record's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from annals.imports.cells import Unreadable
from annals.imports.kinds import Kind, record_id
from annals.imports.values import Rows, Value
from shared.chassis.shapes import Command

__all__ = ["Identity", "Made", "Missing", "Recipe"]


class Missing(Unreadable):
    """The record refers to another one that is not there, or not yet."""


class Identity(NamedTuple):
    """Which record it is."""

    external_id: str
    """Its id in the system it comes from."""
    record_id: str
    """Its id here."""


class Made(NamedTuple):
    """A command with its moment, or the reasons why there is none."""

    command: Command | None = None
    occurred_at: datetime | None = None
    problems: Sequence[str] = ()
    missing: bool = False
    """All the problems are that something referred to is not there yet."""


@dataclass(frozen=True)
class Recipe:
    """How one command is made of a record's rows.

    Args:
        kind: what is made.
        source: the system the record comes from.
        external_id: its id there.
        occurred_at: when it happened.
        fields: the command's fields that rows decide.
        constant: those that are always the same.
    """

    kind: Kind
    source: str
    external_id: Value
    occurred_at: Value | None
    fields: Sequence[tuple[str, Value]]
    constant: Mapping[str, Any]

    def identify(self, rows: Rows) -> Identity | None:
        """Return which record it is, None where it has no id.

        Raises:
            Unreadable: its id cannot be read.
        """
        found = self.external_id(rows)
        if found is None:
            return None
        return Identity(found, record_id(self.kind.name, self.source, found))

    def make(self, rows: Rows, identity: Identity, otherwise: datetime) -> Made:
        """Make the command; `otherwise` is its moment where the mapping names none."""
        problems: list[str] = []
        missing = 0
        values = self._origin(identity)
        for name, read in self.fields:
            try:
                value = read(rows)
            except Unreadable as problem:
                problems.append(f"{name}: {problem}")
                missing += isinstance(problem, Missing)
            else:
                if value is not None:
                    values[name] = value
        occurred_at = self._moment(rows, otherwise, problems)
        if problems:
            return Made(problems=problems, missing=missing == len(problems))
        try:
            command = self.kind.command.model_validate(values)
        except ValidationError as error:
            return Made(problems=[_reason(found) for found in error.errors(include_url=False)])
        return Made(command, occurred_at)

    def _origin(self, identity: Identity) -> dict[str, Any]:
        values = dict(self.constant)
        if self.kind.id_field is not None:
            values[self.kind.id_field] = identity.record_id
        if self.kind.keeps_origin:
            values["source"] = self.source
            values["external_id"] = identity.external_id
        return values

    def _moment(self, rows: Rows, otherwise: datetime, problems: list[str]) -> datetime | None:
        if self.occurred_at is None:
            return otherwise
        try:
            found: datetime | None = self.occurred_at(rows)
        except Unreadable as problem:
            problems.append(f"occurred_at: {problem}")
            return None
        if found is None:
            problems.append("occurred_at: says nothing")
        return found


def _reason(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else str(message)
