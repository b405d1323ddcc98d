"""The relay: publishes a context's log as it grows."""

from collections import deque
from collections.abc import Callable
from time import monotonic

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, select

from shared.chassis.database import Database, short
from shared.chassis.eventstore import EventLog
from shared.chassis.messaging.slices import MAX_EVENTS, Parcel, cut
from shared.chassis.messaging.watch import Watch
from shared.chassis.telemetry import tracing

__all__ = ["Publish", "Relay", "relayed_position"]

Publish = Callable[[Parcel], None]
"""Hands a parcel to the broker, or raises."""

_metadata = MetaData()
relayed = Table(
    "relayed",
    _metadata,
    Column("context", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

_SAVE = (
    "INSERT INTO relayed (context, position) VALUES (?, ?) ON CONFLICT (context) "
    "DO UPDATE SET position = excluded.position WHERE relayed.position < excluded.position"
)


def relayed_position(connection: Connection, context: str) -> int:
    """Return the confirmed position as it was last written down, 0 when nothing was."""
    query = select(relayed.c.position).where(relayed.c.context == context)
    return connection.execute(query).scalar() or 0


class Relay:
    """Publishes what follows the last confirmed position, slice by slice.

    Full slices follow each other at once. A shorter one is only sent while none is unconfirmed, so
    that under load the facts of a broker's answering time gather in one slice.

    The confirmed position is written down now and then rather than per slice, since a crash only
    makes the relay say some things twice. One relay is active per context.

    Args:
        log: the context's log.
        publish: the way to the broker.
        unconfirmed: returns how many of the parcels published last are not confirmed, counted from
            the first that is not.
    """

    SAVE_EVERY = 1.0
    """Seconds between two notes of the confirmed position."""

    def __init__(
        self, log: EventLog, publish: Publish, unconfirmed: Callable[[], int] = lambda: 0
    ) -> None:
        self.context = log.context
        self._log = log
        self._publish = publish
        self._unconfirmed = unconfirmed
        self._watch = Watch(log.database)
        self._behind = True
        with self._database.transaction() as connection:
            _metadata.create_all(connection)
            self.position = relayed_position(connection, self.context)
        self._sent: deque[int] = deque()
        self._saved = self.position
        self._saved_at = monotonic()

    def is_behind(self) -> bool:
        """Whether the log may hold facts that are not published yet."""
        self._behind = self._behind or self._watch.changed()
        return self._behind

    def step(self) -> int:
        """Publish up to one slice's worth of new facts and return how many there were.

        Raises:
            Exception: whatever `publish` raises; what was not confirmed is published again.
        """
        published = 0
        self._note_confirmed()
        gathering = bool(self._sent) and not self._behind
        if not gathering and self.is_behind():
            try:
                published = self._publish_next()
            except Exception:
                self.rewind()
                raise
            self._note_confirmed()
        if monotonic() - self._saved_at >= self.SAVE_EVERY:
            self.save()
        return published

    def rewind(self) -> None:
        """Go on after the last confirmed position: what was in flight is lost."""
        self._sent.clear()
        self._behind = True

    def save(self) -> None:
        """Write down the confirmed position."""
        self._note_confirmed()
        self._write_down()

    def _write_down(self) -> None:
        if self.position == self._saved:
            return
        with self._database.transaction() as connection:
            short(connection, _SAVE, (self.context, self.position))
        self._saved, self._saved_at = self.position, monotonic()

    def close(self) -> None:
        """Write down what is known to be confirmed and let go of the log.

        A publisher that has let its connection go knows of nothing in flight any more: it is not
        asked again.
        """
        try:
            self._write_down()
        finally:
            self._watch.close()

    @property
    def _database(self) -> Database:
        return self._log.database

    def _publish_next(self) -> int:
        self._behind = True
        after = self._sent[-1] if self._sent else self.position
        facts = self._log.raw(after, MAX_EVENTS)
        for parcel in cut(facts):
            some = facts[parcel.first - after - 1 : parcel.last - after]
            self._publish(parcel._replace(traceparent=tracing.published(some)))
            self._sent.append(parcel.last)
        self._behind = len(facts) == MAX_EVENTS
        return len(facts)

    def _note_confirmed(self) -> None:
        for _ in range(len(self._sent) - self._unconfirmed()):
            self.position = self._sent.popleft()
