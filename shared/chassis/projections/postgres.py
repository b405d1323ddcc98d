"""Rows of a read model's table on PostgreSQL.

Keys and rows travel as one JSON document each, which the server unfolds into a set: one statement
and one parameter however many rows there are. Rows that are new to a table are streamed into it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import psycopg
from psycopg.types.json import Json
from sqlalchemy import JSON, Column, Connection, Dialect, Float, Table

from shared.chassis.database import driver
from shared.chassis.shapes.columns import Amount, Instant, JsonText, amount_of, instant_text
from shared.chassis.shapes.projection import Key, Row

__all__ = ["PostgresRows"]

Convert = Callable[[Any], Any]

_FEW = 16
"""Rows below which COPY does not pay."""


class PostgresRows:
    """The rows of one table, in the manner of `shared.chassis.projections.rows.Rows`.

    Args:
        table: the read model's.
        dialect: names and types as this server spells them.
    """

    def __init__(self, table: Table, dialect: Dialect) -> None:
        columns = list(table.columns)
        keys = list(table.primary_key.columns)
        rest = [column for column in columns if not column.primary_key]
        self._names, self._key_names, self._rest = map(_names, (columns, keys, rest))
        self._key_places = [self._names.index(name) for name in self._key_names]
        self._decoders = [(str(c.name), found) for c in columns if (found := _decoder(c))]
        self._encoders = _placed(columns, lambda c: _encoder(c, dialect))
        self._key_encoders = _placed(keys, lambda c: _encoder(c, dialect))
        self._documents = [n for n, column in enumerate(columns) if isinstance(column.type, JSON)]
        self._is_key = self._names == self._key_names and not self._encoders
        """Whether a row is its key and nothing else, as it is."""

        name = f'"{table.name}"'
        listed, key, others = map(_quoted, (self._names, self._key_names, self._rest))
        whole = _record(columns, dialect)
        wanted = f"json_to_recordset(%s) AS wanted({_record(keys, dialect)})"
        same = " AND ".join(f'{name}."{n}" = wanted."{n}"' for n in self._key_names)
        mine = ", ".join(f'{name}."{n}"' for n in self._names)
        sets = ", ".join(f'"{n}" = excluded."{n}"' for n in self._rest)
        self._select = f"SELECT {mine} FROM {wanted} JOIN {name} ON {same}"  # noqa: S608 - names from the code
        self._delete = f"DELETE FROM {name} USING {wanted} WHERE {same}"  # noqa: S608
        self._upsert = (
            f"INSERT INTO {name} ({listed}) "  # noqa: S608
            f"SELECT {listed} FROM json_to_recordset(%s) AS given({whole}) "
            f"ON CONFLICT ({key}) DO {f'UPDATE SET {sets}' if others else 'NOTHING'}"
        )
        self._copy = f"COPY {name} ({listed}) FROM STDIN"

    def load(self, connection: Connection, keys: Sequence[Key]) -> dict[Key, Row]:
        """Return the rows at these primary keys, by key; those that are not there are left out."""
        found: dict[Key, Row] = {}
        names, key_names, decoders = self._names, self._key_names, self._decoders
        with driver(connection).cursor(binary=True) as cursor:
            # Planned each time: a plan made for a table that was small would serve a large one.
            cursor.execute(self._select, (self._document(keys),), prepare=False)
            for values in cursor:
                row = dict(zip(names, values, strict=True))
                for name, decode in decoders:
                    row[name] = decode(row[name])
                found[tuple([row[name] for name in key_names])] = row
        return found

    def write(self, connection: Connection, rows: Iterable[tuple[Key, Row | None]]) -> None:
        """Put each row at its key in place of what is there; None takes it away."""
        names, encoded = self._names, self._encoded
        changed: list[dict[str, Any]] = []
        gone: list[Key] = []
        for key, row in rows:
            if row is None:
                gone.append(key)
            else:
                changed.append(dict(zip(names, encoded(key, row), strict=True)))
        raw = driver(connection)
        if changed:
            raw.execute(self._upsert, (Json(changed, orjson.dumps),), prepare=True)
        if gone:
            raw.execute(self._delete, (self._document(gone),), prepare=False)

    def fill(self, connection: Connection, rows: Sequence[tuple[Key, Row]]) -> None:
        """Put rows where none are; many of them by COPY."""
        if len(rows) < _FEW:
            self.write(connection, rows)
            return
        raw: psycopg.Connection[Any] = driver(connection)
        with raw.cursor() as cursor, cursor.copy(self._copy) as copy:
            if self._is_key and (lines := _lines([key for key, _ in rows])):
                copy.write(lines)
                return
            encoded, write_row = self._streamed, copy.write_row
            for key, row in rows:
                write_row(encoded(key, row))

    def _streamed(self, key: Key, row: Row) -> Sequence[Any]:
        values = self._values(key, row)
        for place in self._documents:
            if (value := values[place]) is not None:
                values[place] = _text(value)
        return values

    def _encoded(self, key: Key, row: Row) -> Sequence[Any]:
        return key if self._is_key else self._values(key, row)

    def _values(self, key: Key, row: Row) -> list[Any]:
        values = list(map(row.get, self._names))
        for place, part in zip(self._key_places, key, strict=True):
            values[place] = part
        for place, encode in self._encoders:
            if (value := values[place]) is not None:
                values[place] = encode(value)
        return values

    def _document(self, keys: Iterable[Key]) -> Json:
        names, encoders = self._key_names, self._key_encoders
        wanted = []
        for key in keys:
            parts = list(key)
            for place, encode in encoders:
                parts[place] = encode(parts[place])
            wanted.append(dict(zip(names, parts, strict=True)))
        return Json(wanted, orjson.dumps)


def _lines(keys: Sequence[Key]) -> str | None:
    """Return keys as COPY takes them, None when something in them would have to be escaped."""
    lines = "\n".join(["\t".join(map(str, key)) for key in keys]) + "\n"
    separators = len(keys) * (len(keys[0]) - 1)
    plain = "\\" not in lines and "\r" not in lines
    fits = lines.count("\t") == separators and lines.count("\n") == len(keys)
    return lines if plain and fits else None


def _text(value: Any) -> str:
    """Return a value as the text of a JSON document."""
    return orjson.dumps(value).decode()


def _names(columns: Iterable[Column[Any]]) -> list[str]:
    return [str(column.name) for column in columns]  # plain ones: they become keys of documents


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _record(columns: Iterable[Column[Any]], dialect: Dialect) -> str:
    return ", ".join(f'"{c.name}" {c.type.compile(dialect)}' for c in columns)


def _placed(
    columns: Sequence[Column[Any]], of: Callable[[Column[Any]], Convert | None]
) -> list[tuple[int, Convert]]:
    return [(place, found) for place, column in enumerate(columns) if (found := of(column))]


def _encoder(column: Column[Any], dialect: Dialect) -> Convert | None:
    """Return what turns a value into JSON that the server reads as the column's type."""
    kind = column.type
    if isinstance(kind, Instant):
        return instant_text
    if isinstance(kind, Amount):
        return lambda value: str(kind.process_bind_param(value, dialect))
    if isinstance(kind, Float):
        return _float
    return None


def _decoder(column: Column[Any]) -> Convert | None:
    """Return what turns the driver's value into Python's, None when it is already."""
    kind = column.type
    if isinstance(kind, Instant):
        return _utc
    if isinstance(kind, Amount):
        return _amount
    if isinstance(kind, JsonText):
        return orjson.loads
    return None


def _float(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _utc(value: datetime | None) -> datetime | None:
    return value if value is None or value.tzinfo is UTC else value.astimezone(UTC)


def _amount(value: Decimal | None) -> Decimal | None:
    return None if value is None else amount_of(int(value.scaleb(4)))
