"""The log on SQLite: one file, one writer at a time, positions counted in the append."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast
from uuid import UUID

import orjson
from eventsourcing.persistence import Notification, StoredEvent
from sqlalchemy import Connection

from shared.chassis.database import Database
from shared.chassis.eventstore.recorder import (
    AnsweredCommand,
    AppendConflict,
    Claim,
    CommandRepeated,
    LogRecorder,
    as_text,
)

__all__ = ["SQLiteRecorder"]

_AT_ONCE = 500

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


class SQLiteRecorder(LogRecorder):
    """See `LogRecorder`. One SQLite file is one log."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.transaction() as connection:
            for statement in _TABLES:
                connection.exec_driver_sql(statement)

    def transaction(self) -> AbstractContextManager[Any]:
        """Open the file's writing transaction, or join it."""
        return self.database.transaction()

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has it open."""
        return self.database.in_transaction

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        claims: Sequence[Claim] = (),
        releases: Sequence[Claim] = (),
        answers: Sequence[AnsweredCommand] = (),
        keys: Mapping[str, bytes] | None = None,
        **kwargs: Any,
    ) -> Sequence[int]:
        """Append whole or not at all."""
        joined = self.database.in_transaction
        with (
            self.database.transaction() as connection,
            connection.begin_nested() if joined else nullcontext(),
        ):
            cursor = _raw(connection).cursor()
            tip = _tip(cursor)
            try:
                self._insert(cursor, tip, stored_events, claims, releases, keys or {})
            except sqlite3.IntegrityError as error:
                raise AppendConflict(str(error)) from error
            try:
                cursor.executemany(
                    "INSERT INTO answers VALUES (?, ?, ?, ?, ?)",
                    [
                        (a.command_id, a.stream_id, a.version, tip + a.events,
                         orjson.dumps(dict(a.outcome)) if a.outcome else None)
                        for a in answers
                    ],
                )  # fmt: skip
            except sqlite3.IntegrityError as error:
                raise CommandRepeated(str(error)) from error
        return range(tip + 1, tip + 1 + len(stored_events))

    @staticmethod
    def _insert(
        cursor: sqlite3.Cursor,
        tip: int,
        stored_events: Sequence[StoredEvent],
        claims: Sequence[Claim],
        releases: Sequence[Claim],
        keys: Mapping[str, bytes],
    ) -> None:
        _refuse_gaps(cursor, stored_events)
        cursor.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
            [
                (position, as_text(e.originator_id), e.originator_version, e.topic, e.state)
                for position, e in enumerate(stored_events, tip + 1)
            ],
        )
        for claim in releases:
            cursor.execute(
                "DELETE FROM claims WHERE scope = ? AND key = ? AND stream_id = ?",
                (claim.scope, claim.key, claim.stream_id),
            )
            if not cursor.rowcount:
                raise AppendConflict(f"{claim.scope} is no longer held by {claim.stream_id}")
        if claims:
            cursor.executemany(
                "INSERT INTO claims VALUES (?, ?, ?)",
                [(c.scope, c.key, c.stream_id) for c in claims],
            )
        if keys:
            cursor.executemany("INSERT INTO subject_keys VALUES (?, ?)", list(keys.items()))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return a stream's events, as `Notification`s that also know their positions."""
        query = "SELECT stream_id, version, topic, state, position FROM events WHERE stream_id = ?"
        values: list[Any] = [as_text(originator_id)]
        if gt is not None:
            query += " AND version > ?"
            values.append(gt)
        if lte is not None:
            query += " AND version <= ?"
            values.append(lte)
        query += " ORDER BY version DESC" if desc else " ORDER BY version"
        if limit is not None:
            query += " LIMIT ?"
            values.append(limit)
        return [Notification(*row) for row in self._select(query, values)]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return the log's events from a position on, in order."""
        query = "SELECT stream_id, version, topic, state, position FROM events WHERE position > ?"
        values: list[Any] = [(start or 0) - (1 if inclusive_of_start else 0)]
        if stop is not None:
            query += " AND position <= ?"
            values.append(stop)
        if topics:
            query += f" AND topic IN ({','.join('?' * len(topics))})"
            values.extend(topics)
        query += " ORDER BY position LIMIT ?"
        values.append(limit)
        return [Notification(*row) for row in self._select(query, values)]

    def max_notification_id(self) -> int | None:
        """Return the last position, None when the log is empty."""
        return cast(int | None, self._one("SELECT max(position) FROM events", ()))

    def stream_version(self, stream_id: str) -> int:
        """Return the stream's current version, 0 when it does not exist."""
        found = self._one("SELECT max(version) FROM events WHERE stream_id = ?", (stream_id,))
        return found or 0

    def select_claim(self, scope: str, key: str) -> str | None:
        """Return the stream that holds the key, if any."""
        query = "SELECT stream_id FROM claims WHERE scope = ? AND key = ?"
        return cast(str | None, self._one(query, (scope, key)))

    def select_answers(self, command_ids: Sequence[str]) -> dict[str, AnsweredCommand]:
        """Return the stored answers of those commands that were answered, by id."""
        found = {}
        for start in range(0, len(command_ids), _AT_ONCE):
            some = command_ids[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self._select(f"SELECT * FROM answers WHERE command_id IN ({marks})", some)  # noqa: S608
            for command_id, stream_id, version, position, outcome in rows:
                found[command_id] = AnsweredCommand(
                    command_id,
                    stream_id,
                    version,
                    position=position,
                    outcome=orjson.loads(outcome) if outcome else {},
                )
        return found

    def select_keys(self, subjects: Sequence[str]) -> dict[str, bytes]:
        """Return the wrapped keys of those who have or had one; empty when destroyed."""
        marks = ",".join("?" * len(subjects))
        return dict(
            self._select(
                f"SELECT subject, wrapped FROM subject_keys WHERE subject IN ({marks})",  # noqa: S608
                subjects,
            )
        )

    def destroy_key(self, subject: str) -> bool:
        """Overwrite the key with nothing."""
        with self.database.transaction() as connection:
            return bool(
                connection.exec_driver_sql(
                    "UPDATE subject_keys SET wrapped = x'' WHERE subject = ? AND wrapped != x''",
                    (subject,),
                ).rowcount
            )

    def _select(self, query: str, values: Sequence[Any]) -> list[Any]:
        return self.database.fetch(query, values)

    def _one(self, query: str, values: Sequence[Any]) -> Any:
        rows = self._select(query, values)
        return rows[0][0] if rows else None


def _raw(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.driver_connection
    return cast(sqlite3.Connection, raw)


def _refuse_gaps(cursor: sqlite3.Cursor, stored_events: Sequence[StoredEvent]) -> None:
    """Raise `AppendConflict` when a version does not follow the one before it in its stream."""
    last: dict[str, int] = {}
    for stored in stored_events:
        stream_id, version = as_text(stored.originator_id), stored.originator_version
        if stream_id not in last:
            last[stream_id] = 0 if version == 1 else _version(cursor, stream_id)
        if version != last[stream_id] + 1:
            raise AppendConflict(f"{stream_id} is at version {last[stream_id]}")
        last[stream_id] = version


def _version(cursor: sqlite3.Cursor, stream_id: str) -> int:
    query = "SELECT coalesce(max(version), 0) FROM events WHERE stream_id = ?"
    return cursor.execute(query, (stream_id,)).fetchone()[0]  # type: ignore[no-any-return]


def _tip(cursor: sqlite3.Cursor) -> int:
    return cursor.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0]  # type: ignore[no-any-return]
