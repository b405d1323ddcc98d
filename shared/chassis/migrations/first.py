"""What the first revision of every service makes beside its read models."""

import sqlalchemy as sa
from alembic import op

from shared.chassis.eventstore.schema import FUNCTIONS

__all__ = ["create_chassis", "create_deadlines"]

_id = sa.String(collation="C")
_at = sa.DateTime(timezone=True)


def create_chassis() -> None:
    """Make the log, how far it was published and applied, and what is parked."""
    op.create_table("schema_admits", sa.Column("revision", sa.String(), primary_key=True))
    op.create_table(
        "events",
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("stream_id", _id, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("topic", _id, nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("stream_id", "version", name="events_stream"),
    )
    op.create_table(
        "claims",
        sa.Column("scope", _id, primary_key=True),
        sa.Column("key", _id, primary_key=True),
        sa.Column("stream_id", _id, nullable=False),
    )
    op.create_table(
        "answers",
        sa.Column("command_id", _id, primary_key=True),
        sa.Column("stream_id", _id, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.LargeBinary()),
    )
    op.create_table(
        "subject_keys",
        sa.Column("subject", _id, primary_key=True),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "relayed",
        sa.Column("context", sa.String(), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "tracking",
        sa.Column("consumer", sa.String(), primary_key=True),
        sa.Column("context", sa.String(), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "parked",
        sa.Column("number", sa.BigInteger(), primary_key=True),
        sa.Column("consumer", sa.String(), nullable=False, index=True),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("parked_at", _at, nullable=False),
        sa.Column("context", sa.String()),
        sa.Column("position", sa.BigInteger()),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("skipped_at", _at),
        sa.Column("reason", sa.Text()),
    )
    for function in FUNCTIONS:
        op.execute(function)


def create_deadlines() -> None:
    """Make the deadlines of a service that has policies."""
    op.create_table(
        "deadlines",
        sa.Column("policy", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("at", _at, nullable=False, index=True),
        sa.Column("command", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.String(), nullable=False),
        sa.Column("causation_id", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
    )
