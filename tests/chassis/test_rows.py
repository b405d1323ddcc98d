"""What is written to a row is read back, by the engine's own way as by SQLAlchemy's."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
)

from shared.chassis.database import Database
from shared.chassis.projections.rebuild import digest
from shared.chassis.projections.rows import rows_of
from shared.chassis.shapes import Amount, Instant, Key, Row
from shared.chassis.shapes.columns import portable
from tests.servers.ground import Ground

things = portable(
    Table(
        "things",
        MetaData(),
        Column("order", String, primary_key=True),  # a word of SQL, on purpose
        Column("at", Instant, primary_key=True),
        Column("day", Date, primary_key=True),
        Column("amount", Amount, primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("flag", Boolean, primary_key=True),
        Column("text", Text),
        Column("count", Integer),
        Column("ratio", Float),
        Column("open", Boolean),
        Column("price", Amount),
        Column("since", Instant),
        Column("due", Date),
        Column("items", JSON),
    )
)
links = portable(
    Table(
        "links",
        MetaData(),
        Column("one", String, primary_key=True),
        Column("other", String, primary_key=True),
    )
)
KEYS = [column.name for column in things.primary_key.columns]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
numbers = st.integers(-(2**63), 2**63 - 1)
amounts = st.decimals(-(10**14) + 1, 10**14 - 1, places=4)
zones = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-5))])
moments = st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=zones)  # noqa: DTZ001
floats = st.floats(allow_nan=False)
json = st.recursive(
    st.none() | st.booleans() | numbers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)

keys = st.tuples(texts, moments, st.dates(), amounts, numbers, st.booleans())
rests = st.fixed_dictionaries(
    {
        "text": st.none() | texts,
        "count": st.none() | numbers,
        "ratio": st.none() | floats,
        "open": st.none() | st.booleans(),
        "price": st.none() | amounts,
        "since": st.none() | moments,
        "due": st.none() | st.dates(),
        # No bare numbers: SQLite keeps them as its own, the last digit is not safe.
        "items": st.none() | st.lists(json, max_size=3) | st.dictionaries(texts, json, max_size=3),
    }
)
written = st.lists(st.tuples(keys, rests), max_size=5, unique_by=lambda pair: pair[0])


@pytest.fixture(scope="module")
def database(ground: Ground) -> Iterator[Database]:
    opened = ground.database()
    with opened.transaction() as connection:
        things.create(connection)
        links.create(connection)
    yield opened
    opened.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.transaction() as opened:
        savepoint = opened.begin_nested()
        yield opened
        savepoint.rollback()


def whole(key: Key, rest: Row) -> dict[str, Any]:
    return {**dict(zip(KEYS, key, strict=True)), **rest}


def as_sqlalchemy_reads(connection: Connection) -> dict[Key, Row]:
    found = connection.execute(select(things)).mappings()
    return {tuple(row[name] for name in KEYS): dict(row) for row in found}


@given(written, written, st.data())
def test_rows_are_what_was_written_last(
    database: Database,
    first: Sequence[tuple[Key, Row]],
    second: Sequence[tuple[Key, Row]],
    data: st.DataObject,
) -> None:
    gone = data.draw(st.lists(st.sampled_from([k for k, _ in first]), unique=True)) if first else []
    changed = (
        data.draw(st.lists(st.tuples(st.sampled_from([k for k, _ in first]), rests), max_size=3))
        if first
        else []
    )
    expected: dict[Key, Row] = {key: whole(key, rest) for key, rest in first}
    later: dict[Key, Row | None] = dict.fromkeys(gone)
    later |= {key: whole(key, rest) for key, rest in [*second, *changed]}
    with database.transaction() as connection:
        savepoint = connection.begin_nested()
        rows = rows_of(things, connection)
        rows.write(connection, expected.items())
        rows.write(connection, later.items())
        expected = {key: row for key, row in {**expected, **later}.items() if row is not None}
        everything = list({**dict(first), **later})
        assert rows.load(connection, everything) == expected
        assert as_sqlalchemy_reads(connection) == expected
        savepoint.rollback()


@given(written)
def test_rows_that_fill_a_table_are_those_that_are_written(
    database: Database, some: Sequence[tuple[Key, Row]]
) -> None:
    with database.transaction() as connection:
        savepoint = connection.begin_nested()
        rows_of(things, connection).fill(connection, some)
        assert as_sqlalchemy_reads(connection) == {key: whole(key, rest) for key, rest in some}
        filled = digest(connection, things)
        connection.execute(things.delete())
        rows_of(things, connection).write(connection, some)
        assert digest(connection, things) == filled
        savepoint.rollback()


@given(st.lists(st.tuples(texts, texts), min_size=16, max_size=40, unique=True))
def test_many_rows_of_nothing_but_their_keys_fill_a_table(
    database: Database, some: Sequence[Key]
) -> None:
    with database.transaction() as connection:
        savepoint = connection.begin_nested()
        rows_of(links, connection).fill(connection, [(key, {}) for key in some])
        found = connection.execute(select(links.c.one, links.c.other))
        assert {tuple(row) for row in found} == set(some)
        savepoint.rollback()


@pytest.mark.parametrize("odd", ["a\tb", "a\nb", "a\\b", "a\rb", "\\N", "\\."])
def test_a_key_may_hold_what_separates_keys(connection: Connection, odd: str) -> None:
    some: list[Key] = [(str(number), "b") for number in range(20)] + [(odd, odd)]
    rows_of(links, connection).fill(connection, [(key, {}) for key in some])
    assert set(rows_of(links, connection).load(connection, some)) == set(some)


@given(written)
def test_rows_that_sqlalchemy_wrote_are_read_alike(
    database: Database, some: Sequence[tuple[Key, Row]]
) -> None:
    with database.transaction() as connection:
        savepoint = connection.begin_nested()
        for key, rest in some:
            connection.execute(insert(things).values(**whole(key, rest)))
        found = rows_of(things, connection).load(connection, [key for key, _ in some])
        assert found == {key: whole(key, rest) for key, rest in some}
        savepoint.rollback()


def test_the_key_counts_whatever_the_row_says(connection: Connection) -> None:
    rows = rows_of(links, connection)
    rows.write(connection, [(("a", "b"), {"one": "x", "other": "y"}), (("a", "c"), {})])
    assert set(rows.load(connection, [("a", "b"), ("a", "c"), ("x", "y")])) == {
        ("a", "b"),
        ("a", "c"),
    }


def test_a_row_of_nothing_but_its_key_may_be_written_again(connection: Connection) -> None:
    rows = rows_of(links, connection)
    for _ in range(2):
        rows.write(connection, [(("a", "b"), {})])
    assert rows.load(connection, [("a", "b"), ("b", "a")]) == {
        ("a", "b"): {"one": "a", "other": "b"}
    }


def test_keys_are_matched_whole(connection: Connection) -> None:
    rows = rows_of(links, connection)
    rows.write(connection, [(("a", "1"), {}), (("b", "2"), {})])
    assert rows.load(connection, [("a", "2"), ("b", "1")]) == {}
    rows.write(connection, [(("a", "2"), None)])
    assert len(rows.load(connection, [("a", "1"), ("b", "2")])) == 2


def test_many_keys_are_loaded_at_once(connection: Connection) -> None:
    rows = rows_of(links, connection)
    made = [(str(number), "红") for number in range(3000)]
    rows.write(connection, [(key, {}) for key in made])
    assert len(rows.load(connection, made)) == 3000
    rows.write(connection, [(key, None) for key in made[1:]])
    assert list(rows.load(connection, made)) == made[:1]


def test_what_a_row_does_not_say_is_empty(connection: Connection) -> None:
    key = ("a", datetime(2024, 1, 1, tzinfo=UTC), date(2024, 1, 1), Decimal(1), 1, True)
    rows = rows_of(things, connection)
    rows.write(connection, [(key, {"text": "a", "items": [1]})])
    rows.write(connection, [(key, {"count": 2})])
    kept: Mapping[str, Any] = rows.load(connection, [key])[key]
    assert (kept["text"], kept["count"], kept["items"]) == (None, 2, None)
