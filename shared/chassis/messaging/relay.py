"""The relay: publishes a context's log as it grows."""

from collections.abc import Callable
from time import monotonic

from sqlalchemy import BigInteger, Column, MetaData, Select, String, Table, select

from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog
from shared.chassis.messaging.slices import MAX_EVENTS, Parcel, cut
from shared.chassis.messaging.watch import Watch

__all__ = ["Publish", "Relay"]

Publish = Callable[[Parcel], None]
"""Hands a parcel to the broker; returns once the broker answers for it, or raises."""

_metadata = MetaData()
relayed = Table(
    "relayed",
    _metadata,
    Column("context", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
)


class Relay:
    """Publishes what follows the last confirmed position, slice by slice.

    The confirmed position is written down now and then rather than per slice, since a crash only
    makes the relay say some things twice. One relay is active per context.

    Args:
        log: the context's log.
        publish: the way to the broker.
    """

    SAVE_EVERY = 1.0
    """Seconds between two notes of the confirmed position."""

    def __init__(self, log: EventLog, publish: Publish) -> None:
        self.context = log.context
        self._log = log
        self._publish = publish
        self._watch = Watch(log.database)
        self._behind = True
        with self._database.transaction() as connection:
            _metadata.create_all(connection)
            self.position: int = connection.execute(self._query).scalar() or 0
        self._saved = self.position
        self._saved_at = monotonic()

    def is_behind(self) -> bool:
        """Whether the log may hold facts that are not published yet."""
        self._behind = self._behind or self._watch.changed()
        return self._behind

    def step(self) -> int:
        """Publish up to one slice's worth of new facts and return how many there were.

        Raises:
            Exception: whatever `publish` raises; the position stays before what was not confirmed.
        """
        if not self.is_behind():
            self._save_when_due()
            return 0
        before = self.position
        self._behind = True
        facts = self._log.read(before, MAX_EVENTS)
        for parcel in cut(facts):
            self._publish(parcel)
            self.position = parcel.last
        self._behind = len(facts) == MAX_EVENTS
        self._save_when_due()
        return self.position - before

    def save(self) -> None:
        """Write down the confirmed position."""
        if self.position == self._saved:
            return
        with self._database.transaction() as connection:
            connection.execute(relayed.delete().where(relayed.c.context == self.context))
            connection.execute(
                relayed.insert().values(context=self.context, position=self.position)
            )
        self._saved, self._saved_at = self.position, monotonic()

    def close(self) -> None:
        """Write down the confirmed position and let go of the log."""
        self.save()
        self._watch.close()

    @property
    def _database(self) -> Database:
        return self._log.database

    @property
    def _query(self) -> Select[int]:
        return select(relayed.c.position).where(relayed.c.context == self.context)

    def _save_when_due(self) -> None:
        if monotonic() - self._saved_at >= self.SAVE_EVERY:
            self.save()
