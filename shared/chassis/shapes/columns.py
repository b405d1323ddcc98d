"""Column types that keep money exact and times aware on every database."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Dialect, Integer, Numeric, String, Table, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

__all__ = [
    "Amount",
    "Instant",
    "JsonText",
    "amount_of",
    "instant_of",
    "instant_text",
    "month_of",
    "portable",
]

_SCALE = 10_000


class Amount(TypeDecorator[Decimal]):
    """An exact amount with four decimals: integer ten-thousandths on SQLite, NUMERIC on PostgreSQL.

    Sums stay exact on both. More decimals than four are an error, never rounded.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Choose the exact type of the database at hand."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(20, 4))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Turn a Decimal into what the database stores."""
        if value is None:
            return None
        whole = int(value * _SCALE)
        if Decimal(whole) / _SCALE != value:
            raise ValueError(f"{value} has more than four decimals")
        return value if dialect.name == "postgresql" else whole

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Turn what the database stores into a Decimal."""
        if value is None:
            return None
        return amount_of(int(value * _SCALE) if dialect.name == "postgresql" else int(value))


def amount_of(whole: int) -> Decimal:
    """Return the amount of so many ten-thousandths: with none, two or four decimals."""
    if not whole % _SCALE:
        return Decimal(whole // _SCALE)
    return Decimal(whole).scaleb(-4) if whole % 100 else Decimal(whole // 100).scaleb(-2)


@lru_cache(8192)  # a fact's moment is written by each read model that folds it
def instant_text(value: datetime | None) -> str | None:
    """Return an aware moment as sortable ISO text in UTC, with microseconds."""
    if value is None:
        return None
    if value.tzinfo is not UTC:
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        value = value.astimezone(UTC)
    return value.isoformat(timespec="microseconds")


def instant_of(text: str | None) -> datetime | None:
    """Return the moment that `instant_text` wrote."""
    return None if text is None else datetime.fromisoformat(text)


class JsonText(TypeDecorator[Any]):
    """A JSON document that is written as the text it comes as, and read as what it says."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read the document."""
        return None if value is None else orjson.loads(value)


class Instant(TypeDecorator[datetime]):
    """An aware UTC moment: sortable ISO text on SQLite, timestamptz on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Choose the aware type of the database at hand."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive moments; write UTC."""
        text = instant_text(value)
        return value if dialect.name == "postgresql" else text

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read back an aware UTC moment."""
        return instant_of(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Take PostgreSQL's moments as they come: its sessions are told to speak UTC."""
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)


class month_of(FunctionElement[str]):  # noqa: N801 - reads as the function it is
    """The month in UTC of an `Instant` column, e.g. `2026-01`."""

    type = String()
    inherit_cache = True


@compiles(month_of)
def _month_in_text(element: month_of, compiler: Any, **options: Any) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, 1, 7)"


@compiles(month_of, "postgresql")
def _month_in_time(element: month_of, compiler: Any, **options: Any) -> str:
    instant = compiler.process(element.clauses, **options)
    return f"to_char({instant} AT TIME ZONE 'UTC', 'YYYY-MM')"


def portable(table: Table) -> Table:
    """Give a table's columns types that hold and order the same on every database; return it.

    SQLite compares text by its bytes and keeps integers of 64 bits; PostgreSQL is told to.
    """
    for column in table.columns if not table.info.get(portable) else ():
        kind = column.type
        if isinstance(kind, String) and not kind.collation:
            bytewise = type(kind)(kind.length, collation="C")
            column.type = kind.with_variant(bytewise, "postgresql")
        elif type(kind) is Integer:
            column.type = kind.with_variant(BigInteger(), "postgresql")
    table.info[portable] = True
    return table
