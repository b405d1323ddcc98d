"""Projections: read models as `keys` and `fold`, one row per entity or link."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from sqlalchemy import Table

from shared.chassis.shapes.columns import portable
from shared.events.base import Event, Recorded

__all__ = ["Key", "Projection", "Row", "blank"]

Row = Mapping[str, Any]
"""Column name to Python value; never changed in place."""
Key = tuple[Any, ...]
"""Primary key values in the table's column order."""


class Projection:
    """A read model: which rows a fact touches, and what each row is after it.

    Subclasses set `table` (SQLAlchemy Core, with a primary key), `version` (raise it when keys,
    fold or columns change: the engine then fills a fresh copy before it switches) and `events`
    (the classes it folds). Both methods are pure: no clock, no I/O, keys from the fact alone, and
    the fold of one key must not depend on which context's log was read first.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    table: ClassVar[Table]
    events: ClassVar[tuple[type[Event], ...]]
    folds: ClassVar[frozenset[type[Event]]]
    """The same as a set."""
    once: ClassVar[bool] = False
    """True when every row is made by one fact and touched by no other: none is looked up before."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "table" in cls.__dict__:
            cls.name = portable(cls.table).name
        if "events" in cls.__dict__:
            cls.folds = frozenset(cls.events)

    @classmethod
    def contexts(cls) -> frozenset[str]:
        """The contexts whose logs this read model folds."""
        return frozenset(event.context() for event in cls.events)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """Return the primary keys of the rows this fact touches."""
        raise NotImplementedError

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Return the row at `key` after this fact; None means there is no row."""
        raise NotImplementedError


def blank(table: Table, key: Key) -> dict[str, Any]:
    """Return a row of `table` at `key` of which nothing else is known yet."""
    names = [column.name for column in table.primary_key.columns]
    row: dict[str, Any] = dict.fromkeys(column.name for column in table.columns)
    row.update(zip(names, key, strict=True))
    return row
