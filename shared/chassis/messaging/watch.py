"""Watching a database for changes, cheaply enough to ask every few milliseconds."""

import sqlite3
from time import monotonic

from shared.chassis.database import Database

__all__ = ["Watch"]


class Watch:
    """Tells whether a database may have changed since it was last asked.

    An SQLite file answers exactly, by `PRAGMA data_version` on a connection of the watch's own, in
    some five microseconds. Other databases "may have" whenever they were not asked for a while:
    their callers poll with a query.

    Args:
        database: what is watched.
        every: seconds between two polls of a database that cannot answer by itself.
    """

    def __init__(self, database: Database, every: float = 0.0) -> None:
        path = database.engine.url.database if database.dialect == "sqlite" else None
        self._connection = (
            sqlite3.connect(path, isolation_level=None, check_same_thread=False) if path else None
        )
        self._seen: int | None = None
        self._every = 0.0 if database.dialect == "sqlite" else every
        self._polled_at = -self._every

    def changed(self) -> bool:
        """Return True when something was committed since the last call, and on the first."""
        if self._connection is None:
            return self._is_time()
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version == self._seen:
            return False
        self._seen = version
        return True

    def _is_time(self) -> bool:
        now = monotonic()
        if now - self._polled_at < self._every:
            return False
        self._polled_at = now
        return True

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
