"""Rows of a read model's table: many loaded by key in one statement, many written in one.

The statements go to the driver as they are, with a converter for each column that needs one: a row
costs a few microseconds instead of a few tens.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol, cast

import orjson
from sqlalchemy import Boolean, Connection, Dialect, Table
from sqlalchemy.types import TypeEngine

from shared.chassis.projections.postgres import PostgresRows
from shared.chassis.shapes.columns import Instant, instant_of, instant_text
from shared.chassis.shapes.projection import Key, Row

__all__ = ["Rows", "rows_of"]


class Rows(Protocol):
    """The rows of one table."""

    def load(self, connection: Connection, keys: Sequence[Key]) -> dict[Key, Row]:
        """Return the rows at these primary keys, by key; those that are not there are left out."""
        ...

    def write(self, connection: Connection, rows: Iterable[tuple[Key, Row | None]]) -> None:
        """Put each row at its key in place of what is there; None takes it away."""
        ...

    def fill(self, connection: Connection, rows: Sequence[tuple[Key, Row]]) -> None:
        """Put rows where none are, in the fastest way there is."""
        ...


@lru_cache(maxsize=1024)
def _rows_of(table: Table, dialect: Dialect) -> Rows:
    return (_SQLiteRows if dialect.name == "sqlite" else PostgresRows)(table, dialect)


def rows_of(table: Table, connection: Connection) -> Rows:
    """Return the way to a table's rows on the connection's database."""
    return _rows_of(table, connection.dialect)


class _SQLiteRows:
    def __init__(self, table: Table, dialect: Dialect) -> None:
        columns = list(table.columns)
        keys = list(table.primary_key.columns)
        self._names = [column.name for column in columns]
        self._key_names = [column.name for column in keys]
        rest = [column for column in columns if not column.primary_key]
        self._rest = [column.name for column in rest]
        self._encoders = _processors(rest, lambda c: _encoder(c.type, dialect))
        self._decoders = _processors(columns, lambda c: _decoder(c.type, dialect))
        self._key_encoders = _processors(keys, lambda c: _encoder(c.type, dialect))
        name = f'"{table.name}"'
        listed = ", ".join(f'"{n}"' for n in self._names)
        key = ", ".join(f'"{n}"' for n in self._key_names)
        parts = ", ".join(f"json_extract(value, '$[{i}]')" for i in range(len(keys)))
        sets = ", ".join(f'"{n}" = excluded."{n}"' for n in self._rest)
        written = ", ".join(f'"{n}"' for n in (*self._rest, *self._key_names))
        self._select = (
            f"SELECT {listed} FROM {name} WHERE ({key}) IN (SELECT {parts} FROM json_each(?))"  # noqa: S608 - names from the code
        )
        self._upsert = (
            f"INSERT INTO {name} ({written}) VALUES ({', '.join('?' * len(columns))}) "  # noqa: S608
            f"ON CONFLICT ({key}) DO {f'UPDATE SET {sets}' if sets else 'NOTHING'}"
        )
        marks = " AND ".join(f'"{n}" = ?' for n in self._key_names)
        self._delete = f"DELETE FROM {name} WHERE {marks}"  # noqa: S608

    def load(self, connection: Connection, keys: Sequence[Key]) -> dict[Key, Row]:
        wanted = orjson.dumps([self._key(key) for key in keys]).decode()
        found: dict[Key, Row] = {}
        for values in _driver(connection).execute(self._select, (wanted,)):
            row = dict(zip(self._names, values, strict=True))
            for place, decode in self._decoders:
                name = self._names[place]
                row[name] = decode(row[name])
            found[tuple([row[name] for name in self._key_names])] = row
        return found

    def write(self, connection: Connection, rows: Iterable[tuple[Key, Row | None]]) -> None:
        changed: list[Sequence[Any]] = []
        gone: list[Sequence[Any]] = []
        for key, row in rows:
            if row is None:
                gone.append(self._key(key))
            else:
                changed.append(self._values(key, row))
        driver = _driver(connection)
        if changed:
            driver.executemany(self._upsert, changed)
        if gone:
            driver.executemany(self._delete, gone)

    fill = write

    def _values(self, key: Key, row: Row) -> Sequence[Any]:
        if not self._rest:
            return self._key(key)
        values = [*map(row.get, self._rest), *self._key(key)]
        for place, encode in self._encoders:
            values[place] = encode(values[place])
        return values

    def _key(self, key: Key) -> Sequence[Any]:
        if not self._key_encoders:
            return key
        values = list(key)
        for place, encode in self._key_encoders:
            values[place] = encode(values[place])
        return values


def _processors(
    columns: Sequence[Any], of: Callable[[Any], Callable[[Any], Any] | None]
) -> list[tuple[int, Callable[[Any], Any]]]:
    return [(place, found) for place, c in enumerate(columns) if (found := of(c)) is not None]


def _encoder(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what turns a value into SQLite's, None when the driver does."""
    if isinstance(kind, Instant):
        return instant_text
    if isinstance(kind, Boolean):
        return None
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _decoder(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what turns SQLite's value into Python's, None when it is already."""
    if isinstance(kind, Instant):
        return instant_of
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)
