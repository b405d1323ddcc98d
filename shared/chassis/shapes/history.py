"""Every fact a service received: its timeline, its audit search, its source for looking back."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    literal,
    select,
    tuple_,
)

from shared.chassis.shapes.columns import Instant, JsonText
from shared.chassis.shapes.errors import Invalid
from shared.chassis.shapes.projection import Key, Projection, Row
from shared.chassis.shapes.query import Past
from shared.events import accounts, billing, leads, pipeline, support, workplace
from shared.events.base import TOPICS, Event, Recorded, event_id, read_event

__all__ = ["Concerns", "Facts", "concerns", "facts", "facts_about", "history", "revived"]

_MODULES = {module.__name__ for module in (accounts, billing, leads, pipeline, support, workplace)}
_BATCH = 2000

facts = Table(
    "facts",
    MetaData(),
    Column("context", String, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("topic", String, nullable=False),
    Column("stream_id", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("actor", String, nullable=False),
    Column("command_id", String, nullable=False),
    Column("correlation_id", String, nullable=False),
    Column("causation_id", String),
    Column("import_id", String),
    Column("rule", String),
    Column("erased", Boolean, nullable=False),
    Column("data", JsonText, nullable=False),
    Index("facts_occurred", "occurred_at"),
    Index("facts_recorded", "recorded_at"),
)

concerns = Table(
    "concerns",
    MetaData(),
    Column("entity_id", String, primary_key=True),
    Column("context", String, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)


class Facts(Projection):
    """Every fact, as it reads today."""

    table = facts
    once = True
    events = tuple(event for event in TOPICS.values() if event.__module__ in _MODULES)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per fact."""
        return ((recorded.context, recorded.position),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the fact."""
        event = recorded.event
        return {
            "context": recorded.context,
            "position": recorded.position,
            "topic": recorded.topic,
            "stream_id": recorded.stream_id,
            "version": recorded.version,
            "occurred_at": recorded.occurred_at,
            "recorded_at": recorded.recorded_at,
            "actor": recorded.actor,
            "command_id": recorded.command_id,
            "correlation_id": recorded.correlation_id,
            "causation_id": recorded.causation_id,
            "import_id": recorded.import_id,
            "rule": recorded.rule,
            "erased": recorded.erased,
            "data": event.__pydantic_serializer__.to_json(event, exclude_none=True).decode(),
        }


class Concerns(Projection):
    """Whom and what each fact concerns: its stream, and every id its payload refers to."""

    table = concerns
    once = True
    events = Facts.events

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per entity and fact."""
        context, position, stream_id, _, event, *_ = recorded
        ids = [stream_id]
        for name, _ in event.references:
            value = getattr(event, name)
            if isinstance(value, str):
                ids.append(value)
            elif value:
                ids.extend(value)
        return [(one, context, position) for one in dict.fromkeys(ids)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the link."""
        entity_id, context, position = key
        return {"entity_id": entity_id, "context": context, "position": position}


def revived(row: Mapping[str, Any]) -> Recorded[Event]:
    """Return the fact that a row of `facts` keeps."""
    return Recorded(
        row["context"],
        row["position"],
        row["stream_id"],
        row["version"],
        read_event(row["topic"], dict(row["data"])),
        row["occurred_at"],
        row["recorded_at"],
        row["actor"],
        row["command_id"],
        row["correlation_id"],
        row["causation_id"],
        row["import_id"],
        row["rule"],
        row["erased"],
    )


def history(
    connection: Connection,
    until: datetime | None = None,
    time: Past = "occurred",
    about: Iterable[str] | None = None,
) -> Iterator[list[Recorded[Event]]]:
    """Yield the kept facts in log order, context by context, in batches.

    Args:
        connection: a read of the database that keeps them.
        until: only facts up to this moment, it included.
        time: whether `until` means business time or the time of recording.
        about: only facts that concern one of these ids.
    """
    statement = select(facts).order_by(facts.c.context, facts.c.position)
    if until is not None:
        statement = statement.where(facts.c[f"{time}_at"] <= until)
    if about is not None:
        places = (
            select(concerns.c.context, concerns.c.position)
            .where(concerns.c.entity_id.in_(list(about)))
            .distinct()
            .subquery()
        )
        statement = statement.join(
            places,
            (facts.c.context == places.c.context) & (facts.c.position == places.c.position),
        )
    batch: list[Recorded[Event]] = []
    streamed = statement.execution_options(yield_per=_BATCH)
    for row in connection.execute(streamed).mappings():
        if batch and (len(batch) >= _BATCH or batch[-1].context != row["context"]):
            yield batch
            batch = []
        batch.append(revived(dict(row)))
    if batch:
        yield batch


def facts_about(
    connection: Connection,
    about: Iterable[str],
    *,
    until: datetime | None = None,
    time: Past = "occurred",
    limit: int = 100,
    token: str | None = None,
    newest_first: bool = False,
) -> tuple[list[dict[str, Any]], str | None]:
    """Return one page of the facts that concern some ids, in the order they happened.

    Args:
        connection: a read of the database that keeps them.
        about: the ids.
        until: only facts up to this moment, it included.
        time: whether moments are business time or the time of recording.
        limit: the page's size.
        token: where the page before ended.
        newest_first: turn the order round.

    Returns:
        The rows of `facts` with their `event_id`, and the token of the next page if there is one.

    Raises:
        Invalid: the token is none of this list's.
    """
    moment = facts.c[f"{time}_at"]
    order = (moment, facts.c.recorded_at, facts.c.context, facts.c.position)
    places = (
        select(concerns.c.context, concerns.c.position)
        .where(concerns.c.entity_id.in_(list(about)))
        .distinct()
        .subquery()
    )
    statement = select(facts).join(
        places, (facts.c.context == places.c.context) & (facts.c.position == places.c.position)
    )
    if until is not None:
        statement = statement.where(moment <= until)
    if token is not None:
        after = _place(token)
        here = tuple_(*order)
        there = tuple_(*(literal(v, c.type) for v, c in zip(after, order, strict=True)))
        statement = statement.where(here < there if newest_first else here > there)
    statement = statement.order_by(*(c.desc() if newest_first else c for c in order))
    rows = [
        {**row, "event_id": event_id(row["context"], row["stream_id"], row["version"])}
        for row in connection.execute(statement.limit(limit + 1)).mappings()
    ]
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    place = [last[f"{time}_at"], last["recorded_at"], last["context"], last["position"]]
    return rows[:limit], base64.urlsafe_b64encode(orjson.dumps(place)).decode()


def _place(token: str) -> tuple[datetime, datetime, str, int]:
    try:
        at, recorded_at, context, position = orjson.loads(base64.urlsafe_b64decode(token.encode()))
        moments = datetime.fromisoformat(at), datetime.fromisoformat(recorded_at)
        return *moments, str(context), int(position)
    except (ValueError, TypeError) as error:
        raise Invalid.one("page_token", "is not a token this list gave") from error
