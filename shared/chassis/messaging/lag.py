"""Lag: how far every consumer is behind every log it listens to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.chassis import tracking
from shared.chassis.database import Database
from shared.chassis.messaging.deadlines import POLICIES, due
from shared.chassis.service import OpenService

__all__ = ["Lag", "lag", "quiescent"]


@dataclass(frozen=True, slots=True)
class Lag:
    """One consumer's distance from one log."""

    service: str
    consumer: str
    context: str
    position: int
    tip: int
    seconds: float
    """Since the oldest fact it has not applied was recorded; 0 when it has applied all."""

    @property
    def events(self) -> int:
        """How many facts it has not applied."""
        return max(0, self.tip - self.position)


def lag(services: Sequence[OpenService]) -> list[Lag]:
    """Return the lag of every consumer of these services on every one of their logs."""
    logs = {opened.name: opened.log for opened in services}
    tips = {name: log.tip() for name, log in logs.items()}
    found = []
    for opened in services:
        for database, consumer, contexts in _consumers(opened):
            reached = _positions(database)
            for context in sorted(contexts & tips.keys()):
                position = reached.get((consumer, context), 0)
                seconds = 0.0
                if position < tips[context]:
                    (oldest,) = logs[context].read(position, 1)
                    waiting = opened.clock.now() - oldest.recorded_at
                    seconds = max(timedelta(), waiting).total_seconds()
                found.append(Lag(opened.name, consumer, context, position, tips[context], seconds))
    return found


def quiescent(services: Sequence[OpenService]) -> bool:
    """Whether every consumer has applied every fact and no deadline is due.

    The tips are compared before and after: when they have not moved, the positions read in between
    were all there was to apply at one moment.
    """
    tips = [opened.log.tip() for opened in services]
    if any(row.position < row.tip for row in lag(services)):
        return False
    if any(due(opened.log_database, opened.clock.now()) for opened in services):
        return False
    return tips == [opened.log.tip() for opened in services]


def _consumers(opened: OpenService) -> Iterable[tuple[Database, str, frozenset[str]]]:
    service = opened.service
    if service.policies:
        contexts = frozenset().union(*(policy.contexts for policy in service.policies))
        yield opened.log_database, POLICIES, contexts
    for projection in service.projections:
        yield opened.views_database, projection.name, projection.contexts()


def _positions(database: Database) -> dict[tuple[str, str], int]:
    with database.read() as connection:
        return tracking.positions(connection)
