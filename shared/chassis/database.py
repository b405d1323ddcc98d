"""Databases: one engine per file or server, transactions that nest by joining."""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import orjson
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event

__all__ = ["Database", "short"]

_WRITE = "annals_write"
_CACHE_KIB = 16_384


class Database:
    """One database of a service, with writing transactions that run one after another.

    On SQLite a writing transaction takes the file's write lock at once (`BEGIN IMMEDIATE`), so that
    what it read is still true when it commits; writers of one process queue on a lock of their own,
    writers of other processes on SQLite's.

    Args:
        engine: a SQLAlchemy engine prepared by one of the constructors below.
        exclusive_reads: True when readers share the writer's only connection (in memory).
        syncs: True when commits are synced to disk and some may do without.
    """

    def __init__(
        self, engine: Engine, *, exclusive_reads: bool = False, syncs: bool = False
    ) -> None:
        self.engine = engine
        self._syncs = syncs
        self.dialect: str = engine.dialect.name
        self._writing = threading.RLock()
        self._exclusive_reads = exclusive_reads
        self._local = threading.local()
        self._idle: deque[sqlite3.Connection] = deque()
        self._writer: Connection | None = None

    @classmethod
    def sqlite(cls, path: Path | None, *, durable: bool = True) -> "Database":
        """Open the SQLite file at `path`, or a private database in memory when None.

        Args:
            path: the file; created when absent, in write-ahead mode.
            durable: sync every commit to disk (`synchronous=FULL`). False leaves the last commits
                to the operating system: enough for what can be folded again.
        """
        arguments: dict[str, Any] = {
            "connect_args": {"isolation_level": None, "timeout": 30, "check_same_thread": False},
            "json_serializer": lambda value: orjson.dumps(value).decode(),
            "json_deserializer": _from_json,
        }
        if path is None:
            engine = create_engine("sqlite://", poolclass=StaticPool, **arguments)
        else:
            engine = create_engine(f"sqlite:///{path}", pool_size=8, max_overflow=64, **arguments)

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            if path is not None:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
                connection.execute("PRAGMA temp_store=MEMORY")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            write = connection.get_execution_options().get(_WRITE)
            _driver(connection).execute("BEGIN IMMEDIATE" if write else "BEGIN")

        return cls(engine, exclusive_reads=path is None, syncs=durable and path is not None)

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has a writing transaction open."""
        return getattr(self._local, "connection", None) is not None

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        """Open a writing transaction, or join the one this thread has open.

        Only the outermost block commits; an exception that leaves it rolls everything back. Use
        `connection.begin_nested()` for a part that may fail alone.

        Args:
            durable: False for what may be lost with the machine's power (never with the process)
                because it is done again: the commit does not wait for the disk.
        """
        joined: Connection | None = getattr(self._local, "connection", None)
        if joined is not None:
            yield joined
            return
        with (
            self._writing,
            self._writer_kept() as connection,
            self._unsynced(connection, wanted=not durable),
            connection.begin(),
        ):
            self._local.connection, self._local.driver = connection, _driver(connection)
            try:
                yield connection
            finally:
                self._local.connection = self._local.driver = None

    @contextmanager
    def _writer_kept(self) -> Iterator[Connection]:
        """Give the writer's connection: kept open, for opening one takes longer than most writes.

        After a failure it is closed, so that nothing of a failed transaction can linger.
        """
        if self._writer is None:
            self._writer = self.engine.connect().execution_options(**{_WRITE: True})
        try:
            yield self._writer
        except BaseException:
            self._writer.close()
            self._writer = None
            raise

    @contextmanager
    def _unsynced(self, connection: Connection, *, wanted: bool) -> Iterator[None]:
        if not (wanted and self._syncs):
            yield
            return
        _driver(connection).execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            _driver(connection).execute("PRAGMA synchronous=FULL")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a consistent snapshot for reading, or read inside this thread's open transaction."""
        joined: Connection | None = getattr(self._local, "connection", None)
        if joined is not None:
            yield joined
            return
        guard: AbstractContextManager[Any] = (
            self._writing if self._exclusive_reads else nullcontext()
        )
        with guard, self.engine.connect() as connection, connection.begin():
            yield connection

    def fetch(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run one SQLite query in the driver itself and return its rows.

        For the short reads every command makes: a single statement is consistent by itself and
        needs no transaction around it. Inside this thread's transaction it reads there.
        """
        joined: sqlite3.Connection | None = getattr(self._local, "driver", None)
        if joined is not None:
            return joined.execute(statement, values).fetchall()
        if self._exclusive_reads:
            with self.read() as connection:
                return _driver(connection).execute(statement, values).fetchall()
        try:
            raw = self._idle.pop()
        except IndexError:
            pooled = self.engine.raw_connection()
            raw = cast(sqlite3.Connection, pooled.driver_connection)
            pooled.detach()
        try:
            return raw.execute(statement, values).fetchall()
        finally:
            self._idle.append(raw)

    def close(self) -> None:
        """Close every connection that is not in use."""
        while self._idle:
            self._idle.pop().close()
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self.engine.dispose()


def short(connection: Connection, statement: str, *rows: Sequence[Any]) -> list[Any]:
    """Run a short statement in the driver itself, inside the connection's transaction.

    For the few statements that run with every slice of facts, where building and caching an
    expression would cost more than the database does.

    Args:
        connection: an open transaction or read.
        statement: plain SQL with `?` for values.
        rows: the values; several rows run it several times and return nothing.

    Returns:
        The rows it gives.
    """
    if connection.dialect.name != "sqlite":
        statement = statement.replace("?", "%s")
        if len(rows) > 1:
            connection.exec_driver_sql(statement, [tuple(row) for row in rows])
            return []
        result = connection.exec_driver_sql(statement, tuple(*rows))
        return list(result) if result.returns_rows else []
    driver = _driver(connection)
    if len(rows) > 1:
        driver.executemany(statement, rows)
        return []
    return driver.execute(statement, *rows).fetchall()


def _from_json(stored: Any) -> Any:
    try:
        return orjson.loads(stored)
    except orjson.JSONDecodeError:
        if isinstance(stored, int | float):  # SQLite keeps a JSON column's bare numbers as numbers
            return stored
        raise


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)
