"""A tiny vocabulary for exercising the log."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from shared.chassis.eventstore import EventLog
from shared.chassis.shapes import fresh_id
from shared.events.base import Event, Personal, Recorded, Ref

ToyId = Annotated[str, Ref("toy")]


class ToyMade(Event, topic="toys.ToyMade.v1"):
    """A toy was made."""

    name: str = "bear"
    maker: Personal[str] = None


class ToyGiven(Event, topic="toys.ToyGiven.v1", subject="child_id"):
    """A toy was given to a child."""

    child_id: ToyId
    wish: Personal[str] = None
    note: str | None


WHEN = datetime(2026, 3, 2, 12, tzinfo=UTC)


def facts(stream_id: str, *events: Event, after: int = 0) -> list[Recorded[Event]]:
    """Return events as facts to append to a stream that is at version `after`."""
    return [
        Recorded("toys", 0, stream_id, number, event, WHEN, WHEN, "maker", fresh_id(), "c")
        for number, event in enumerate(events, after + 1)
    ]


def append(log: EventLog, stream_id: str, *events: Event, after: int = 0) -> Sequence[int]:
    """Append events to a stream that is at version `after`."""
    return log.append(facts(stream_id, *events, after=after))
