"""The conversation on a ticket."""

from collections.abc import Iterable
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import JSON, Boolean, Column, Integer, MetaData, String, Table, Text, select

from shared.chassis.shapes import Instant, Key, Projection, Reader, Row, View
from shared.events.base import Recorded
from shared.events.support import TicketReplied
from shared.events.values import Attachment, TicketId

__all__ = ["TicketMessage", "TicketMessages", "messages_of"]

ticket_messages = Table(
    "ticket_messages",
    MetaData(),
    Column("ticket_id", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("author", String, nullable=False),
    Column("employee_id", String),
    Column("is_first_response", Boolean, nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("message", Text),
    Column("attachments", JSON, nullable=False),
)


class TicketMessages(Projection):
    """Everything both sides wrote, in order."""

    table = ticket_messages
    events = (TicketReplied,)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per message."""
        return [(recorded.stream_id, recorded.version)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[TicketReplied]) -> Row | None:
        """Keep the message as it was written."""
        said = recorded.event
        return {
            "ticket_id": key[0],
            "version": key[1],
            "at": recorded.occurred_at,
            "author": said.author,
            "employee_id": said.employee_id,
            "is_first_response": said.is_first_response,
            "is_public": said.is_public,
            "message": said.message,
            "attachments": [a.model_dump(mode="json") for a in said.attachments or ()],
        }


class TicketMessage(View):
    """What one side wrote."""

    at: AwareDatetime
    author: str
    """customer or agent."""
    employee_id: str | None
    is_first_response: bool
    is_public: bool
    message: str | None
    attachments: list[Attachment]


def messages_of(ticket_id: TicketId, reader: Reader) -> list[TicketMessage]:
    """Return the conversation, the oldest message first."""
    found = (
        select(ticket_messages)
        .where(ticket_messages.c.ticket_id == ticket_id)
        .order_by(ticket_messages.c.version)
    )
    rows = reader.connection.execute(found).mappings()
    return [TicketMessage.model_validate(dict(row)) for row in rows]
