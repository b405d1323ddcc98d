"""Parking: what could not be applied waits here, in order, while everything else flows.

A *lane* is what must stay in order: a row of a read model, or a stream seen by one policy. Once a
letter waits in a lane, later letters of that lane queue up behind it. Facts are kept by their place
in the log, never by content, so that nothing personal stays behind here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    func,
    select,
)

from shared.chassis.database import alone, short
from shared.chassis.shapes.columns import Instant

__all__ = [
    "Kind",
    "Letter",
    "blame",
    "count",
    "counts",
    "create",
    "head",
    "letters",
    "park",
    "remove",
    "skip",
    "skipped",
    "standing",
]

MAX_BODY = 1024 * 1024
_MAX_REASON = 2000


class Kind(StrEnum):
    """What a letter is."""

    FACT = "fact"
    DEADLINE = "deadline"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Something that could not be applied.

    `context` and `position` say where a fact stands; `body` is a deadline's command or the bytes of
    an undecodable message; `error` says why it waits ("behind an earlier letter" for followers).
    """

    number: int
    consumer: str
    lane: str
    kind: Kind
    error: str
    parked_at: datetime
    context: str | None = None
    position: int | None = None
    body: bytes | None = None
    skipped_at: datetime | None = None
    reason: str | None = None


_metadata = MetaData()
parked = Table(
    "parked",
    _metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("consumer", String, nullable=False, index=True),
    Column("lane", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("error", Text, nullable=False),
    Column("parked_at", Instant, nullable=False),
    Column("context", String),
    Column("position", BigInteger),
    Column("body", LargeBinary),
    Column("skipped_at", Instant),
    Column("reason", Text),
)
_waiting = parked.c.skipped_at.is_(None)
_COUNTS = "SELECT consumer, count(*) FROM parked WHERE skipped_at IS NULL GROUP BY consumer"
_STANDING = (
    "SELECT consumer, context, position FROM tracking "
    "UNION ALL SELECT DISTINCT consumer, lane, CAST(NULL AS bigint) FROM parked "
    "WHERE skipped_at IS NULL"
)


def create(connection: Connection) -> None:
    """Create the table if it is not there."""
    alone(connection)
    _metadata.create_all(connection)


def park(
    connection: Connection,
    *,
    consumer: str,
    lane: str,
    kind: Kind,
    error: str,
    at: datetime,
    place: tuple[str, int] | None = None,
    body: bytes | None = None,
) -> None:
    """Put a letter at the end of its lane.

    Args:
        connection: in the transaction that goes on without it.
        consumer: who could not apply it.
        lane: what it waits in.
        kind: what it is.
        error: why it waits.
        at: since when.
        place: context and position of a fact.
        body: the content of anything else; cut at one mebibyte.
    """
    context, position = place or (None, None)
    connection.execute(
        parked.insert().values(
            consumer=consumer,
            lane=lane,
            kind=kind,
            error=error[:_MAX_REASON],
            parked_at=at,
            context=context,
            position=position,
            body=None if body is None else body[:MAX_BODY],
        )
    )


def standing(
    connection: Connection, consumers: Iterable[str]
) -> tuple[dict[str, set[str]], dict[tuple[str, str], int]]:
    """Return how consumers stand, asked at once.

    Returns:
        Per consumer the lanes in which something waits, and every tracked position and version
        (`tracking.positions`).
    """
    lanes: dict[str, set[str]] = {consumer: set() for consumer in consumers}
    reached = {}
    for consumer, place, position in short(connection, _STANDING):
        if position is not None:
            reached[consumer, place] = position
        elif consumer in lanes:
            lanes[consumer].add(place)
    return lanes, reached


def letters(connection: Connection, consumer: str | None = None) -> list[Letter]:
    """Return the waiting letters in order, all or one consumer's."""
    query = select(parked).where(_waiting).order_by(parked.c.number)
    if consumer is not None:
        query = query.where(parked.c.consumer == consumer)
    return [_letter(row) for row in connection.execute(query).mappings()]


def count(connection: Connection) -> int:
    """Return how many letters wait."""
    return connection.execute(select(func.count()).where(_waiting)).scalar_one()


def counts(connection: Connection) -> dict[str, int]:
    """Return how many letters wait, by consumer."""
    return dict(short(connection, _COUNTS))


def head(connection: Connection, consumer: str, lane: str) -> Letter | None:
    """Return the first waiting letter of a lane."""
    query = (
        select(parked)
        .where(_waiting, parked.c.consumer == consumer, parked.c.lane == lane)
        .order_by(parked.c.number)
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else _letter(row)


def remove(connection: Connection, letter: Letter) -> None:
    """Take out a letter that was applied."""
    connection.execute(parked.delete().where(parked.c.number == letter.number))


def blame(connection: Connection, letter: Letter, error: str) -> None:
    """Note why a letter failed again."""
    connection.execute(
        parked.update().where(parked.c.number == letter.number).values(error=error[:_MAX_REASON])
    )


def skip(connection: Connection, letter: Letter, reason: str, at: datetime) -> None:
    """Set a letter aside for good; it stays on record with the reason."""
    kept = {"body": None} if letter.kind is Kind.MESSAGE else {}  # it may speak of persons
    connection.execute(
        parked.update()
        .where(parked.c.number == letter.number)
        .values(skipped_at=at, reason=reason[:_MAX_REASON], **kept)
    )


def skipped(connection: Connection) -> list[Letter]:
    """Return the letters set aside, in order, with their reasons."""
    query = select(parked).where(~_waiting).order_by(parked.c.number)
    return [_letter(row) for row in connection.execute(query).mappings()]


def _letter(row: RowMapping) -> Letter:
    return Letter(**{**row, "kind": Kind(row["kind"])})
