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


class LogRecorder(ApplicationRecorder):
    """A context's log: gapless positions in commit order, and what is unique beside it.

    `insert_events` is one transaction. Beside the library's events it takes, by keyword:

    - `releases`, then `claims`: sequences of `Claim` to give up and to take;
    - `answers`: sequence of `AnsweredCommand`;
    - `keys`: `{subject: wrapped key}` of new data subjects.

    It raises `CommandRepeated` when an answer's command id is known, and `AppendConflict` when a
    version, claim, release or key does not fit; then nothing is stored. Inside `transaction()` it
    joins that transaction.
    """

    @abstractmethod
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
        """Append whole or not at all; return the positions taken."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Any]:
        """Open a transaction that reads and appends join."""

    @property
    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether this thread has such a transaction open."""

    @abstractmethod
    def select_claim(self, scope: str, key: str) -> str | None:
        """Return the stream that holds the key, if any."""

    @abstractmethod
    def select_answers(self, command_ids: Sequence[str]) -> dict[str, AnsweredCommand]:
        """Return the stored answers of those commands that were answered, by id."""

    @abstractmethod
    def select_keys(self, subjects: Sequence[str]) -> dict[str, bytes]:
        """Return the wrapped keys of those subjects who have or had one; empty when destroyed."""

    @abstractmethod
    def destroy_key(self, subject: str) -> bool:
        """Overwrite the subject's key for ever; return whether there was one."""

    @abstractmethod
    def stream_version(self, stream_id: str) -> int:
        """Return the stream's current version, 0 when it does not exist."""

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
