"""Rebuilding read models from the logs, and proving that the live ones are what the logs say.

Every log is read once for all read models at hand. Rows are folded in memory and reach their table
in bulk; beyond `Copy.KEPT` rows they are written out and loaded again when touched.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, Table, insert, select

from shared.chassis import tracking
from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog
from shared.chassis.messaging import parking
from shared.chassis.projections.projector import copy_of, load, write
from shared.chassis.service import OpenService
from shared.chassis.shapes.projection import Key, Projection, Row
from shared.events.base import Event, Recorded

__all__ = ["CannotFold", "Checked", "Rebuilt", "Target", "check", "rebuild", "targets"]

Fact = Recorded[Any]
Seen = Callable[[int], None]

_BATCH = 2000
_SHOWN = 10


class CannotFold(Exception):
    """A read model cannot fold a fact; the live rows are as they were."""

    def __init__(self, projection: str, fact: Fact, error: Exception) -> None:
        place = f"{fact.context}:{fact.position} ({fact.topic})"
        super().__init__(f"{projection} cannot fold {place}: {type(error).__name__}")
        self.projection = projection
        self.fact = fact


@dataclass(frozen=True)
class Target:
    """One read model of one opened service."""

    opened: OpenService
    projection: type[Projection]

    @property
    def name(self) -> str:
        """`<service>.<read model>`, unique in an installation."""
        return f"{self.opened.name}.{self.projection.name}"

    @property
    def views(self) -> Database:
        """The database that holds the live rows."""
        return self.opened.views_database


@dataclass(frozen=True)
class Rebuilt:
    """A read model whose rows were folded anew."""

    name: str
    rows: int


@dataclass(frozen=True)
class Checked:
    """A read model compared with what the logs say up to its tracked positions."""

    name: str
    rows: int
    fingerprint: str
    """SHA-256 over the live rows in the order of their keys."""
    examples: tuple[Key, ...]
    """Keys of rows that differ, are missing or too many; at most ten."""
    differing: int
    """How many such rows there are."""


def targets(services: Iterable[OpenService], names: Sequence[str] = ()) -> list[Target]:
    """Return the read models of these names, or all.

    Args:
        services: opened.
        names: `<service>.<read model>`, `<read model>` or `<service>`.

    Raises:
        LookupError: nothing bears one of the names.
    """
    every = [
        Target(opened, projection)
        for opened in services
        for projection in opened.service.projections
    ]
    for name in names:
        if not any(name in _names(target) for target in every):
            raise LookupError(f"there is no read model {name}")
    return [t for t in every if not names or any(name in _names(t) for name in names)]


def rebuild(
    chosen: Sequence[Target], logs: Mapping[str, EventLog], seen: Seen = lambda _: None
) -> list[Rebuilt]:
    """Fold read models anew and put the new rows in place of the live ones.

    The old rows serve until the end. Positions and parked letters of the read models change in the
    transaction that swaps the rows: a rebuilt one has applied everything.

    Args:
        chosen: the read models.
        logs: by context.
        seen: told how many facts were read since it was last told.

    Raises:
        CannotFold: a fact makes a fold fail; none of the live rows has changed.
    """
    copies = [Copy(target, target.views) for target in chosen]
    try:
        reached = {context: log.tip() for context, log in logs.items()}
        _fold(copies, logs, {}, dict.fromkeys(copies, reached), seen)
        for copy in copies:
            copy.flush()
        return [_swap(copy, logs, reached) for copy in copies]
    finally:
        for copy in copies:
            copy.drop()


def check(
    chosen: Sequence[Target], logs: Mapping[str, EventLog], seen: Seen = lambda _: None
) -> list[Checked]:
    """Compare live rows with rows folded anew from the logs up to the same positions.

    Args:
        chosen: the read models.
        logs: by context.
        seen: told how many facts were read since it was last told.

    Raises:
        CannotFold: a fact makes a fold fail.
    """
    scratch = Database.sqlite(None)
    copies = [Copy(target, scratch) for target in chosen]
    with closing(scratch), ExitStack() as stack:
        live = {
            views: stack.enter_context(views.read())
            for views in {target.views for target in chosen}
        }
        upto = {copy: _tracked(live[copy.target.views], copy.target.projection) for copy in copies}
        _fold(copies, logs, {}, upto, seen)
        for copy in copies:
            copy.flush()
        anew = stack.enter_context(scratch.read())
        return [_compare(copy, live[copy.target.views], anew) for copy in copies]


@dataclass(eq=False)
class Copy:
    """A read model being folded beside the live one."""

    KEPT = 250_000

    target: Target
    database: Database
    table: Table = field(init=False)
    rows: dict[Key, Row | None] = field(default_factory=dict)
    written: bool = False

    def __post_init__(self) -> None:
        self.table = copy_of(
            self.target.projection.table, f"rebuilt_{self.target.opened.name}"
        )
        self.drop()
        with self.database.transaction() as connection:
            self.table.create(connection)

    def fold(self, facts: Sequence[Fact]) -> None:
        """Fold facts that concern this read model, in order."""
        projection = self.target.projection
        touched = []
        for fact in facts:
            try:
                touched.append((fact, dict.fromkeys(projection.keys(fact))))
            except Exception as error:
                raise CannotFold(self.target.name, fact, error) from error
        if self.written:
            self._load({key for _, keys in touched for key in keys} - self.rows.keys())
        rows = self.rows
        for fact, keys in touched:
            for key in keys:
                try:
                    rows[key] = projection.fold(key, rows.get(key), fact)
                except Exception as error:
                    raise CannotFold(self.target.name, fact, error) from error
        if len(rows) > self.KEPT:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory to the table."""
        gone: dict[Key, Row] = {key: {} for key, row in self.rows.items() if row is None}
        with self.database.transaction() as connection:
            write(connection, self.table, gone if self.written else {}, self.rows)
        self.rows.clear()
        self.written = True

    def drop(self) -> None:
        """Remove the table."""
        with self.database.transaction() as connection:
            self.table.drop(connection, checkfirst=True)

    def _load(self, keys: Iterable[Key]) -> None:
        with self.database.read() as connection:
            self.rows.update(load(connection, self.table, list(keys)))


def _names(target: Target) -> set[str]:
    return {target.name, target.projection.name, target.opened.name}


def _fold(
    copies: Sequence[Copy],
    logs: Mapping[str, EventLog],
    after: Mapping[str, int],
    upto: Mapping[Copy, Mapping[str, int]],
    seen: Seen = lambda _: None,
) -> None:
    """Fold every context's facts after one position and up to another, each copy its own."""
    for context, log in logs.items():
        ends = {copy: upto[copy].get(context, 0) for copy in copies}
        listening = _Listening(copies)
        for batch in _batches(log, after.get(context, 0), max(ends.values(), default=0)):
            seen(len(batch))
            some: dict[Copy, list[Fact]] = {}
            for fact in batch:
                for copy in listening[type(fact.event)]:
                    if fact.position <= ends[copy]:
                        some.setdefault(copy, []).append(fact)
            for copy, facts in some.items():
                copy.fold(facts)


class _Listening(dict[type[Event], list[Copy]]):
    """The copies that fold a class of events, found once per class."""

    def __init__(self, copies: Sequence[Copy]) -> None:
        super().__init__()
        self._copies = copies

    def __missing__(self, kind: type[Event]) -> list[Copy]:
        found = [c for c in self._copies if issubclass(kind, c.target.projection.events)]
        self[kind] = found
        return found


def _batches(log: EventLog, after: int, end: int) -> Iterator[Sequence[Fact]]:
    while after < end:
        batch = log.read(after, min(_BATCH, end - after))
        if not batch:
            return
        yield batch
        after = batch[-1].position


def _swap(copy: Copy, logs: Mapping[str, EventLog], reached: Mapping[str, int]) -> Rebuilt:
    """Fold what has come in meanwhile and put the copy's rows in place, in one transaction."""
    projection, live = copy.target.projection, copy.target.projection.table
    with copy.database.transaction() as connection:
        now = {context: logs[context].tip() for context in projection.contexts() & logs.keys()}
        _fold([copy], logs, reached, {copy: now})
        copy.flush()
        connection.execute(live.delete())
        columns = [column.name for column in live.columns]
        rows = connection.execute(insert(live).from_select(columns, select(copy.table))).rowcount
        for context, position in now.items():
            tracking.advance(connection, projection.name, context, position)
        for letter in parking.letters(connection, projection.name):
            parking.remove(connection, letter)
    return Rebuilt(copy.target.name, rows)


def _tracked(connection: Connection, projection: type[Projection]) -> dict[str, int]:
    positions = tracking.positions(connection)
    return {c: positions.get((projection.name, c), 0) for c in projection.contexts()}


def _compare(copy: Copy, live: Connection, anew: Connection) -> Checked:
    said = dict(_contents(anew, copy.table))
    fingerprint = hashlib.sha256()
    differing: list[Key] = []
    rows = 0
    for key, content in _contents(live, copy.target.projection.table):
        rows += 1
        fingerprint.update(content)
        if said.pop(key, None) != content:
            differing.append(key)
    differing += said
    return Checked(
        copy.target.name, rows, fingerprint.hexdigest(), tuple(differing[:_SHOWN]), len(differing)
    )


def _contents(connection: Connection, table: Table) -> Iterator[tuple[Key, bytes]]:
    """Give a digest of every row, in the order of the keys."""
    keys = list(table.primary_key.columns)
    names = [column.name for column in keys]
    for row in connection.execute(select(table).order_by(*keys)).mappings():
        content = orjson.dumps(dict(row), default=str, option=orjson.OPT_SORT_KEYS)
        yield tuple(row[name] for name in names), hashlib.sha256(content).digest()
