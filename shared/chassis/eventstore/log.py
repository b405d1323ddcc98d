"""A context's log: append facts with what is unique beside them; read them back in order."""

import hashlib
import hmac
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, cast

from eventsourcing.application import Application as LibraryApplication
from eventsourcing.persistence import (
    AggregateRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    Mapper,
    ProcessRecorder,
    TrackingRecorder,
)
from eventsourcing.utils import Environment

from shared.chassis.database import Database
from shared.chassis.eventstore.mapper import FactMapper
from shared.chassis.eventstore.memory import MemoryRecorder
from shared.chassis.eventstore.recorder import AnsweredCommand, Claim, LogRecorder
from shared.chassis.eventstore.sqlite import SQLiteRecorder
from shared.chassis.eventstore.vault import Vault
from shared.events.base import Event, Recorded

__all__ = ["EventLog"]

_HASHES = 4096


class LogFactory(InfrastructureFactory[TrackingRecorder]):
    """Gives the library's application the recorder that fits the database."""

    def __init__(self, env: Environment, database: Database | None) -> None:
        super().__init__(env)
        self._database = database

    def application_recorder(self) -> LogRecorder:
        """Return the recorder: in memory without a database."""
        if self._database is None:
            return MemoryRecorder()
        if self._database.dialect == "sqlite":
            return SQLiteRecorder(self._database)
        raise InfrastructureFactoryError(f"no recorder for {self._database.dialect}")

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Snapshots are not kept: streams are short and states are cached."""
        raise InfrastructureFactoryError(f"the log keeps no {purpose}")

    def tracking_recorder(
        self, tracking_recorder_class: type[TrackingRecorder] | None = None
    ) -> TrackingRecorder:
        """Tracking is `shared.chassis.tracking`, which also serves databases without a log."""
        raise InfrastructureFactoryError("positions are tracked beside the read models")

    def process_recorder(self) -> ProcessRecorder:
        """See `tracking_recorder`."""
        raise InfrastructureFactoryError("positions are tracked beside the read models")


class EventLog(LibraryApplication[str]):
    """One context's append-only log of facts.

    Args:
        context: the bounded context, e.g. `leads`.
        database: where it is kept; None keeps it in memory.
        key_encryption_key: 32 bytes wrapping the data subjects' keys, and the pepper of claim keys.
    """

    def __init__(
        self, context: str, database: Database | None = None, key_encryption_key: bytes = bytes(32)
    ) -> None:
        self.context = context
        self._database = database
        self._kek = key_encryption_key
        self._pepper = hmac.digest(key_encryption_key, b"annals claims", "sha256")
        # A key is hashed when it is looked up, and again when it is claimed.
        self._hash = lru_cache(_HASHES)(self._digest)
        super().__init__()

    def construct_factory(self, env: Environment) -> InfrastructureFactory:
        """Choose the recorder by the database."""
        return LogFactory(env, self._database)

    def construct_mapper(self) -> Mapper[str]:
        """Map facts with the context's subject keys."""
        return FactMapper(self.context, self.vault)

    def construct_recorder(self) -> LogRecorder:
        """Return the recorder the vault already reads from."""
        return self._recorder

    def construct_env(self, name: str, env: Any = None) -> Environment:
        """Take nothing from the process environment; make what the mapper needs."""
        made = Environment(self.context, {})
        self._recorder = LogFactory(made, self._database).application_recorder()
        self.vault = Vault(
            self._kek, self._recorder.select_keys, in_doubt=lambda: self._recorder.in_transaction
        )
        return made

    @property
    def database(self) -> Database:
        """The database; raises LookupError when the log is in memory."""
        if self._database is None:
            raise LookupError("this log is kept in memory")
        return self._database

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has a transaction on the log open."""
        return self._recorder.in_transaction

    def transaction(self) -> AbstractContextManager[Any]:
        """Open a transaction that every append and read of this thread joins."""
        return self._recorder.transaction()

    def append(
        self,
        facts: Sequence[Recorded[Event]],
        *,
        claims: Sequence[Claim] = (),
        releases: Sequence[Claim] = (),
        answers: Sequence[AnsweredCommand] = (),
    ) -> Sequence[int]:
        """Append facts whole or not at all and return their positions.

        Args:
            facts: with stream versions set and positions ignored.
            claims: keys to take, plain; they are stored as keyed hashes.
            releases: keys to give up first, plain.
            answers: command ids that must be new, with what to answer when they come again.

        Raises:
            AppendConflict, CommandRepeated: see `LogRecorder`.
            PersonIsErased: a fact has personal data of somebody whose key is destroyed.
        """
        stored, new_keys = cast(FactMapper, self.mapper).stored(facts)
        return self._recorder.insert_events(
            stored,
            claims=[self._hashed(claim) for claim in claims],
            releases=[self._hashed(claim) for claim in releases],
            answers=answers,
            keys=new_keys,
        )

    def read(
        self,
        after: int,
        limit: int = 256,
        *,
        upto: int | None = None,
        topics: Collection[str] = (),
    ) -> list[Recorded[Event]]:
        """Return up to `limit` facts with positions greater than `after`, in order.

        Args:
            after: a position; 0 for the beginning.
            limit: how many at most.
            upto: last position to look at; the log's end when None.
            topics: only facts stored under one of these; all when empty.
        """
        mapper = cast(FactMapper, self.mapper)
        found = self._recorder.select_notifications(
            after, limit, upto, sorted(topics), inclusive_of_start=False
        )
        return mapper.facts(found)

    def stream(self, stream_id: str, after_version: int = 0) -> list[Recorded[Event]]:
        """Return the facts of one stream, in order; empty when it does not exist."""
        mapper = cast(FactMapper, self.mapper)
        found = self._recorder.select_events(stream_id, gt=after_version or None)
        return mapper.facts(found)

    def version(self, stream_id: str) -> int:
        """Return the stream's current version, 0 when it does not exist."""
        return self._recorder.stream_version(stream_id)

    def tip(self) -> int:
        """Return the last position, 0 when the log is empty."""
        return self._recorder.max_notification_id() or 0

    def holder(self, scope: str, key: str) -> str | None:
        """Return the stream that holds a claimed key, if any."""
        return self._recorder.select_claim(scope, self._hash(scope, key))

    def answer(self, command_id: str) -> AnsweredCommand | None:
        """Return what a command was answered, if it was."""
        return self._recorder.select_answers([command_id]).get(command_id)

    def answers(self, command_ids: Sequence[str]) -> dict[str, AnsweredCommand]:
        """Return what commands were answered, by id, leaving out those that were not."""
        return self._recorder.select_answers(command_ids)

    def erase(self, subject: str) -> bool:
        """Destroy a person's key: their personal fields read as None from now on, everywhere here.

        Returns:
            Whether there was a key.
        """
        destroyed = self._recorder.destroy_key(subject)
        self.vault.forget(subject)
        return destroyed

    def _digest(self, scope: str, key: str) -> str:
        digest = hashlib.blake2b(key.encode(), key=self._pepper, digest_size=16)
        digest.update(scope.encode())
        return digest.hexdigest()

    def _hashed(self, claim: Claim) -> Claim:
        return Claim(claim.scope, self._hash(claim.scope, claim.key), claim.stream_id)
