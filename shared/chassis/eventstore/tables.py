"""Reading a log that is kept in tables; SQLite's and PostgreSQL's are read alike."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, cast
from uuid import UUID

import orjson
from eventsourcing.persistence import Notification, StoredEvent
from sqlalchemy import Connection

from shared.chassis.database import Database, short
from shared.chassis.eventstore.recorder import AnsweredCommand, LogRecorder, as_text

__all__ = ["TableRecorder"]

_AT_ONCE = 500
_PIECE = 4096
"""Positions of the log that one statement looks for topics among, at least."""


class TableRecorder(LogRecorder):
    """See `LogRecorder`. One database is one log."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def transaction(self) -> AbstractContextManager[Any]:
        """Open a writing transaction of the database, or join it."""
        return self.database.transaction()

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has it open."""
        return self.database.in_transaction

    @property
    def in_doubt(self) -> bool:
        """Whether this thread's open transaction has appended or destroyed something."""
        return self.database.in_doubt

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
        return [Notification(*row) for row in self.database.fetch(query, values)]

    def select_streams(self, stream_ids: Sequence[str]) -> Sequence[StoredEvent]:
        """Return the events of many streams, each stream's in order."""
        found: list[StoredEvent] = []
        for start in range(0, len(stream_ids), _AT_ONCE):
            listed, among = self.database.among(["stream_id"], stream_ids[start : start + _AT_ONCE])
            query = (
                "SELECT stream_id, version, topic, state, position FROM events "  # noqa: S608
                f"WHERE {listed} ORDER BY stream_id, version"
            )
            found += [Notification(*row) for row in self.database.fetch(query, among)]
        return found

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
        after = (start or 0) - (1 if inclusive_of_start else 0)
        if not topics:
            return self._after(after, limit, stop)
        # In pieces: until it knows better, a server takes topics to be rare, and would fetch and
        # sort all that is left of the log to return its beginning.
        piece = max(_PIECE, 2 * limit)
        end = (self.max_notification_id() or 0) if stop is None else stop
        found: list[Notification] = []
        while len(found) < limit and after < end:
            upto = min(after + piece, end)
            found += self._after(after, limit - len(found), upto, topics)
            after = upto
        return found

    def _after(
        self, after: int, limit: int, upto: int | None, topics: Sequence[str] = ()
    ) -> list[Notification]:
        query = "SELECT stream_id, version, topic, state, position FROM events WHERE position > ?"
        values: list[Any] = [after]
        if upto is not None:
            query += " AND position <= ?"
            values.append(upto)
        if topics:
            listed, among = self.database.among(["topic"], topics)
            query += f" AND {listed}"
            values.extend(among)
        query += " ORDER BY position LIMIT ?"
        values.append(limit)
        return [Notification(*row) for row in self.database.fetch(query, values)]

    def max_notification_id(self) -> int | None:
        """Return the last position, None when the log is empty."""
        return cast(int | None, self._one("SELECT max(position) FROM events", ()))

    def stream_version(self, stream_id: str) -> int:
        """Return the stream's current version, 0 when it does not exist."""
        found = self._one("SELECT max(version) FROM events WHERE stream_id = ?", (stream_id,))
        return found or 0

    def select_existing(self, stream_ids: Sequence[str]) -> set[str]:
        """Return those of many streams that exist."""
        found: set[str] = set()
        for start in range(0, len(stream_ids), _AT_ONCE):
            listed, among = self.database.among(["stream_id"], stream_ids[start : start + _AT_ONCE])
            query = f"SELECT stream_id FROM events WHERE version = 1 AND {listed}"  # noqa: S608
            found.update(stream_id for (stream_id,) in self.database.fetch(query, among))
        return found

    def select_claim(self, scope: str, key: str) -> str | None:
        """Return the stream that holds the key, if any."""
        query = "SELECT stream_id FROM claims WHERE scope = ? AND key = ?"
        return cast(str | None, self._one(query, (scope, key)))

    def select_claims(self, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the holders of those of many (scope, key) that are held."""
        found: dict[tuple[str, str], str] = {}
        for start in range(0, len(places), _AT_ONCE):
            some = places[start : start + _AT_ONCE]
            listed, among = self.database.among(("scope", "key"), *zip(*some, strict=True))
            query = f"SELECT scope, key, stream_id FROM claims WHERE {listed}"  # noqa: S608 - names from the code
            rows = self.database.fetch(query, among)
            found |= {(scope, key): stream_id for scope, key, stream_id in rows}
        return found

    def select_answers(self, command_ids: Sequence[str]) -> dict[str, AnsweredCommand]:
        """Return the stored answers of those commands that were answered, by id."""
        found = {}
        for start in range(0, len(command_ids), _AT_ONCE):
            some = command_ids[start : start + _AT_ONCE]
            listed, among = self.database.among(["command_id"], some)
            rows = self.database.fetch(
                "SELECT command_id, stream_id, version, position, outcome FROM answers "  # noqa: S608
                f"WHERE {listed}",
                among,
            )
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
        listed, among = self.database.among(["subject"], subjects)
        return dict(
            self.database.fetch(f"SELECT subject, wrapped FROM subject_keys WHERE {listed}", among)  # noqa: S608
        )

    def keep_key(self, subject: str, wrapped: bytes) -> bytes:
        """Store a wrapped key unless there is one of that name, and return the one there is."""
        if not self.select_keys([subject]):
            with self.database.transaction():
                self.database.fetch(
                    "INSERT INTO subject_keys VALUES (?, ?) ON CONFLICT DO NOTHING",
                    (subject, wrapped),
                )
        return self.select_keys([subject])[subject]

    def keys_after(self, subject: str, limit: int) -> Sequence[tuple[str, bytes]]:
        """Return the names and wrapped keys that follow a name, in order, but destroyed ones."""
        query = (
            "SELECT subject, wrapped FROM subject_keys WHERE subject > ? AND length(wrapped) > 0 "
            "ORDER BY subject LIMIT ?"
        )
        return self.database.fetch(query, (subject, limit))

    def exchange_keys(self, changes: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Overwrite wrapped keys, given as (name, before, after), but those that changed since."""
        with self.overwriting() as connection:
            for subject, before, after in changes:
                short(
                    connection,
                    "UPDATE subject_keys SET wrapped = ? WHERE subject = ? AND wrapped = ?",
                    (after, subject, before),
                )

    def overwriting(self) -> AbstractContextManager[Connection]:
        """Open a transaction after which bytes it replaces are not left on disk, if it can."""
        return self.database.transaction()

    def _one(self, query: str, values: Sequence[Any]) -> Any:
        rows = self.database.fetch(query, values)
        return rows[0][0] if rows else None
