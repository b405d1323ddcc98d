"""Tracked positions: how far each consumer has applied each context's log.

A position is advanced in the transaction that applies its facts; that is what makes delivery at
least once into applying exactly once.
"""

from collections.abc import Collection

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, select

from shared.chassis.arrays import texts
from shared.chassis.database import alone, short

__all__ = ["VERSION", "advance", "advance_all", "create", "forget", "position", "positions"]

VERSION = "version"
"""Stands for a context where it is kept which version of a read model made its rows."""

_metadata = MetaData()
tracking = Table(
    "tracking",
    _metadata,
    Column("consumer", String, primary_key=True),
    Column("context", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
)


_MOVE = (
    "INSERT INTO tracking (consumer, context, position) VALUES (?, ?, ?) "
    "ON CONFLICT (consumer, context) DO UPDATE SET position = excluded.position"
)


_MOVE_ALL = (
    "INSERT INTO tracking (consumer, context, position) SELECT unnest(?), ?, ? "
    "ON CONFLICT (consumer, context) DO UPDATE SET position = excluded.position"
)


def create(connection: Connection) -> None:
    """Create the table if it is not there."""
    alone(connection)
    _metadata.create_all(connection)


def position(connection: Connection, consumer: str, context: str) -> int:
    """Return the last applied position, 0 when nothing was applied yet."""
    found = connection.execute(
        select(tracking.c.position).where(
            tracking.c.consumer == consumer, tracking.c.context == context
        )
    ).scalar()
    return int(found or 0)


def positions(connection: Connection) -> dict[tuple[str, str], int]:
    """Return every tracked position as `{(consumer, context): position}`, and every version."""
    rows = short(connection, "SELECT consumer, context, position FROM tracking")
    return {(consumer, context): reached for consumer, context, reached in rows}


def advance(connection: Connection, consumer: str, context: str, to: int) -> None:
    """Set the tracked position; to be called in the transaction that applied the facts up to it."""
    advance_all(connection, [consumer], context, to)


def advance_all(connection: Connection, consumers: Collection[str], context: str, to: int) -> None:
    """Set the tracked positions of several consumers of one context at once."""
    if not consumers:
        return
    if connection.dialect.name == "postgresql":
        short(connection, _MOVE_ALL, (texts(list(consumers)), context, to))
    else:
        short(connection, _MOVE, *((consumer, context, to) for consumer in consumers))


def forget(connection: Connection, consumer: str) -> None:
    """Drop a consumer's positions: it will start anew."""
    connection.execute(tracking.delete().where(tracking.c.consumer == consumer))
