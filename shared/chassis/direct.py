"""Statements run by one call of libpq each.

A cursor of psycopg talks to the server in steps, and between any two of them lets other threads
run: with many threads at work, each step may wait for the interpreter again. For the short
statements that an API runs for every request that is a good part of their time.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import psycopg
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus, Format

__all__ = ["Direct"]

_OUTDATED = (psycopg.errors.InvalidSqlStatementName, psycopg.errors.FeatureNotSupported)
"""A prepared statement is gone, or gives other columns than when it was prepared: psycopg drops all
statements of a connection that it rolls back, and a table may be another one since."""


class Direct:
    """Runs statements on one connection, outside transactions, prepared when they first come.

    It waits for the server in C and gives no other green thread its turn.

    Args:
        raw: the connection, which nobody else uses meanwhile.
    """

    KEPT = 200
    """Statements kept prepared; the one that was not used for longest makes room."""

    def __init__(self, raw: "psycopg.Connection[Any]") -> None:
        self._pgconn = raw.pgconn
        self._values = Transformer(raw)
        self._names: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._numbers = count()

    def rows(self, text: str, values: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """Run a statement and return its rows; none when it gives none.

        Args:
            text: with psycopg's marks, `%s` or `%(name)s`.
            values: for them.

        Raises:
            psycopg.Error: as a cursor would.
        """
        query = PostgresQuery(self._values)
        query.convert(text, values)
        try:
            found = self._run(query)
        except _OUTDATED:  # nothing was done
            self._names.clear()
            found = self._run(query)
        if found.status != ExecStatus.TUPLES_OK:
            return []
        self._values.set_pgresult(found)
        return self._values.load_rows(0, found.ntuples, tuple)

    def _run(self, query: PostgresQuery) -> Any:
        return self._checked(
            self._pgconn.exec_prepared,
            self._prepared(query),
            query.params,
            query.formats,
            Format.BINARY,
        )

    def _prepared(self, query: PostgresQuery) -> bytes:
        key = (query.query, tuple(query.types))
        name = self._names.pop(key, None)
        if name is None:
            if len(self._names) >= self.KEPT:
                oldest = self._names.pop(next(iter(self._names)))
                self._checked(self._pgconn.exec_, b"DEALLOCATE " + oldest)
            name = b"annals_%d" % next(self._numbers)
            self._checked(self._pgconn.prepare, name, query.query, query.types)
        self._names[key] = name
        return name

    def _checked(self, run: Callable[..., Any], *arguments: Any) -> Any:
        try:
            result = run(*arguments)
        except MemoryError as error:  # libpq has no result when it could not even send
            raise psycopg.OperationalError(self._pgconn.get_error_message()) from error
        if result.status in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
            return result
        if self._pgconn.status != ConnStatus.OK:
            raise psycopg.OperationalError(result.get_error_message())
        raise psycopg.errors.error_from_result(result, encoding="utf-8")
