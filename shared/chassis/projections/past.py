"""Looking back: the same folds over the facts up to a moment, in a database beside the live one."""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import monotonic

from sqlalchemy import Connection, func, select

from shared.chassis.database import Database
from shared.chassis.projections.projector import Projector
from shared.chassis.shapes.errors import Unavailable
from shared.chassis.shapes.history import Concerns, Facts, facts, history
from shared.chassis.shapes.projection import Projection
from shared.chassis.shapes.query import Past
from shared.events.base import Event, Recorded

__all__ = ["Hindsight", "fold_into"]

_KEPT_FOR = 600.0
"""Seconds that everybody's past is kept at most: somebody may be erased from it."""
_TURN = 5.0
"""Seconds to wait while another's question folds everybody's past."""

_Place = tuple[datetime, Past, int]
"""A moment, the time that is meant, and how many facts up to it were known when it was folded."""


def fold_into(
    projector: Projector, connection: Connection, batches: Iterable[Sequence[Recorded[Event]]]
) -> None:
    """Fold batches of facts, each of one context in order, into fresh tables."""
    for batch in batches:
        for projection in projector.projections.values():
            projector.apply(connection, projection, batch)


class Hindsight:
    """Answers "what did the read models say at T?" from the facts a service keeps.

    One entity's past is folded on the fly; everybody's is folded once per moment and kept for the
    next question, as long as no further fact from before that moment has come in.

    Args:
        projections: the service's read models; those that keep the facts themselves stay live.
    """

    KEPT = 4

    def __init__(self, projections: Sequence[type[Projection]]) -> None:
        kept = {Facts.name, Concerns.name}
        self._projector = Projector(p for p in projections if p.name not in kept)
        self._spare: deque[Database] = deque()
        """Empty side databases: what a question folds into one is rolled back."""
        self._whole: OrderedDict[_Place, tuple[Database, float]] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def at(
        self, live: Connection, moment: datetime, time: Past, about: Iterable[str] | None
    ) -> Iterator[Connection]:
        """Open the read models as they were.

        Args:
            live: a read of the service's views.
            moment: T, included.
            time: `occurred` or `recorded`.
            about: fold only what concerns these ids; None folds everything.

        Raises:
            Unavailable: everybody's past is asked for, and another question takes long to fold it.
        """
        if about is not None:
            with self._lent() as side, side.transaction() as connection, _undone(connection):
                fold_into(self._projector, connection, history(live, moment, time, about))
                yield connection
            return
        with self._everybody(live, moment, time).read() as connection:
            yield connection

    def _everybody(self, live: Connection, moment: datetime, time: Past) -> Database:
        at = facts.c.occurred_at if time == "occurred" else facts.c.recorded_at
        known = live.execute(select(func.count()).where(at <= moment)).scalar_one()
        place = (moment, time, known)
        if not self._lock.acquire(timeout=_TURN):
            raise Unavailable("the past of everybody is being folded for others; try again")
        try:
            kept, now = self._whole, monotonic()
            for old in [place for place, (_, made) in kept.items() if now - made > _KEPT_FOR]:
                del kept[old]
            if place not in kept:
                kept[place] = self._folded(live, moment, time), now
                while len(kept) > self.KEPT:
                    kept.popitem(last=False)
            kept.move_to_end(place)
            return kept[place][0]
        finally:
            self._lock.release()

    def _folded(self, live: Connection, moment: datetime, time: Past) -> Database:
        side = self._empty()
        with side.transaction() as connection:
            fold_into(self._projector, connection, history(live, moment, time))
        return side

    @contextmanager
    def _lent(self) -> Iterator[Database]:
        """Lend an empty database to one question; it gives it back empty."""
        try:
            side = self._spare.pop()
        except IndexError:
            side = self._empty()
        try:
            yield side
        finally:
            self._spare.append(side)

    def _empty(self) -> Database:
        side = Database.sqlite(None)
        with side.transaction() as connection:
            self._projector.prepare(connection)
        return side


@contextmanager
def _undone(connection: Connection) -> Iterator[None]:
    """Undo at the end of the block what was written in it."""
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()
