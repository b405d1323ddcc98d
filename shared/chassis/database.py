"""Databases: one engine per file or server, transactions that nest by joining."""

import sqlite3
import sys
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
import psycopg
from psycopg.pq import ConnStatus, TransactionStatus
from sqlalchemy import (
    Connection,
    Engine,
    PoolProxiedConnection,
    QueuePool,
    Select,
    StaticPool,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import (
    DisconnectionError,
    InterfaceError,
    OperationalError,
    TimeoutError,  # noqa: A004 - of a pool whose connections are all in use
)

from shared.chassis.arrays import texts
from shared.chassis.direct import Direct
from shared.chassis.lock import KEEPALIVE, WATCHED, AdvisoryLock, FileLock, Lock

__all__ = ["OUTAGE", "Database", "alone", "driver", "is_overdue", "short"]

OUTAGE = (
    InterfaceError,
    OperationalError,
    TimeoutError,
    psycopg.InterfaceError,
    psycopg.OperationalError,
    sqlite3.OperationalError,
)
"""How a database fails that cannot be reached, or is too busy: nothing is wrong with the asker."""

_BEGIN = "annals_begin"
_CACHE_KIB = 16_384
_PATIENCE = 10


class Database(ABC):
    """One database of a service: an SQLite file, or one on a PostgreSQL server.

    On SQLite writing transactions run one after another: each takes the file's write lock at once
    (`BEGIN IMMEDIATE`), so that what it read is still true when it commits; writers of one process
    queue on a lock of their own, writers of other processes on SQLite's.

    On PostgreSQL they run side by side, each seeing what was committed before each of its
    statements (`READ COMMITTED`): what must not change meanwhile is locked or checked by the
    statement that writes.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect: str = engine.dialect.name
        self._local = threading.local()

    @staticmethod
    def sqlite(path: Path | None, *, durable: bool = True) -> "Database":
        """Open the SQLite file at `path`, or a private database in memory when None.

        Args:
            path: the file; created when absent, in write-ahead mode.
            durable: sync every commit to disk (`synchronous=FULL`). False leaves the last commits
                to the operating system: enough for what can be folded again.
        """
        return _SQLite(path, durable=durable)

    @staticmethod
    def postgres(url: str, *, pool: int = 8, within: float | None = None) -> "Database":
        """Open a database on a PostgreSQL server; the first use connects.

        Args:
            url: `postgresql://user:password@host:port/database?sslmode=…`.
            pool: connections kept; up to twice as many are open for moments.
            within: seconds after which the server ends a statement, which fails (`is_overdue`);
                None lets every statement take its time.
        """
        return _Postgres(url, pool, within)

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has a writing transaction open."""
        return getattr(self._local, "connection", None) is not None

    @property
    def in_doubt(self) -> bool:
        """Whether this thread's open transaction has changed what others remember (`doubt`)."""
        return self.in_transaction and self._local.doubted

    def doubt(self) -> None:
        """Note that this thread's open transaction changes what others remember of this database.

        What it reads from now on may be rolled back, and must not be remembered.
        """
        self._local.doubted = True

    @contextmanager
    def transaction(
        self, *, durable: bool = True, holding: str | None = None
    ) -> Iterator[Connection]:
        """Open a writing transaction, or join the one this thread has open.

        Only the outermost block commits; an exception that leaves it rolls everything back. Use
        `part` for a part that may fail alone.

        Args:
            durable: False for what may be lost with the machine's power (never with the process)
                because it is done again: the commit does not wait for the disk.
            holding: what only one transaction at a time may hold; others wait for its end. One that
                is joined must hold it already.
        """
        joined: Connection | None = getattr(self._local, "connection", None)
        if joined is not None:
            yield joined
            return
        with self._writer(durable=durable, holding=holding) as connection, connection.begin():
            self._local.connection, self._local.driver = connection, driver(connection)
            self._local.doubted = False
            try:
                yield connection
            finally:
                self._local.connection = self._local.driver = None

    @contextmanager
    def part(self) -> Iterator[None]:
        """Open a part of this thread's transaction: an exception that leaves it undoes the part."""
        raw = self._local.driver
        raw.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            with suppress(*OUTAGE):
                raw.execute("ROLLBACK TO SAVEPOINT part")
                raw.execute("RELEASE SAVEPOINT part")
            raise
        raw.execute("RELEASE SAVEPOINT part")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a consistent snapshot for reading, or read inside this thread's open transaction."""
        joined: Connection | None = getattr(self._local, "connection", None)
        if joined is not None:
            yield joined
            return
        with self._reader() as connection, connection.begin():
            yield connection

    @contextmanager
    def single(self) -> Iterator[Connection]:
        """Open a connection for one statement, which is consistent by itself."""
        joined: Connection | None = getattr(self._local, "connection", None)
        if joined is not None:
            yield joined
            return
        with self._single() as connection:
            yield connection

    def kept(self, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        """Run one statement that its maker keeps and asks again and again.

        On PostgreSQL it is compiled once and given to the driver itself. Columns come as the driver
        has them: amounts with four decimals.

        Args:
            statement: the same object every time.
            values: of its named parameters.
        """
        with self.single() as connection:
            return connection.execute(statement, values).all()

    def fetch(
        self, statement: str, values: Sequence[Any] = (), *, repeatable: bool = True
    ) -> list[Any]:
        """Run one query in the driver itself and return its rows.

        For the short reads every command makes: a single statement is consistent by itself and
        needs no transaction around it. Inside this thread's transaction it reads there.

        Args:
            statement: plain SQL with `?` for values.
            values: the values.
            repeatable: False for a statement that must not run a second time by itself, when the
                connection was lost and it is unknown whether it ran.
        """
        joined = getattr(self._local, "driver", None)
        if joined is not None:
            return _rows(joined, statement, values)
        return self._fetch(statement, values, repeatable=repeatable)

    @abstractmethod
    def among(self, columns: Sequence[str], *values: Sequence[str]) -> tuple[str, list[Any]]:
        """Return the condition that columns have one of many texts, for `fetch`, and its values.

        Args:
            columns: their names.
            values: of each column; those at the same place belong together.
        """

    @property
    def in_use(self) -> int:
        """How many connections of the pool are at work."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    @abstractmethod
    def lock(self, name: str) -> "Lock":
        """Return a lock that one holder at most has, over all processes on this database.

        It is not taken yet. A database in memory has one process; its locks are free.

        Args:
            name: what is locked, e.g. `relay leads`; without a slash.
        """

    @abstractmethod
    def close(self) -> None:
        """Close every connection that is not in use."""

    @abstractmethod
    def _writer(
        self, *, durable: bool, holding: str | None
    ) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _reader(self) -> AbstractContextManager[Connection]: ...

    def _single(self) -> AbstractContextManager[Connection]:
        return self._reader()

    @abstractmethod
    def _fetch(self, statement: str, values: Sequence[Any], *, repeatable: bool) -> list[Any]: ...


class _SQLite(Database):
    def __init__(self, path: Path | None, *, durable: bool) -> None:
        arguments: dict[str, Any] = {
            "connect_args": {"isolation_level": None, "timeout": 30, "check_same_thread": False},
            **_json(_from_json),
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

        _begin_by_option(engine)
        super().__init__(engine)
        self._path = path
        self._syncs = durable and path is not None
        self._writing = threading.RLock()
        self._exclusive_reads = path is None
        self._idle: deque[sqlite3.Connection] = deque()
        self._kept: Connection | None = None

    @contextmanager
    def _writer(self, *, durable: bool, holding: str | None) -> Iterator[Connection]:
        with (
            self._writing,
            self._writer_kept() as connection,
            self._unsynced(connection, wanted=not durable),
        ):
            yield connection

    @contextmanager
    def _writer_kept(self) -> Iterator[Connection]:
        """Give the writer's connection: kept open, for opening one takes longer than most writes.

        After a failure it is closed, so that nothing of a failed transaction can linger.
        """
        if self._kept is None:
            self._kept = self.engine.connect().execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        try:
            yield self._kept
        except BaseException:
            self._kept.close()
            self._kept = None
            raise

    @contextmanager
    def _unsynced(self, connection: Connection, *, wanted: bool) -> Iterator[None]:
        if not (wanted and self._syncs):
            yield
            return
        driver(connection).execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            driver(connection).execute("PRAGMA synchronous=FULL")

    @contextmanager
    def _reader(self) -> Iterator[Connection]:
        # In memory readers share the writer's only connection.
        guard: AbstractContextManager[Any] = (
            self._writing if self._exclusive_reads else nullcontext()
        )
        with guard, self.engine.connect() as connection:
            yield connection

    def _fetch(self, statement: str, values: Sequence[Any], *, repeatable: bool) -> list[Any]:
        if self._exclusive_reads:
            with self.read() as connection:
                return _rows(driver(connection), statement, values)
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

    def among(self, columns: Sequence[str], *values: Sequence[str]) -> tuple[str, list[Any]]:
        if len(columns) == 1:
            return f"{columns[0]} IN ({','.join('?' * len(values[0]))})", list(values[0])
        mark = f"({','.join('?' * len(columns))})"
        marks = ",".join([mark] * len(values[0]))
        listed = [value for row in zip(*values, strict=True) for value in row]
        return f"({','.join(columns)}) IN (VALUES {marks})", listed

    def lock(self, name: str) -> "Lock":
        if self._path is None:
            return Lock()
        return FileLock(self._path.with_name(f"{self._path.name}-{name.replace(' ', '-')}.lock"))

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
        with self._writing:
            if self._kept is not None:
                self._kept.close()
                self._kept = None
        self.engine.dispose()


class _Postgres(Database):
    def __init__(self, url: str, pool: int, within: float | None) -> None:
        engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            connect_args={
                "autocommit": True,  # transactions begin where `transaction` and `read` say so
                "application_name": "annals",
                "connect_timeout": _PATIENCE,
                **KEEPALIVE,
            },
            pool_size=pool,
            max_overflow=pool,
            pool_timeout=_PATIENCE,
            pool_use_lifo=True,
            pool_reset_on_return=None,
            **_json(orjson.loads),
        )
        event.listen(engine, "connect", partial(_session, within))
        event.listen(engine, "checkout", _refuse_stale)
        _begin_by_option(engine)
        super().__init__(engine)
        self._engine_for = lru_cache(64)(self._writing_engine)
        self._snapshot = engine.execution_options(
            **{_BEGIN: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}
        )
        self._lone = engine.execution_options(**{_BEGIN: ""})
        self._compiled = lru_cache(1024)(self._compile)
        self._is_green = "eventlet" in sys.modules
        """Whether a statement has to let other green threads run while it waits."""
        self._most_spare = pool // 2
        self._spare: deque[_Lent] = deque()
        """Connections of the pool that wait for the next short statement, and spare it the pool's
        own work; half of the pool at most."""

    def _writer(self, *, durable: bool, holding: str | None) -> AbstractContextManager[Connection]:
        return self._engine_for(durable, holding).connect()

    def _writing_engine(self, durable: bool, holding: str | None) -> Engine:  # noqa: FBT001 - kept by its arguments
        """Return an engine whose transactions begin with everything they need, at one go."""
        begin = ["BEGIN ISOLATION LEVEL READ COMMITTED"]
        if not durable:
            begin.append("SET LOCAL synchronous_commit TO off")
        if holding is not None:
            name = holding.replace("'", "''")
            begin.append(f"SELECT pg_advisory_xact_lock(hashtextextended('{name}', 0))")
        return self.engine.execution_options(**{_BEGIN: "; ".join(begin)})

    def _reader(self) -> AbstractContextManager[Connection]:
        return self._snapshot.connect()

    def _single(self) -> AbstractContextManager[Connection]:
        return self._lone.connect()

    def kept(self, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        if self.in_transaction:
            return super().kept(statement, values)
        text, fixed = self._compiled(statement)
        return self._run(text, {**fixed, **values}, repeatable=True)

    def _compile(self, statement: Select[Any]) -> tuple[str, Mapping[str, Any]]:
        compiled = statement.compile(self.engine)
        return compiled.string, compiled.params

    def _fetch(self, statement: str, values: Sequence[Any], *, repeatable: bool) -> list[Any]:
        return self._run(_percent(statement), values, repeatable=repeatable)

    def _run(
        self, text: str, values: Sequence[Any] | Mapping[str, Any], *, repeatable: bool
    ) -> list[Any]:
        lent = self._lent()
        try:
            rows = self._rows(lent, text, values)
        except psycopg.OperationalError:
            lost = _broken(lent.raw)
            lent.pooled.close()
            if not (repeatable and lost):
                raise
        except BaseException:
            lent.pooled.close()
            raise
        else:
            self._take_back(lent)
            return rows
        with closing(self.engine.raw_connection()) as fresh:  # its connection was lost meanwhile
            return _fetched(fresh.driver_connection, text, values)

    def _rows(
        self, lent: "_Lent", text: str, values: Sequence[Any] | Mapping[str, Any]
    ) -> list[Any]:
        if self._is_green:
            return _fetched(lent.raw, text, values)
        direct = lent.pooled.info.get(Direct)
        if direct is None:
            direct = lent.pooled.info[Direct] = Direct(lent.raw)
        return direct.rows(text, values)

    def _lent(self) -> "_Lent":
        """Return a connection for one statement."""
        with suppress(IndexError):
            while True:
                lent = self._spare.pop()
                if _is_idle(lent.raw):
                    return lent
                lent.pooled.close()
        pooled = self.engine.raw_connection()
        return _Lent(pooled, pooled.driver_connection)

    def _take_back(self, lent: "_Lent") -> None:
        if len(self._spare) < self._most_spare:
            self._spare.append(lent)
        else:
            lent.pooled.close()

    @property
    def in_use(self) -> int:
        return super().in_use - len(self._spare)

    def among(self, columns: Sequence[str], *values: Sequence[str]) -> tuple[str, list[Any]]:
        # One parameter however many there are: the statement stays the same and is prepared once.
        arrays: list[Any] = [texts(some) for some in values]
        if len(columns) == 1:
            return f"{columns[0]} = ANY(?)", arrays
        marks = ",".join("?" * len(columns))
        return f"({','.join(columns)}) IN (SELECT * FROM unnest({marks}))", arrays  # noqa: S608 - only marks

    def lock(self, name: str) -> "Lock":
        url = self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return AdvisoryLock(url, name)

    def close(self) -> None:
        while self._spare:
            self._spare.pop().pooled.close()
        self.engine.dispose()


class _Lent(NamedTuple):
    """A connection of the pool, and the driver's own."""

    pooled: PoolProxiedConnection
    raw: Any


def is_overdue(error: BaseException) -> bool:
    """Whether a statement was ended because it ran longer than it may."""
    return isinstance(getattr(error, "orig", error), psycopg.errors.QueryCanceled)


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
    raw = driver(connection)
    if len(rows) > 1:
        sqlite = isinstance(raw, sqlite3.Connection)
        raw.cursor().executemany(statement if sqlite else _percent(statement), rows)
        return []
    return _rows(raw, statement, *rows)


def alone(connection: Connection) -> None:
    """Have others who are about to create tables wait until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1634627169, 2)")


def driver(connection: Connection) -> Any:
    """Return the driver's own connection: `sqlite3.Connection` or `psycopg.Connection`."""
    return connection.connection.driver_connection


def _rows(raw: Any, statement: str, values: Sequence[Any] = ()) -> list[Any]:
    if isinstance(raw, sqlite3.Connection):
        return raw.execute(statement, values).fetchall()
    return _fetched(raw, _percent(statement), values)


def _fetched(raw: Any, text: str, values: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
    cursor = raw.execute(text, values, binary=True)
    return cursor.fetchall() if cursor.pgresult.nfields else []


@lru_cache(1024)
def _percent(statement: str) -> str:
    return statement.replace("%", "%%").replace("?", "%s")


def _begin_by_option(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get(_BEGIN, "BEGIN")
        if not statement:
            return
        raw = driver(connection)
        if isinstance(raw, sqlite3.Connection):
            raw.execute(statement)
        else:
            raw.execute(statement, prepare=False)


def _session(within: float | None, raw: psycopg.Connection[Any], _record: object) -> None:
    """Say what must not depend on the server's defaults.

    Single statements see what was committed before them, and moments come in UTC.
    """
    raw.execute(
        f"SET default_transaction_isolation TO 'read committed'; SET TIME ZONE 'UTC'; {WATCHED}",
        prepare=False,
    )
    if within is not None:
        limit = max(1, round(within * 1000))
        raw.execute(f"SET statement_timeout TO {limit}", prepare=False)


def _refuse_stale(raw: psycopg.Connection[Any], _record: object, _proxy: object) -> None:
    """Have the pool replace a connection that the server closed while it was idle."""
    if not _is_idle(raw):
        raise DisconnectionError("the server closed the connection")


def _is_idle(raw: Any) -> bool:
    """Whether a connection is there, and nothing is under way on it."""
    return not _broken(raw) and raw.pgconn.transaction_status == TransactionStatus.IDLE


def _broken(raw: Any) -> bool:
    """Whether the connection is lost, as far as it can be known without asking the server.

    A server that ends a session sends a word of farewell and closes: the first look reads the
    word, the second meets the end.
    """
    with suppress(psycopg.OperationalError):
        raw.pgconn.consume_input()
        raw.pgconn.consume_input()
    return bool(raw.pgconn.status != ConnStatus.OK)


def _from_json(stored: Any) -> Any:
    try:
        return orjson.loads(stored)
    except orjson.JSONDecodeError:
        if isinstance(stored, int | float):  # SQLite keeps a JSON column's bare numbers as numbers
            return stored
        raise


def _json(deserializer: Callable[[Any], Any]) -> dict[str, Any]:
    return {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": deserializer,
    }
