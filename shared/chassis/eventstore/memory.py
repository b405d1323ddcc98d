"""The log in memory: for unit tests, with the same promises as the others."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import RLock, get_ident
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent

from shared.chassis.eventstore.recorder import (
    AnsweredCommand,
    Append,
    AppendConflict,
    CommandRepeated,
    LogRecorder,
    as_text,
)

__all__ = ["MemoryRecorder"]


class MemoryRecorder(LogRecorder):
    """See `LogRecorder`. A transaction copies what it may have to give back."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._owner: int | None = None
        self._log: list[Notification] = []
        self._streams: dict[str, list[Notification]] = {}
        self._claims: dict[tuple[str, str], str] = {}
        self._answers: dict[str, AnsweredCommand] = {}
        self._keys: dict[str, bytes] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock; on an exception put everything back as it was."""
        with self._lock:
            if self._owner is not None:
                yield
                return
            self._owner = get_ident()
            length = len(self._log)
            kept = dict(self._claims), dict(self._answers), dict(self._keys)
            try:
                yield
            except BaseException:
                for gone in reversed(self._log[length:]):
                    self._streams[as_text(gone.originator_id)].pop()
                del self._log[length:]
                self._claims, self._answers, self._keys = kept
                raise
            finally:
                self._owner = None

    @property
    def in_transaction(self) -> bool:
        """Whether this thread holds it."""
        return self._owner == get_ident()

    def store(self, append: Append) -> range:
        """Append whole or not at all."""
        with self._lock:
            self._check(append)
            tip = len(self._log)
            for position, stored in enumerate(append.events, tip + 1):
                stream_id = as_text(stored.originator_id)
                notification = Notification(
                    stream_id, stored.originator_version, stored.topic, stored.state, position
                )
                self._log.append(notification)
                self._streams.setdefault(stream_id, []).append(notification)
            for claim in append.releases:
                del self._claims[claim.scope, claim.key]
            for claim in append.claims:
                self._claims[claim.scope, claim.key] = claim.stream_id
            for answer in append.answers:
                self._answers[answer.command_id] = replace(answer, position=tip + answer.events)
            self._keys.update(append.keys)
            return range(tip + 1, tip + 1 + len(append.events))

    def _check(self, append: Append) -> None:
        for stream_id, version in append.expected().items():
            if (current := self.stream_version(stream_id)) != version:
                raise AppendConflict(f"{stream_id} is at version {current}")
        held = dict(self._claims) if append.claims or append.releases else {}
        for claim in append.releases:
            if held.pop((claim.scope, claim.key), None) != claim.stream_id:
                raise AppendConflict(f"{claim.scope} is no longer held by {claim.stream_id}")
        for claim in append.claims:
            if (claim.scope, claim.key) in held:
                raise AppendConflict(f"{claim.scope} is held already")
            held[claim.scope, claim.key] = claim.stream_id
        if any(subject in self._keys for subject in append.keys):
            raise AppendConflict("a subject key was made meanwhile")
        seen = {answer.command_id for answer in append.answers}
        if len(seen) < len(append.answers) or not seen.isdisjoint(self._answers):
            raise CommandRepeated("answered already")

    def select_streams(self, stream_ids: Sequence[str]) -> Sequence[StoredEvent]:
        """Return the events of many streams, each stream's in order."""
        return [event for stream_id in stream_ids for event in self.select_events(stream_id)]

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
        with self._lock:
            found = [
                stored
                for stored in self._streams.get(as_text(originator_id), ())
                if (gt is None or stored.originator_version > gt)
                and (lte is None or stored.originator_version <= lte)
            ]
        if desc:
            found.reverse()
        return found[:limit]

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
        first = max(0, (start or 0) - (1 if inclusive_of_start else 0))
        with self._lock:
            run = self._log[first:stop]
        return [n for n in run if not topics or n.topic in topics][:limit]

    def max_notification_id(self) -> int | None:
        """Return the last position, None when the log is empty."""
        with self._lock:
            return len(self._log) or None

    def stream_version(self, stream_id: str) -> int:
        """Return the stream's current version, 0 when it does not exist."""
        with self._lock:
            return len(self._streams.get(stream_id, ()))

    def select_existing(self, stream_ids: Sequence[str]) -> set[str]:
        """Return those of many streams that exist."""
        with self._lock:
            return {stream_id for stream_id in stream_ids if self._streams.get(stream_id)}

    def select_claim(self, scope: str, key: str) -> str | None:
        """Return the stream that holds the key, if any."""
        with self._lock:
            return self._claims.get((scope, key))

    def select_claims(self, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the holders of those of many (scope, key) that are held."""
        with self._lock:
            return {place: self._claims[place] for place in places if place in self._claims}

    def select_answers(self, command_ids: Sequence[str]) -> dict[str, AnsweredCommand]:
        """Return the stored answers of those commands that were answered, by id."""
        with self._lock:
            return {id: self._answers[id] for id in command_ids if id in self._answers}

    def select_keys(self, subjects: Sequence[str]) -> dict[str, bytes]:
        """Return the wrapped keys of those who have or had one; empty when destroyed."""
        with self._lock:
            return {s: self._keys[s] for s in subjects if s in self._keys}

    def keep_key(self, subject: str, wrapped: bytes) -> bytes:
        """Store a wrapped key unless there is one of that name, and return the one there is."""
        with self._lock:
            return self._keys.setdefault(subject, wrapped)

    def keys_after(self, subject: str, limit: int) -> Sequence[tuple[str, bytes]]:
        """Return the names and wrapped keys that follow a name, in order, but destroyed ones."""
        with self._lock:
            rest = sorted((s, wrapped) for s, wrapped in self._keys.items() if s > subject)
            return [one for one in rest if one[1]][:limit]

    def exchange_keys(self, changes: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Overwrite wrapped keys, given as (name, before, after), but those that changed since."""
        with self._lock:
            for subject, before, after in changes:
                if self._keys[subject] == before:
                    self._keys[subject] = after

    def destroy_key(self, subject: str) -> bool:
        """Overwrite the key with nothing."""
        with self._lock:
            existed = bool(self._keys.get(subject))
            if existed:
                self._keys[subject] = b""
            return existed
