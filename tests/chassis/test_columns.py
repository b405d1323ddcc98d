"""Money stays exact and times stay aware, whatever is added up or compared."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Integer, MetaData, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError

from shared.chassis.database import Database
from shared.chassis.shapes import Amount, Instant
from tests.servers.ground import Ground

till = Table(
    "till",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("amount", Amount),
    Column("at", Instant),
)
DIALECTS = [sqlite.dialect(), postgresql.dialect()]  # type: ignore[no-untyped-call]

amounts = st.decimals(-(10**12), 10**12, places=4)
zones = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001


@pytest.fixture(scope="module")
def database(ground: Ground) -> Iterator[Database]:
    opened = ground.database()
    with opened.transaction() as connection:
        till.create(connection)
    yield opened
    opened.close()


def kept(connection: Connection, column: str, values: Sequence[Any]) -> list[Any]:
    connection.execute(till.delete())
    for number, value in enumerate(values):
        connection.execute(till.insert().values(id=number, **{column: value}))
    return list(connection.execute(select(till.c[column]).order_by(till.c.id)).scalars())


@given(st.lists(amounts, min_size=1, max_size=8), amounts)
def test_sums_and_comparisons_are_exact(
    database: Database, values: Sequence[Decimal], bound: Decimal
) -> None:
    with database.transaction() as connection:
        assert kept(connection, "amount", values) == values
        amount = till.c.amount
        assert connection.execute(select(func.sum(amount))).scalar_one() == sum(values)
        assert connection.execute(select(func.max(amount))).scalar_one() == max(values)
        below = connection.execute(select(amount).where(amount < bound)).scalars().all()
        assert sorted(below) == sorted(value for value in values if value < bound)


def test_thirty_cents_are_thirty_cents(database: Database) -> None:
    with database.transaction() as connection:
        kept(connection, "amount", [Decimal("0.1"), Decimal("0.2")])
        assert connection.execute(select(func.sum(till.c.amount))).scalar_one() == Decimal("0.3")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    "wrong", ["0.00001", "1.23456", "-3.14159", "1.00000000000000000000000000000001", "NaN"]
)
def test_more_decimals_than_four_are_an_error(dialect: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"decimals|NaN"):
        Amount().process_bind_param(Decimal(wrong), dialect)


@pytest.mark.parametrize(
    ("dialect", "stored"), list(zip(DIALECTS, [15_000, Decimal("1.5")], strict=True))
)
def test_zeros_behind_the_fourth_decimal_are_none(dialect: Any, stored: Any) -> None:
    assert Amount().process_bind_param(Decimal("1.500000"), dialect) == stored


def test_a_wrong_amount_is_not_stored(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(StatementError):
        kept(connection, "amount", [Decimal("0.00001")])


@given(st.lists(moments, min_size=1, max_size=6), moments)
def test_moments_keep_their_place_in_time_and_their_order(
    database: Database, values: Sequence[datetime], bound: datetime
) -> None:
    with database.transaction() as connection:
        read = kept(connection, "at", values)
        assert read == values
        assert {moment.utcoffset() for moment in read} == {timedelta(0)}
        at = till.c.at
        ordered = connection.execute(select(at).order_by(at)).scalars().all()
        assert ordered == sorted(values)
        before = connection.execute(select(at).where(at <= bound)).scalars().all()
        assert sorted(before) == sorted(value for value in values if value <= bound)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_moment_without_a_zone_is_an_error(dialect: Any) -> None:
    naive = datetime(2024, 1, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="no time zone"):
        Instant().process_bind_param(naive, dialect)


def test_nothing_stays_nothing(database: Database) -> None:
    with database.transaction() as connection:
        assert kept(connection, "amount", [None]) == [None]
        assert kept(connection, "at", [None]) == [None]
