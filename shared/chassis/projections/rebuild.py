"""Rebuilding read models from the logs while the system runs, and proving that they are equal.

A copy of each table is filled beside the live one in short transactions. When it has caught up, one
last transaction brings it to exactly the live table's tracked positions and either compares the two
by content hash or puts the copy in the live one's place. A copy that took its place has applied
everything, so nothing stays parked for it.

On PostgreSQL that transaction is short: the copies have their indexes before, and since a reader
whose snapshot is older than a copy would find it empty, it begins when there is none such left.
"""

import gc
import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import psycopg
from sqlalchemy import Connection, Table, func, select, text

from shared.chassis import tracking
from shared.chassis.database import Database, driver, short
from shared.chassis.messaging import parking
from shared.chassis.projections.projector import Touched, copy_of, touches
from shared.chassis.projections.rows import rows_of
from shared.chassis.shapes.errors import Unavailable
from shared.chassis.shapes.projection import Key, Projection, Row
from shared.events.base import Event, Recorded, topics_of

__all__ = ["CannotFold", "Rebuilt", "Source", "digest", "rebuild"]

_BATCH = 2000
_ROWS_IN_MEMORY = 40_000
"""Of all read models together; the one that holds most is written then."""
_SUFFIX = "__copy"
_READERS_END = 10.0
"""Seconds that a reader may hold its snapshot before it is no longer waited for."""
_OTHERS_END = 10.0
"""Seconds that another rebuild of the same views may take before it is no longer waited for."""
_PAUSE, _LONG_PAUSE = 0.01, 0.5

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
    subscription: str = "",
    check: bool = False,
    progress: Progress | None = None,
) -> list[Rebuilt]:
    """Fold read models anew from the logs.

    Args:
        database: the views.
        projections: the read models to fold.
        sources: every context's log that they fold, by context.
        subscription: keeps the live rows, e.g. `leads.views`; it waits during the last transaction.
        check: compare with the live rows instead of replacing them.
        progress: told (context, position, tip) after each batch.

    Returns:
        One report per read model.

    Raises:
        CannotFold: a fact makes a fold fail.
        Unavailable: somebody reads the live rows for too long, or makes read models of these views
            anew as well; they are as they were.
    """
    with database.transaction() as connection:
        parking.create(connection)
    with _alone(database):
        return _rebuilt(
            database, projections, sources, subscription, check=check, progress=progress
        )


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """Keep others from making copies of the same names."""
    lock = database.lock("rebuild")
    give_up = time.monotonic() + _OTHERS_END
    try:
        while not lock.take():
            if time.monotonic() > give_up:
                raise Unavailable("another process makes read models anew here; try again")
            time.sleep(_LONG_PAUSE)
        yield
    finally:
        lock.release()


def _rebuilt(
    database: Database,
    projections: Sequence[type[Projection]],
    sources: Mapping[str, Source],
    subscription: str,
    *,
    check: bool,
    progress: Progress | None,
) -> list[Rebuilt]:
    copies = [_Copy(projection) for projection in projections]
    with database.transaction() as connection:
        for copy in copies:
            copy.table.drop(connection, checkfirst=True)
            copy.table.create(connection)
    try:
        with _uncollected():
            reached: dict[str, int] = {}
            _fill(database, copies, sources, reached, check=check, progress=progress)
            if not check:
                if database.dialect == "postgresql":
                    _make_ready(database, copies)
                while _fill(database, copies, sources, reached, progress=progress) > _BATCH:
                    pass  # what was recorded meanwhile; little shall be left to the last moment
            return _settled(database, copies, sources, reached, subscription, check=check)
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


def _fill(
    database: Database,
    copies: Sequence["_Copy"],
    sources: Mapping[str, Source],
    reached: dict[str, int],
    *,
    check: bool = False,
    progress: Progress | None = None,
) -> int:
    """Fill the copies on from what they have reached in each context's log.

    Returns:
        How many positions further they are.
    """
    began = sum(reached.values())
    projections = [copy.projection for copy in copies]
    with database.read() as connection:
        live = tracking.positions(connection)
    contexts = sorted({context for p in projections for context in p.contexts()})
    for context in contexts:
        reached.setdefault(context, 0)
        tip = sources[context].tip()
        if check:
            tip = min(
                live.get((p.name, context), 0) for p in projections if context in p.contexts()
            )
        topics = _topics(projections, context)
        while reached[context] < tip:
            batch = sources[context].read(reached[context], _BATCH, upto=tip, topics=topics)
            with database.transaction(durable=False) as connection:
                for copy in copies:
                    copy.fold(connection, batch)
                _make_room(connection, copies)
            reached[context] = batch[-1].position if len(batch) == _BATCH else tip
            if progress:
                progress(context, reached[context], tip)
    return sum(reached.values()) - began


def _make_room(connection: Connection, copies: Sequence["_Copy"]) -> None:
    while sum(copy.held for copy in copies) > _ROWS_IN_MEMORY:
        max(copies, key=lambda copy: copy.held).flush(connection)


def _make_ready(database: Database, copies: Sequence["_Copy"]) -> None:
    """Let the copies be what the live tables are, but for what was recorded in the meantime."""
    for copy in copies:
        with database.transaction(durable=False) as connection:
            copy.flush(connection)
            for index in copy.indexes:
                index.create(connection)
            connection.execute(text(f'ANALYZE "{copy.table.name}"'))
    ((horizon,),) = database.fetch("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    give_up = time.monotonic() + _READERS_END
    while time.monotonic() < give_up and database.fetch(_OLDER_READERS, (horizon,)):
        time.sleep(_PAUSE)


_OLDER_READERS = """
SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
AND age(backend_xmin) > age(?::xid8::xid) LIMIT 1
"""


def _settled(
    database: Database,
    copies: Sequence["_Copy"],
    sources: Mapping[str, Source],
    reached: Mapping[str, int],
    subscription: str,
    *,
    check: bool,
) -> list[Rebuilt]:
    """Compare the copies with the live tables, or put them in their place, all at one moment."""
    give_up = time.monotonic() + _READERS_END
    while True:
        try:
            with database.transaction(holding=subscription) as connection:
                if not check:
                    _keep_readers_out(connection, copies)
                live = tracking.positions(connection)
                return [c.settle(connection, sources, reached, live, check=check) for c in copies]
        except psycopg.errors.LockNotAvailable as error:
            if time.monotonic() > give_up:
                raise Unavailable("somebody reads the live rows all the time; try again") from error
        time.sleep(_LONG_PAUSE)


def _keep_readers_out(connection: Connection, copies: Sequence["_Copy"]) -> None:
    """Lock the live tables, or fail soon: whoever comes to read meanwhile has to wait as well."""
    if connection.dialect.name == "sqlite":
        return
    names = ", ".join(f'"{copy.projection.name}"' for copy in copies)
    short(connection, "SET LOCAL lock_timeout TO '500ms'")
    short(connection, f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
    short(connection, "SET LOCAL lock_timeout TO 0")


def _topics(projections: Iterable[type[Projection]], context: str) -> frozenset[str]:
    return topics_of(e for p in projections for e in p.events if e.context() == context)


class _Copy:
    """A read model's copy: rows are folded in memory and written when many have changed."""

    def __init__(self, projection: type[Projection]) -> None:
        self.projection = projection
        self.table = copy_of(projection.table, _SUFFIX)
        self.indexes = sorted(self.table.indexes, key=lambda index: str(index.name))
        """Made once, when the rows are in place."""
        self.table.indexes.clear()
        self.facts = 0
        self.seconds = 0.0
        self._made: list[tuple[Key, Row | None]] = []
        """Rows made by one fact each, not written yet."""
        self._rows: dict[Key, Row | None] = {}
        self._unwritten: set[Key] = set()
        self._stored: set[Key] = set()
        """Keys of rows that the table holds an earlier form of."""
        self._knows_all = True
        """Whether a row that is not in memory does not exist."""

    def fold(self, connection: Connection, batch: Sequence[Recorded[Event]]) -> None:
        started = time.perf_counter()
        touched = self._touched(batch)
        if self.projection.once:
            self._make(touched)
        else:
            self._change(connection, touched)
        self.seconds += time.perf_counter() - started
        self.facts += len(touched)

    @property
    def held(self) -> int:
        """How many rows are in memory."""
        return len(self._made) + len(self._rows)

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
            stored = rows_of(self.table, connection).load(connection, list(missing))
            rows.update(stored)
            self._stored.update(stored)
        for recorded, keys in touched:
            try:
                for key in keys:
                    rows[key] = fold(key, rows.get(key), recorded)
            except Exception as error:
                raise CannotFold(self.projection.name, recorded, error) from error
            self._unwritten.update(keys)

    def flush(self, connection: Connection) -> None:
        """Write what is not written, and forget it."""
        changed = [(key, self._rows[key]) for key in self._unwritten & self._stored]
        new = [*self._made, *((key, self._rows[key]) for key in self._unwritten - self._stored)]
        rows = rows_of(self.table, connection)
        rows.write(connection, changed)
        rows.fill(connection, [(key, row) for key, row in new if row is not None])
        self._made.clear()
        self._unwritten.clear()
        self._stored.clear()
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
                _make_room(connection, [self])
                applied = batch[-1].position if len(batch) == _BATCH else tracked
            if not check:
                tracking.advance(connection, name, context, applied)
        self.flush(connection)
        if check:
            count, mine = digest(connection, self.table)
            _, other = digest(connection, self.projection.table)
            return Rebuilt(name, self.facts, count, self.seconds, mine, mine == other, other)
        tracking.advance(connection, name, tracking.VERSION, self.projection.version)
        self._take_place(connection)
        for letter in parking.letters(connection, name):
            parking.remove(connection, letter)
        counted = select(func.count()).select_from(self.projection.table)
        return Rebuilt(name, self.facts, connection.execute(counted).scalar_one(), self.seconds)

    def _take_place(self, connection: Connection) -> None:
        live, copy = self.projection.table, self.table.name
        live.drop(connection)
        short(connection, f'ALTER TABLE "{copy}" RENAME TO "{live.name}"')
        if connection.dialect.name == "sqlite":  # does not rename an index
            for index in live.indexes:
                index.create(connection)
            return
        short(connection, f'ALTER INDEX "{copy}_pkey" RENAME TO "{live.name}_pkey"')
        for index in self.indexes:
            name = str(index.name)
            short(connection, f'ALTER INDEX "{name}" RENAME TO "{name.removesuffix(_SUFFIX)}"')


def digest(connection: Connection, table: Table) -> tuple[int, str]:
    """Return the number of rows and a SHA-256 over their stored content in key order."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    statement = f'SELECT {columns} FROM "{table.name}" ORDER BY {keys}'  # noqa: S608 - names from the code
    hashed = hashlib.sha256()
    count = 0
    for rows in _stored_content(connection, statement):
        hashed.update(rows)
        count += 1
    return count, hashed.hexdigest()


def _stored_content(connection: Connection, statement: str) -> Iterator[bytes]:
    """Yield each row a query gives as bytes, never holding many of them."""
    if connection.dialect.name == "sqlite":
        for row in driver(connection).execute(statement):
            yield repr(row).encode()
        return
    with (
        driver(connection).cursor() as cursor,
        cursor.copy(f"COPY ({statement}) TO STDOUT") as copied,
    ):
        for row in copied:
            yield bytes(row)
