"""The log on SQLite: one file, one writer at a time, positions counted in the append."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import orjson
from sqlalchemy import Connection

from shared.chassis.database import Database, driver
from shared.chassis.eventstore.recorder import (
    Append,
    AppendConflict,
    CommandRepeated,
    as_text,
)
from shared.chassis.eventstore.tables import TableRecorder

__all__ = ["SQLiteRecorder"]

_TABLES = (
    """CREATE TABLE IF NOT EXISTS events (
        position INTEGER PRIMARY KEY,
        stream_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        topic TEXT NOT NULL,
        state BLOB NOT NULL,
        UNIQUE (stream_id, version))""",
    """CREATE TABLE IF NOT EXISTS claims (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        stream_id TEXT NOT NULL,
        PRIMARY KEY (scope, key)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS answers (
        command_id TEXT PRIMARY KEY,
        stream_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        position INTEGER NOT NULL,
        outcome BLOB) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS subject_keys (
        subject TEXT PRIMARY KEY,
        wrapped BLOB NOT NULL) WITHOUT ROWID""",
)


class SQLiteRecorder(TableRecorder):
    """See `LogRecorder`. One SQLite file is one log."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        with database.transaction() as connection:
            for statement in _TABLES:
                connection.exec_driver_sql(statement)

    def store(self, append: Append) -> range:
        """Append whole or not at all."""
        joined = self.database.in_transaction
        with (
            self.database.transaction() as connection,
            self.database.part() if joined else nullcontext(),
        ):
            self.database.doubt()
            cursor = driver(connection).cursor()
            tip = _tip(cursor)
            try:
                self._insert(cursor, tip, append)
            except sqlite3.IntegrityError as error:
                raise AppendConflict(str(error)) from error
            try:
                cursor.executemany(
                    "INSERT INTO answers VALUES (?, ?, ?, ?, ?)",
                    [
                        (a.command_id, a.stream_id, a.version, tip + a.events,
                         orjson.dumps(dict(a.outcome)) if a.outcome else None)
                        for a in append.answers
                    ],
                )  # fmt: skip
            except sqlite3.IntegrityError as error:
                raise CommandRepeated(str(error)) from error
        return range(tip + 1, tip + 1 + len(append.events))

    @staticmethod
    def _insert(cursor: sqlite3.Cursor, tip: int, append: Append) -> None:
        for stream_id, version in append.expected().items():
            # That a stream is new is seen when its first version is inserted.
            if version or stream_id in append.reads:
                current = _version(cursor, stream_id)
                if current != version:
                    raise AppendConflict(f"{stream_id} is at version {current}")
        cursor.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
            [
                (position, as_text(e.originator_id), e.originator_version, e.topic, e.state)
                for position, e in enumerate(append.events, tip + 1)
            ],
        )
        for claim in append.releases:
            cursor.execute(
                "DELETE FROM claims WHERE scope = ? AND key = ? AND stream_id = ?",
                (claim.scope, claim.key, claim.stream_id),
            )
            if not cursor.rowcount:
                raise AppendConflict(f"{claim.scope} is no longer held by {claim.stream_id}")
        if append.claims:
            cursor.executemany(
                "INSERT INTO claims VALUES (?, ?, ?)",
                [(c.scope, c.key, c.stream_id) for c in append.claims],
            )
        if append.keys:
            cursor.executemany("INSERT INTO subject_keys VALUES (?, ?)", list(append.keys.items()))

    def destroy_key(self, subject: str) -> bool:
        """Overwrite the key with nothing, in the write-ahead file as well.

        A reader or an open transaction may keep the write-ahead file from being emptied now; it is
        emptied when SQLite checkpoints next.
        """
        with self.overwriting() as connection:
            self.database.doubt()
            destroyed = connection.exec_driver_sql(
                "UPDATE subject_keys SET wrapped = x'' WHERE subject = ? AND wrapped != x''",
                (subject,),
            ).rowcount
        return bool(destroyed)

    @contextmanager
    def overwriting(self) -> Iterator[Connection]:
        """Open or join a transaction that overwrites what it replaces, and empty the file."""
        with self.database.transaction() as connection:
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("PRAGMA secure_delete = OFF")
        if not self.database.in_transaction:
            self.database.fetch("PRAGMA wal_checkpoint(TRUNCATE)")


def _version(cursor: sqlite3.Cursor, stream_id: str) -> int:
    query = "SELECT coalesce(max(version), 0) FROM events WHERE stream_id = ?"
    return cursor.execute(query, (stream_id,)).fetchone()[0]  # type: ignore[no-any-return]


def _tip(cursor: sqlite3.Cursor) -> int:
    return cursor.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0]  # type: ignore[no-any-return]
