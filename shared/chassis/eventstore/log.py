"""A context's log: append facts with what is unique beside them; read them back in order."""

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property, lru_cache
from time import perf_counter
from typing import Any, cast

from eventsourcing.application import Application as LibraryApplication
from eventsourcing.persistence import (
    AggregateRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    Mapper,
    Notification,
    ProcessRecorder,
    TrackingRecorder,
)
from eventsourcing.utils import Environment

from shared.chassis.database import Database
from shared.chassis.eventstore.mapper import CorruptLog, FactMapper, RawFact
from shared.chassis.eventstore.memory import MemoryRecorder
from shared.chassis.eventstore.postgres import PostgresRecorder
from shared.chassis.eventstore.recorder import AnsweredCommand, Append, Claim, LogRecorder
from shared.chassis.eventstore.sqlite import SQLiteRecorder
from shared.chassis.eventstore.vault import Vault
from shared.chassis.telemetry import tracing
from shared.chassis.telemetry.metrics import APPEND_SECONDS, APPENDED
from shared.events.base import Event, Recorded

__all__ = ["EventLog"]

_HASHES = 4096
_KEYS = 500
"""Keys that are wrapped anew in one transaction."""
_PEPPER = "pepper of claims"
"""No person's id has a space."""


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
        return PostgresRecorder(self._database)

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
        key_encryption_key: 32 bytes that wrap the data subjects' keys, and the pepper of claims.
        other_keys: further key-encryption keys, which open what they wrapped.
    """

    def __init__(
        self,
        context: str,
        database: Database | None = None,
        key_encryption_key: bytes = bytes(32),
        other_keys: Sequence[bytes] = (),
    ) -> None:
        self.context = context
        self._database = database
        self._keks = (key_encryption_key, *other_keys)
        # A key is hashed when it is looked up, and again when it is claimed.
        self._hash = lru_cache(_HASHES)(self._digest)
        self._seconds = APPEND_SECONDS.labels(context)
        self._appended = APPENDED.labels(context)
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
            self._keks, self._recorder.select_keys, in_doubt=lambda: self._recorder.in_doubt
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

    @property
    def in_doubt(self) -> bool:
        """Whether what this thread reads may yet be rolled back."""
        return self._recorder.in_doubt

    def transaction(self) -> AbstractContextManager[Any]:
        """Open a transaction that every append and read of this thread joins."""
        return self._recorder.transaction()

    def alone(self) -> AbstractContextManager[Any]:
        """Open or join a transaction in which nobody else appends."""
        return self._recorder.alone()

    def append(
        self,
        facts: Sequence[Recorded[Event]],
        *,
        claims: Sequence[Claim] = (),
        releases: Sequence[Claim] = (),
        answers: Sequence[AnsweredCommand] = (),
        reads: Mapping[str, int] | None = None,
        trusting: bool = False,
    ) -> range:
        """Append facts whole or not at all and return their positions.

        Args:
            facts: with stream versions set and positions ignored.
            claims: keys to take, plain; they are stored as keyed hashes.
            releases: keys to give up first, plain.
            answers: command ids that must be new, with what to answer when they come again.
            reads: `{stream: version}` of streams that must not have moved on, though nothing is
                written to them: what the facts were decided upon.
            trusting: take people whose stream begins here to have no key yet, without looking; when
                somebody has, that is a conflict.

        Returns:
            The positions; without facts an empty range behind the last position.

        Raises:
            AppendConflict, CommandRepeated: see `LogRecorder`.
            PersonIsErased: a fact has personal data of somebody whose key is destroyed.
        """
        began, started = tracing.clock(), perf_counter()
        stored, new_keys = cast(FactMapper, self.mapper).stored(facts, trusting=trusting)
        positions = self._recorder.store(
            Append(
                stored,
                [self._hashed(claim) for claim in claims],
                [self._hashed(claim) for claim in releases],
                answers,
                new_keys,
                reads or {},
            )
        )
        self._seconds.observe(perf_counter() - started)
        self._appended.inc(len(positions))
        tracing.appended(facts, positions, began)
        return positions

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

    def run(
        self, after: int, limit: int, wanted: Callable[[str], bool]
    ) -> tuple[range, list[Recorded[Event]]]:
        """Return the positions of up to `limit` facts after one, and those facts that are wanted.

        Args:
            after: a position; 0 for the beginning.
            limit: how many at most.
            wanted: says by its topic whether to read a fact; this release may not know others.

        Raises:
            CorruptLog: positions are missing among them.
        """
        found = self._run(after, limit)
        mapper = cast(FactMapper, self.mapper)
        facts = mapper.facts([stored for stored in found if wanted(stored.topic)])
        return range(after + 1, after + 1 + len(found)), facts

    def raw(self, after: int, limit: int) -> list[RawFact]:
        """Return the up to `limit` facts after a position as they were stored, to be passed on.

        Raises:
            CorruptLog: positions are missing among them, or one's bytes are not what was stored.
        """
        return cast(FactMapper, self.mapper).raw(self._run(after, limit))

    def _run(self, after: int, limit: int) -> Sequence[Notification]:
        found = self._recorder.select_notifications(after, limit, inclusive_of_start=False)
        if found and found[-1].id != after + len(found):
            raise CorruptLog(f"{self.context} lacks facts after {after}")
        return found

    def since(self, after: int) -> datetime | None:
        """Return when the first fact after a position was recorded, whether or not it can be read.

        Returns:
            None when there is none.
        """
        found = self._recorder.select_notifications(after, 1, inclusive_of_start=False)
        return cast(FactMapper, self.mapper).recorded_at(found[0]) if found else None

    def stream(self, stream_id: str, after_version: int = 0) -> list[Recorded[Event]]:
        """Return the facts of one stream, in order; empty when it does not exist."""
        mapper = cast(FactMapper, self.mapper)
        found = self._recorder.select_events(stream_id, gt=after_version or None)
        return mapper.facts(found)

    def streams(self, stream_ids: Sequence[str]) -> dict[str, list[Recorded[Event]]]:
        """Return the facts of many streams, each in order; none of one that does not exist."""
        found: dict[str, list[Recorded[Event]]] = {stream_id: [] for stream_id in stream_ids}
        for fact in cast(FactMapper, self.mapper).facts(self._recorder.select_streams(stream_ids)):
            found[fact.stream_id].append(fact)
        return found

    def version(self, stream_id: str) -> int:
        """Return the stream's current version, 0 when it does not exist."""
        return self._recorder.stream_version(stream_id)

    def existing(self, stream_ids: Iterable[str]) -> set[str]:
        """Return those of many streams that exist."""
        return self._recorder.select_existing(list(stream_ids))

    def tip(self) -> int:
        """Return the last position, 0 when the log is empty."""
        return self._recorder.max_notification_id() or 0

    def holder(self, scope: str, key: str) -> str | None:
        """Return the stream that holds a claimed key, if any."""
        return self._recorder.select_claim(scope, self._hash(scope, key))

    def holders(self, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
        """Return who holds each of these keys, given as (scope, key)."""
        hashed = {(scope, self._hash(scope, key)): (scope, key) for scope, key in places}
        found = self._recorder.select_claims(list(hashed))
        return {place: found.get(stored) for stored, place in hashed.items()}

    def answer(self, command_id: str) -> AnsweredCommand | None:
        """Return what a command was answered, if it was."""
        return self._recorder.select_answers([command_id]).get(command_id)

    def answers(self, command_ids: Sequence[str]) -> dict[str, AnsweredCommand]:
        """Return what commands were answered, by id, leaving out those that were not."""
        return self._recorder.select_answers(command_ids)

    def erase(self, subject: str) -> bool:
        """Destroy a person's key: their personal fields read as None from now on.

        Other processes may know the key for a minute, and read models keep what they hold until
        they are made anew.

        Returns:
            Whether there was a key.
        """
        destroyed = self._recorder.destroy_key(subject)
        self.vault.forget(subject)
        return destroyed

    def prepare(self) -> None:
        """Have the log keep what its claims are hashed with, as soon as there is a log."""
        _ = self._pepper

    @cached_property
    def _pepper(self) -> bytes:
        """What claims are hashed with: kept beside the persons' keys, for it must never change."""
        made = hmac.digest(self._keks[0], b"annals claims", "sha256")
        return self.vault.unwrapped(self._recorder.keep_key(_PEPPER, self.vault.wrapped(made)))

    def wrap_anew(self, told: Callable[[int, int], None] = lambda _seen, _changed: None) -> None:
        """Wrap every key by the first key-encryption key, so that the others are needed no more.

        Facts are not touched. It may be interrupted and done again, while others append; whoever
        appends must know the same first key.

        Args:
            told: how many more keys were looked at, and how many of them wrapped anew.

        Raises:
            SealBroken: none of the key-encryption keys opens a key.
        """
        after = ""
        while found := self._recorder.keys_after(after, _KEYS):
            changes = [
                (name, wrapped, anew)
                for name, wrapped in found
                if (anew := self.vault.wrapped_anew(wrapped)) is not None
            ]
            if changes:
                self._recorder.exchange_keys(changes)
            after = found[-1][0]
            told(len(found), len(changes))

    def _digest(self, scope: str, key: str) -> str:
        digest = hashlib.blake2b(key.encode(), key=self._pepper, digest_size=16)
        digest.update(scope.encode())
        return digest.hexdigest()

    def _hashed(self, claim: Claim) -> Claim:
        return Claim(claim.scope, self._hash(claim.scope, claim.key), claim.stream_id)
