"""Watching a database for changes, cheaply enough to ask every few milliseconds."""

import sqlite3

from shared.chassis.database import Database

__all__ = ["Watch"]


class Watch:
    """Tells whether a database may have changed since it was last asked.

    An SQLite file answers exactly, by `PRAGMA data_version` on a connection of the watch's own, in
    some five microseconds. Other databases always "may have": their callers poll with a query.
    """

    def __init__(self, database: Database) -> None:
        path = database.engine.url.database if database.dialect == "sqlite" else None
        self._connection = (
            sqlite3.connect(path, isolation_level=None, check_same_thread=False) if path else None
        )
        self._seen: int | None = None

    def changed(self) -> bool:
        """Return True when something was committed since the last call, and on the first."""
        if self._connection is None:
            return True
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version == self._seen:
            return False
        self._seen = version
        return True

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
