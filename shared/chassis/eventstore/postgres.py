"""The log on PostgreSQL: an append is one statement, and appends come one after another."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
import psycopg
from psycopg import errors

from shared.chassis.arrays import bigints, blobs, texts
from shared.chassis.database import Database
from shared.chassis.eventstore import schema
from shared.chassis.eventstore.recorder import (
    AnsweredCommand,
    Append,
    AppendConflict,
    Claim,
    CommandRepeated,
    as_text,
)
from shared.chassis.eventstore.tables import TableRecorder

__all__ = ["APPEND", "PostgresRecorder", "arguments"]

_ARGUMENTS = 19
APPEND = f"SELECT append_facts_v1({', '.join('?' * _ARGUMENTS)})"
"""The statement that appends; it takes the `arguments` of an append and gives the tip before it."""
_REPEATED = "answers_pkey"
_LOST_RACES = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure)


class PostgresRecorder(TableRecorder):
    """See `LogRecorder`. Tables that are missing are created, but migrations come first."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        if database.fetch("SELECT to_regproc('append_facts_v1')")[0][0] is None:
            with database.transaction() as connection:
                schema.create(connection)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Open or join a transaction and take the log's lock: other appends wait for its end."""
        with self.database.transaction():
            self.database.fetch(f"SELECT {schema.LOG_LOCK}")
            yield

    def store(self, append: Append) -> range:
        """Append whole or not at all."""
        values = arguments(append)
        try:
            if self.database.in_transaction:
                self.database.doubt()
                with self.database.part():
                    rows = self.database.fetch(APPEND, values)
            else:
                rows = self.database.fetch(APPEND, values, repeatable=False)
        except _LOST_RACES as error:
            if error.diag.constraint_name == _REPEATED:
                raise CommandRepeated("answered already") from error
            raise AppendConflict(_reason(error)) from error
        except psycopg.DatabaseError as error:
            if error.sqlstate == schema.REFUSED:
                raise AppendConflict(_reason(error)) from error
            raise
        tip: int = rows[0][0]
        return range(tip + 1, tip + 1 + len(append.events))

    def destroy_key(self, subject: str) -> bool:
        """Overwrite the key with nothing; the row's former bytes go when the table is vacuumed."""
        with self.database.transaction():
            self.database.doubt()
            return bool(
                self.database.fetch(
                    "UPDATE subject_keys SET wrapped = '' WHERE subject = ? AND wrapped != '' "
                    "RETURNING 1",
                    (subject,),
                )
            )


def arguments(append: Append) -> Sequence[Any]:
    """Return what the statement takes.

    Raises:
        AppendConflict: the append contradicts itself.
    """
    events, answers = append.events, append.answers
    # That a stream is new is seen when its first version is inserted.
    expected = {
        stream_id: version
        for stream_id, version in append.expected().items()
        if version or stream_id in append.reads
    }
    return (
        texts([as_text(event.originator_id) for event in events]),
        bigints([event.originator_version for event in events]),
        texts([event.topic for event in events]),
        blobs([event.state for event in events]),
        texts(list(expected)),
        bigints(list(expected.values())),
        *_claims(append.releases),
        *_claims(append.claims),
        texts(list(append.keys)),
        blobs(list(append.keys.values())),
        texts([answer.command_id for answer in answers]),
        texts([answer.stream_id for answer in answers]),
        bigints([answer.version for answer in answers]),
        bigints([answer.events for answer in answers]),
        blobs([_outcome(answer) for answer in answers]),
    )


def _claims(claims: Sequence[Claim]) -> tuple[bytes | None, bytes | None, bytes | None]:
    return (
        texts([claim.scope for claim in claims]),
        texts([claim.key for claim in claims]),
        texts([claim.stream_id for claim in claims]),
    )


def _outcome(answer: AnsweredCommand) -> bytes | None:
    return orjson.dumps(dict(answer.outcome)) if answer.outcome else None


def _reason(error: psycopg.Error) -> str:
    """Return what the server says in one line, without the values it may name."""
    return error.diag.constraint_name or error.diag.message_primary or type(error).__name__
