"""Reading logs for people: several contexts in one order of time, filtered."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from heapq import merge
from typing import Any

from shared.chassis.eventstore import EventLog
from shared.events.base import Recorded

__all__ = ["Filter", "facts", "history", "latest", "refers_to"]

Fact = Recorded[Any]

_BATCH = 512


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which facts are wanted; None does not ask.

    Args:
        event: pattern over topics and event names, e.g. `LeadCaptured`, `leads.*`, `*.v1`.
        actor: employee id or `system:<policy>`.
        since: recorded at this moment or later.
        until: recorded before this moment.
    """

    event: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, fact: Fact) -> bool:
        """Whether the fact is wanted."""
        return (
            (self.event is None or self._names(fact))
            and (self.actor is None or fact.actor == self.actor)
            and (self.since is None or fact.recorded_at >= self.since)
            and (self.until is None or fact.recorded_at < self.until)
        )

    def _names(self, fact: Fact) -> bool:
        names = (fact.topic, type(fact.event).__name__)
        return any(fnmatchcase(name, str(self.event)) for name in names)


def facts(
    logs: Iterable[EventLog], after: int = 0, seen: Callable[[int], None] = lambda _: None
) -> Iterator[Fact]:
    """Give the facts of several logs in the order in which they were recorded.

    Args:
        logs: the contexts' logs.
        after: leave out this many facts at the beginning of each log.
        seen: told how many facts were read since it was last told.
    """
    return merge(
        *(_facts(log, after, seen) for log in logs),
        key=lambda fact: (fact.recorded_at, fact.context, fact.position),
    )


def latest(logs: Sequence[EventLog], number: int, wanted: Filter) -> list[Fact]:
    """Return the last wanted facts of several logs, oldest first.

    Args:
        logs: the contexts' logs.
        number: at most how many; 0 for all.
        wanted: which.
    """
    found = facts(logs) if wanted != Filter() or not number else _tails(logs, number)
    return list(deque(filter(wanted.wants, found), maxlen=number or None))


def history(logs: Sequence[EventLog], id: str) -> list[Fact]:
    """Return every fact of the streams that bear an id, in the order in which they happened."""
    found = [fact for log in logs for fact in log.stream(id)]
    return sorted(found, key=lambda fact: (fact.recorded_at, fact.context, fact.position))


def refers_to(fact: Fact, id: str) -> bool:
    """Whether a fact is about an id, or names it in a field that holds ids."""
    return fact.stream_id == id or any(
        _holds(getattr(fact.event, field), id) for field, _ in fact.event.references
    )


def _holds(value: Any, id: str) -> bool:
    if isinstance(value, str):
        return value == id
    return isinstance(value, Iterable) and id in value


def _facts(log: EventLog, after: int, seen: Callable[[int], None]) -> Iterator[Fact]:
    while batch := log.read(after, _BATCH):
        seen(len(batch))
        yield from batch
        after = batch[-1].position


def _tails(logs: Sequence[EventLog], number: int) -> Iterator[Fact]:
    tails = [log.read(max(0, log.tip() - number), number) for log in logs]
    return iter(
        sorted(
            (fact for tail in tails for fact in tail),
            key=lambda fact: (fact.recorded_at, fact.context, fact.position),
        )
    )
