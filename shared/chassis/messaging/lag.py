"""Lag: how far every consumer is behind every log it listens to, and every relay behind its own.

One source for the command line, the metrics and readiness: positions as they stand in the
databases, and logs as their owners tell.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import inspect

from shared.chassis import tracking
from shared.chassis.clock import Clock
from shared.chassis.database import Database
from shared.chassis.messaging.deadlines import POLICIES, due
from shared.chassis.messaging.relay import relayed_position
from shared.chassis.service import OpenService

__all__ = ["RELAY", "Ahead", "Beyond", "Lag", "beyond_in", "lag", "quiescent", "relay_lag"]

RELAY = "relay"
"""The consumer under whose name a relay's lag is told."""


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


class Beyond(NamedTuple):
    """What a log holds after a position."""

    tip: int
    """Its last position."""
    since: datetime | None
    """When the first fact after the position was recorded; None when there is none."""


Ahead = Callable[[str, int], Beyond | None]
"""Tells what a context's log holds after a position; None when its owner cannot be asked."""


def beyond_in(services: Sequence[OpenService], elsewhere: Ahead | None = None) -> Ahead:
    """Return what looks into the logs of these services, and asks elsewhere for the others."""
    logs = {opened.name: opened.log for opened in services}

    def ahead(context: str, position: int) -> Beyond | None:
        log = logs.get(context)
        if log is None:
            return None if elsewhere is None else elsewhere(context, position)
        return Beyond(log.tip(), log.since(position))

    return ahead


def lag(services: Sequence[OpenService], elsewhere: Ahead | None = None) -> list[Lag]:
    """Return the lag of every consumer of these services on every log that can be asked for.

    Args:
        services: whose consumers, and whose logs.
        elsewhere: tells of the logs of other services; None leaves those out.
    """
    ahead = _remembered(beyond_in(services, elsewhere))
    found = []
    for opened in services:
        reached: dict[Database, Mapping[tuple[str, str], int]] = {}
        for database, consumer, contexts in _consumers(opened):
            if database not in reached:
                reached[database] = _positions(database)
            for context in sorted(contexts):
                position = reached[database].get((consumer, context), 0)
                if (beyond := ahead(context, position)) is not None:
                    found.append(_lag(opened, consumer, context, position, beyond))
    return found


def relay_lag(services: Sequence[OpenService]) -> list[Lag]:
    """Return how far the broker's last confirmed position is behind each of these services' logs.

    The position is written down about once a second, so it lags that much while facts come in.
    """
    ahead = beyond_in(services)
    found = []
    for opened in services:
        if opened.application is None:
            continue
        with opened.log_database.read() as connection:
            known = inspect(connection).has_table("relayed")
            position = relayed_position(connection, opened.name) if known else 0
        if (beyond := ahead(opened.name, position)) is not None:
            found.append(_lag(opened, RELAY, opened.name, position, beyond))
    return found


def _remembered(ahead: Ahead) -> Ahead:
    """Ask once per context and position: most consumers stand at the same one."""
    answers: dict[tuple[str, int], Beyond | None] = {}

    def remembered(context: str, position: int) -> Beyond | None:
        if (context, position) not in answers:
            answers[context, position] = ahead(context, position)
        return answers[context, position]

    return remembered


def _lag(opened: OpenService, consumer: str, context: str, position: int, beyond: Beyond) -> Lag:
    tip = max(position, beyond.tip)
    return Lag(opened.name, consumer, context, position, tip, _age(beyond.since, opened.clock))


def _age(since: datetime | None, clock: Clock) -> float:
    if since is None:
        return 0.0
    return max(timedelta(), clock.now() - since).total_seconds()


def quiescent(services: Sequence[OpenService], elsewhere: Ahead | None = None) -> bool:
    """Whether every consumer has applied every fact and no deadline is due.

    The tips of these services are compared before and after: when they have not moved, the
    positions read in between were all there was to apply at one moment.

    Args:
        services: whose consumers, and whose logs.
        elsewhere: tells of the logs of other services; those that cannot be asked are left out.
    """
    tips = [opened.log.tip() for opened in services]
    if any(row.position < row.tip for row in lag(services, elsewhere)):
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
