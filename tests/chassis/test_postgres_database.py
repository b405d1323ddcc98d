"""A database on PostgreSQL: transactions that join, snapshots, connections that break, locks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolExhausted

from shared.chassis.database import OUTAGE, Database, short
from shared.chassis.direct import Direct
from shared.chassis.shapes import Instant

pytestmark = [pytest.mark.capability("PLT-01"), pytest.mark.servers]


@pytest.fixture
def database(postgres_database: str) -> Iterator[Database]:
    database = Database.postgres(postgres_database, pool=2)
    with database.transaction() as connection:
        short(connection, "CREATE TABLE notes (number int PRIMARY KEY, note text)")
    yield database
    database.close()


def _write(database: Database, *numbers: int) -> None:
    with database.transaction() as connection:
        short(connection, "INSERT INTO notes VALUES (?, ?)", *((n, f"{n} %") for n in numbers))


def _numbers(database: Database) -> list[int]:
    return [number for (number,) in database.fetch("SELECT number FROM notes ORDER BY 1")]


def _end_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid != pg_backend_pid()"
        )


def test_a_transaction_joins_the_one_that_is_open(database: Database) -> None:
    with pytest.raises(InterruptedError), database.transaction():  # noqa: PT012
        _write(database, 1)
        assert database.in_transaction
        assert _numbers(database) == [1]
        with database.read() as connection:
            assert short(connection, "SELECT count(*) FROM notes") == [(1,)]
        raise InterruptedError
    assert not database.in_transaction
    assert _numbers(database) == []


def test_a_part_may_fail_alone(database: Database) -> None:
    with database.transaction() as connection:
        _write(database, 1)
        with pytest.raises(psycopg.errors.UniqueViolation), connection.begin_nested():
            _write(database, 2, 1)
        _write(database, 3)
    assert _numbers(database) == [1, 3]


def test_writers_do_not_wait_for_each_other(database: Database) -> None:
    with database.transaction(), ThreadPoolExecutor(1) as pool:
        _write(database, 1)
        pool.submit(_write, database, 2).result(timeout=30)
        assert _numbers(database) == [1, 2]
    assert _numbers(database) == [1, 2]


def test_a_read_sees_one_moment_and_changes_nothing(database: Database) -> None:
    with database.read() as connection:
        assert short(connection, "SELECT count(*) FROM notes") == [(0,)]
        _write(database, 1)
        assert short(connection, "SELECT count(*) FROM notes") == [(0,)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            short(connection, "DELETE FROM notes")
    assert _numbers(database) == [1]


@pytest.mark.parametrize(("durable", "said"), [(True, "on"), (False, "off")])
def test_a_commit_waits_for_the_disk_where_it_must(
    database: Database, durable: bool, said: str
) -> None:
    with database.transaction(durable=durable) as connection:
        assert short(connection, "SHOW synchronous_commit") == [(said,)]
        assert short(connection, "SHOW transaction_isolation") == [("read committed",)]
    assert database.fetch("SHOW synchronous_commit") == [("on",)]


def test_moments_come_in_utc_wherever_the_server_is(postgres_database: str) -> None:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone TO %L', "
            "current_database(), 'Asia/Shanghai'); END $$"
        )
    database = Database.postgres(postgres_database, pool=1)
    with database.read() as reading:
        evening = text("SELECT timestamptz '2024-01-01 20:00+08' AS at").columns(at=Instant)
        (found,) = reading.execute(evening).scalars()
    database.close()
    assert found == datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert found.tzinfo is UTC


def test_marks_and_percents_mean_what_they_mean_on_sqlite(database: Database) -> None:
    for some in (database, Database.sqlite(None)):
        assert some.fetch("SELECT 7 % CAST(? AS int), '%s'", (4,)) == [(3, "%s")]


@pytest.mark.parametrize("green", [False, True])
def test_values_come_back_as_they_went(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, green: bool
) -> None:
    monkeypatch.setattr(database, "_is_green", green)
    at = datetime(2026, 3, 1, 8, 30, 0, 120000, UTC)
    given = (
        1,
        2**40,
        "王%芳",
        None,
        b"\x00\xff",
        at,
        at.date(),
        Decimal("1.5000"),
        True,
        ["a", "b"],
    )
    kinds = ("int", "bigint", "text", "text", "bytea", "timestamptz", "date", "numeric", "bool")
    columns = ", ".join(f"?::{kind}" for kind in (*kinds, "text[]"))
    for _ in range(3):
        assert database.fetch(f"SELECT {columns}", given) == [given]
    assert database.fetch("SELECT 1 WHERE false") == []
    assert database.fetch("INSERT INTO notes VALUES (?, ?)", (1, None)) == []
    with pytest.raises(psycopg.errors.UniqueViolation) as refusal:
        database.fetch("INSERT INTO notes VALUES (?, ?)", (1, "again"))
    assert refusal.value.diag.constraint_name == "notes_pkey"
    with pytest.raises(psycopg.errors.UndefinedTable):
        database.fetch("SELECT 1 FROM nowhere")
    assert database.fetch("SELECT * FROM notes") == [(1, None)]


def test_more_statements_are_asked_than_are_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_is_green", False)
    monkeypatch.setattr(Direct, "KEPT", 3)
    for number in (0, 1, 2, 3, 0, 4, 5, 0, 1):
        assert database.fetch(f"SELECT {number}, ?::int", (7,)) == [(number, 7)]
    ((kept,),) = database.fetch("SELECT count(*) FROM pg_prepared_statements")
    assert kept == 3


def test_a_statement_prepared_before_a_rollback_is_asked_again(postgres_database: str) -> None:
    database = Database.postgres(postgres_database, pool=1)  # one connection does everything
    for _ in range(2):
        with pytest.raises(InterruptedError), database.transaction() as connection:  # noqa: PT012
            for _ in range(10):  # often enough for the driver to prepare it, and to drop it
                connection.exec_driver_sql("SELECT 1").all()
            raise InterruptedError
        assert database.fetch("SELECT 2") == [(2,)]
    database.close()


def test_a_table_may_become_another_one(database: Database) -> None:
    _write(database, 1)
    assert database.fetch("SELECT * FROM notes") == [(1, "1 %")]
    with database.transaction() as connection:
        short(connection, "ALTER TABLE notes ADD COLUMN author text")
    assert database.fetch("SELECT * FROM notes") == [(1, "1 %", None)]


@pytest.mark.parametrize("green", [False, True])
def test_a_session_that_ends_amid_a_statement_is_an_outage(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, green: bool
) -> None:
    monkeypatch.setattr(database, "_is_green", green)
    for _ in range(2):
        with pytest.raises(OUTAGE):
            database.fetch("SELECT pg_terminate_backend(pg_backend_pid())", repeatable=False)
        assert database.fetch("SELECT 1") == [(1,)]


def test_ended_sessions_are_replaced_unnoticed(database: Database, postgres_database: str) -> None:
    _end_sessions(postgres_database)
    _write(database, 1)
    _end_sessions(postgres_database)
    with database.read() as connection:
        assert connection.execute(text("SELECT number FROM notes")).scalars().all() == [1]
    _end_sessions(postgres_database)
    assert _numbers(database) == [1]


def test_a_session_ended_in_a_transaction_takes_it_back(
    database: Database, postgres_database: str
) -> None:
    with pytest.raises(OUTAGE), database.transaction():  # noqa: PT012
        _write(database, 1)
        _end_sessions(postgres_database)
        _write(database, 2)
    assert not database.in_transaction
    assert _numbers(database) == []


def test_a_pool_in_use_lends_as_much_again_and_then_says_so(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.database._PATIENCE", 1)
    database = Database.postgres(postgres_database, pool=1)
    with database.read(), database.read(), pytest.raises(PoolExhausted), database.read():
        pass
    assert database.fetch("SELECT 1") == [(1,)]
    database.close()
    assert issubclass(PoolExhausted, OUTAGE)


def test_the_server_looks_whether_its_client_is_still_there(database: Database) -> None:
    settings = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_user_timeout")
    with database.transaction() as connection:
        told = [short(connection, f"SHOW {name}") for name in settings]
    assert told == [[("15",)], [("5",)], [("30000",)]]


def test_a_lock_is_lost_with_its_connection(database: Database, postgres_database: str) -> None:
    first, second = database.lock("relay"), database.lock("relay")
    assert first.take()
    _end_sessions(postgres_database)
    assert second.take()
    assert not first.take()
    second.release()
    assert first.take()
    first.release()
