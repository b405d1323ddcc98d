"""What an Annals recorder does beyond the library's: claims, answered commands, subject keys."""

from abc import abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    Notification,
    StoredEvent,
    Subscription,
)

__all__ = [
    "AnsweredCommand",
    "Append",
    "AppendConflict",
    "Claim",
    "CommandRepeated",
    "LogRecorder",
    "PollingSubscription",
]


class AppendConflict(IntegrityError):
    """Somebody else was faster: a stream's version, a claim or a key is taken. Decide again."""


class CommandRepeated(IntegrityError):
    """The command was answered in the meantime."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that belongs to one stream within its scope; unique under concurrency."""

    scope: str
    key: str
    stream_id: str


@dataclass(frozen=True, slots=True)
class AnsweredCommand:
    """The answer kept for a repeated command.

    `events` counts the appended batch's events up to and including this command's, so that the
    recorder can fill in the position it does not know before.
    """

    command_id: str
    stream_id: str
    version: int
    events: int = 0
    position: int = 0
    outcome: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Append:
    """Facts and what is unique beside them, to be stored whole or not at all."""

    events: Sequence[StoredEvent]
    claims: Sequence[Claim] = ()
    """Keys to take, after the releases."""
    releases: Sequence[Claim] = ()
    answers: Sequence[AnsweredCommand] = ()
    keys: Mapping[str, bytes] = field(default_factory=dict)
    """`{subject: wrapped key}` of new data subjects."""
    reads: Mapping[str, int] = field(default_factory=dict)
    """`{stream: version}` the decision rests on: streams that must not have moved on."""

    def expected(self) -> dict[str, int]:
        """Return the version each stream written or read must be at when the append is stored.

        Raises:
            AppendConflict: no version fits, because the append contradicts itself.
        """
        expected = dict(self.reads)
        last: dict[str, int] = {}
        for event in self.events:
            stream_id, version = as_text(event.originator_id), event.originator_version
            before = last.get(stream_id)
            if before is None:
                before = expected.setdefault(stream_id, version - 1)
            if version != before + 1:
                raise AppendConflict(f"{stream_id} has a gap between {before} and {version}")
            last[stream_id] = version
        return expected


class LogRecorder(ApplicationRecorder):
    """A context's log: gapless positions in commit order, and what is unique beside it."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> range:
        """Store an `Append` of these events; see `store`."""
        return self.store(Append(stored_events, **kwargs))

    @abstractmethod
    def store(self, append: Append) -> range:
        """Append whole or not at all, in one transaction or inside the one that is open.

        Returns:
            The positions taken; an append without events gives an empty range behind the tip.

        Raises:
            CommandRepeated: an answer's command id is known.
            AppendConflict: a version, claim, release or key does not fit.
        """

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Any]:
        """Open a transaction that reads and appends join."""

    def alone(self) -> AbstractContextManager[Any]:
        """Open or join a transaction in which nobody else appends."""
        return self.transaction()

    @property
    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether this thread has such a transaction open."""

    @property
    def in_doubt(self) -> bool:
        """Whether what this thread reads may yet be rolled back."""
        return self.in_transaction

    @abstractmethod
    def select_streams(self, stream_ids: Sequence[str]) -> Sequence[StoredEvent]:
        """Return the events of many streams, each stream's in order."""
        ...

    @abstractmethod
    def select_claim(self, scope: str, key: str) -> str | None:
        """Return the stream that holds the key, if any."""

    @abstractmethod
    def select_claims(self, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the holders of those of many (scope, key) that are held."""

    @abstractmethod
    def select_answers(self, command_ids: Sequence[str]) -> dict[str, AnsweredCommand]:
        """Return the stored answers of those commands that were answered, by id."""

    @abstractmethod
    def select_keys(self, subjects: Sequence[str]) -> dict[str, bytes]:
        """Return the wrapped keys of those subjects who have or had one; empty when destroyed."""

    @abstractmethod
    def keep_key(self, subject: str, wrapped: bytes) -> bytes:
        """Store a wrapped key unless there is one of that name, and return the one there is."""

    @abstractmethod
    def keys_after(self, subject: str, limit: int) -> Sequence[tuple[str, bytes]]:
        """Return the names and wrapped keys that follow a name, in order, but destroyed ones."""

    @abstractmethod
    def exchange_keys(self, changes: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Overwrite wrapped keys, given as (name, before, after), but those that changed since."""

    @abstractmethod
    def destroy_key(self, subject: str) -> bool:
        """Overwrite the subject's key for ever; return whether there was one."""

    @abstractmethod
    def stream_version(self, stream_id: str) -> int:
        """Return the stream's current version, 0 when it does not exist."""

    @abstractmethod
    def select_existing(self, stream_ids: Sequence[str]) -> set[str]:
        """Return those of many streams that exist."""

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Return an iterator over notifications that polls for new ones."""
        return PollingSubscription(self, gt, topics)


class PollingSubscription(Subscription[ApplicationRecorder]):
    """Yields notifications as they come, asking the recorder at short intervals."""

    INTERVAL = 0.02
    BATCH = 256

    def __init__(self, recorder: LogRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._ready: deque[Notification] = deque()
        self._stopping = Event()

    def stop(self) -> None:
        """End the iteration, also one that waits."""
        super().stop()
        self._stopping.set()

    def __next__(self) -> Notification:
        """Return the next notification, waiting for it; stop when the subscription is stopped."""
        while not self._ready and not self._stopping.is_set():
            self._ready.extend(
                self._recorder.select_notifications(
                    self._last_notification_id,
                    self.BATCH,
                    topics=self._topics,
                    inclusive_of_start=False,
                )
            )
            if not self._ready:
                self._stopping.wait(self.INTERVAL)
        if self._stopping.is_set():
            raise StopIteration
        notification = self._ready.popleft()
        self._last_notification_id = notification.id
        return notification


def as_text(id: UUID | str) -> str:
    """Return a stream id as the text it is stored as."""
    return id if isinstance(id, str) else str(id)
