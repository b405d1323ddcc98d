"""Rebuilding read models from the logs while the system runs, and proving that they are equal.

A copy of each table is filled beside the live one in short transactions. When it has caught up, one
last transaction brings it to exactly the live table's tracked positions and either compares the two
by content hash or puts the copy in the live one's place. A copy that took its place has applied
everything, so nothing stays parked for it.
"""

import gc
import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, Table, func, select, text

from shared.chassis import tracking
from shared.chassis.database import Database
from shared.chassis.messaging import parking
from shared.chassis.projections.projector import Touched, copy_of, touches
from shared.chassis.projections.rows import rows_of
from shared.chassis.shapes.projection import Key, Projection, Row
from shared.events.base import Event, Recorded, topics_of

__all__ = ["CannotFold", "Rebuilt", "Source", "digest", "rebuild"]

_BATCH = 2000
_ROWS_IN_MEMORY = 20_000
_SUFFIX = "copy"

Progress = Callable[[str, int, int], None]


class CannotFold(Exception):
    """A read model cannot fold a fact; its live rows are as they were."""

    def __init__(self, projection: str, fact: Recorded[Event], error: Exception) -> None:
        place = f"{fact.context}:{fact.position} ({fact.topic})"
        super().__init__(f"{projection} cannot fold {place}: {type(error).__name__}")
        self.fact = fact


class Source(Protocol):
    """A context's log, wherever it is read from."""

    def read(
        self,
        after: int,
        limit: int = 256,
        *,
        upto: int | None = None,
        topics: Collection[str] = (),
    ) -> list[Recorded[Event]]:
        """Return up to `limit` facts of these topics after a position and up to another."""
        ...

    def tip(self) -> int:
        """Return the last position."""
        ...


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of one read model.

    `facts` counts what it folded, `seconds` its share of the work. The digests and `equal` are None
    when it was not compared.
    """

    projection: str
    facts: int
    rows: int
    seconds: float
    digest: str | None = None
    equal: bool | None = None
    live_digest: str | None = None


def rebuild(
    database: Database,
    projections: Sequence[type[Projection]],
    sources: Mapping[str, Source],
    *,
    check: bool = False,
    progress: Progress | None = None,
) -> list[Rebuilt]:
    """Fold read models anew from the logs.

    Args:
        database: the views.
        projections: the read models to fold.
        sources: every context's log that they fold, by context.
        check: compare with the live rows instead of replacing them.
        progress: told (context, position, tip) after each batch.

    Returns:
        One report per read model.

    Raises:
        CannotFold: a fact makes a fold fail.
    """
    copies = [_Copy(projection) for projection in projections]
    with database.transaction() as connection:
        parking.create(connection)
        for copy in copies:
            copy.table.drop(connection, checkfirst=True)
            copy.table.create(connection)
    try:
        with _uncollected():
            return _filled(database, copies, sources, check=check, progress=progress)
    finally:
        with database.transaction() as connection:
            for copy in copies:
                copy.table.drop(connection, checkfirst=True)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leave cyclic garbage alone for a while: facts and rows hold no cycles, only many objects."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _filled(
    database: Database,
    copies: Sequence["_Copy"],
    sources: Mapping[str, Source],
    *,
    check: bool,
    progress: Progress | None,
) -> list[Rebuilt]:
    projections = [copy.projection for copy in copies]
    with database.read() as connection:
        live = tracking.positions(connection)
    contexts = sorted({context for p in projections for context in p.contexts()})
    reached = dict.fromkeys(contexts, 0)
    for context in contexts:
        tip = sources[context].tip()
        if check:
            tip = min(
                live.get((p.name, context), 0) for p in projections if context in p.contexts()
            )
        topics = _topics(projections, context)
        while reached[context] < tip:
            batch = sources[context].read(reached[context], _BATCH, upto=tip, topics=topics)
            with database.transaction() as connection:
                for copy in copies:
                    copy.fold(connection, batch)
            reached[context] = batch[-1].position if len(batch) == _BATCH else tip
            if progress:
                progress(context, reached[context], tip)
    with database.transaction() as connection:
        live = tracking.positions(connection)
        return [copy.settle(connection, sources, reached, live, check=check) for copy in copies]


def _topics(projections: Iterable[type[Projection]], context: str) -> frozenset[str]:
    return topics_of(e for p in projections for e in p.events if e.context() == context)


class _Copy:
    """A read model's copy: rows are folded in memory and written when many have changed."""

    def __init__(self, projection: type[Projection]) -> None:
        self.projection = projection
        self.table: Table = copy_of(projection.table, _SUFFIX)
        self.table.indexes.clear()  # made once, when the rows are in place
        self.facts = 0
        self.seconds = 0.0
        self._made: list[tuple[Key, Row | None]] = []
        """Rows made by one fact each, not written yet."""
        self._rows: dict[Key, Row | None] = {}
        self._unwritten: set[Key] = set()
        self._knows_all = True
        """Whether a row that is not in memory does not exist."""

    def fold(self, connection: Connection, batch: Sequence[Recorded[Event]]) -> None:
        started = time.perf_counter()
        touched = self._touched(batch)
        if self.projection.once:
            self._make(touched)
        else:
            self._change(connection, touched)
        if len(self._made) + len(self._rows) > _ROWS_IN_MEMORY:
            self.flush(connection)
        self.seconds += time.perf_counter() - started
        self.facts += len(touched)

    def _touched(self, batch: Sequence[Recorded[Event]]) -> Touched:
        try:
            return touches(self.projection, batch)
        except Exception:
            for fact in batch:
                try:
                    touches(self.projection, [fact])
                except Exception as error:
                    raise CannotFold(self.projection.name, fact, error) from error
            raise

    def _make(self, touched: Touched) -> None:
        fold, made = self.projection.fold, self._made.append
        for recorded, keys in touched:
            try:
                for key in keys:
                    made((key, fold(key, None, recorded)))
            except Exception as error:
                raise CannotFold(self.projection.name, recorded, error) from error

    def _change(self, connection: Connection, touched: Touched) -> None:
        rows, fold = self._rows, self.projection.fold
        if not self._knows_all:
            missing = {key: None for _, keys in touched for key in keys if key not in rows}
            rows.update(rows_of(self.table, connection).load(connection, list(missing)))
        for recorded, keys in touched:
            try:
                for key in keys:
                    rows[key] = fold(key, rows.get(key), recorded)
            except Exception as error:
                raise CannotFold(self.projection.name, recorded, error) from error
            self._unwritten.update(keys)

    def flush(self, connection: Connection) -> None:
        """Write what is not written, and forget it."""
        changed = [(key, self._rows[key]) for key in self._unwritten]
        rows_of(self.table, connection).write(connection, [*self._made, *changed])
        self._made.clear()
        self._unwritten.clear()
        self._rows.clear()
        self._knows_all = False

    def settle(
        self,
        connection: Connection,
        sources: Mapping[str, Source],
        reached: Mapping[str, int],
        live: Mapping[tuple[str, str], int],
        *,
        check: bool,
    ) -> Rebuilt:
        """Compare with the live table at its positions, or take its place."""
        name = self.projection.name
        for context in sorted(self.projection.contexts()):
            applied, tracked = reached[context], live.get((name, context), 0)
            topics = _topics([self.projection], context)
            while applied < tracked:
                batch = sources[context].read(applied, _BATCH, upto=tracked, topics=topics)
                self.fold(connection, batch)
                applied = batch[-1].position if len(batch) == _BATCH else tracked
            if not check:
                tracking.advance(connection, name, context, applied)
        self.flush(connection)
        if check:
            count, mine = digest(connection, self.table)
            _, other = digest(connection, self.projection.table)
            return Rebuilt(name, self.facts, count, self.seconds, mine, mine == other, other)
        self.projection.table.drop(connection)
        connection.execute(text(f'ALTER TABLE "{self.table.name}" RENAME TO "{name}"'))
        for index in self.projection.table.indexes:
            index.create(connection)
        for letter in parking.letters(connection, name):
            parking.remove(connection, letter)
        counted = select(func.count()).select_from(self.projection.table)
        return Rebuilt(name, self.facts, connection.execute(counted).scalar_one(), self.seconds)


def digest(connection: Connection, table: Table) -> tuple[int, str]:
    """Return the number of rows and a SHA-256 over their stored content in key order."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    statement = f'SELECT {columns} FROM "{table.name}" ORDER BY {keys}'  # noqa: S608 - names from the code
    hashed = hashlib.sha256()
    count = 0
    cursor = connection.exec_driver_sql(statement).cursor
    while rows := cursor.fetchmany(_BATCH):
        hashed.update(repr(rows).encode())
        count += len(rows)
    return count, hashed.hexdigest()
