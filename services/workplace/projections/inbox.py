"""Everybody's inbox."""

from collections.abc import Iterable
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import JSON, Boolean, Column, Index, Integer, MetaData, String, Table

from shared.chassis.shapes import Instant, Key, ListQuery, Page, Projection, Reader, Row, View
from shared.chassis.shapes.listing import listed
from shared.events.base import Recorded
from shared.events.workplace import NotificationRead, NotificationSent

__all__ = ["Inbox", "ListInbox", "list_inbox"]

inbox = Table(
    "inbox",
    MetaData(),
    Column("notification_id", String, primary_key=True),
    Column("recipient_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("about_kind", String, nullable=False),
    Column("about_id", String, nullable=False),
    Column("title", String),
    Column("details", JSON, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("is_read", Boolean, nullable=False),
    Column("read_at", Instant),
    Column("version", Integer, nullable=False),
    Index("inbox_by_recipient", "recipient_id", "is_read", "sent_at"),
)


class Inbox(Projection):
    """What each employee was told, and whether they have seen it."""

    table = inbox
    events = (NotificationSent, NotificationRead)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per message."""
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the message until it is read, and after."""
        match recorded.event:
            case NotificationSent() as sent:
                return {
                    **sent.model_dump(exclude={"body"}),
                    "notification_id": key[0],
                    "sent_at": recorded.occurred_at,
                    "is_read": False,
                    "read_at": None,
                    "version": recorded.version,
                }
            case NotificationRead() if row is not None:
                seen = {"is_read": True, "read_at": recorded.occurred_at}
                return {**row, **seen, "version": recorded.version}
        return row


class NotificationView(View):
    """A message in the caller's inbox."""

    notification_id: str
    kind: str
    """What it tells, e.g. `lead_assigned`."""
    about_kind: str
    about_id: str
    title: str | None
    details: dict[str, str]
    sent_at: AwareDatetime
    is_read: bool
    read_at: AwareDatetime | None
    version: int


class ListInbox(ListQuery, http="GET /v1/inbox"):
    """List the messages in your inbox, the newest first."""

    unread: bool = False
    """Leave out what is read."""


def list_inbox(query: ListInbox, reader: Reader) -> Page[NotificationView]:
    mine = [inbox.c.recipient_id == reader.actor.id]
    if query.unread:
        mine.append(inbox.c.is_read.is_(False))
    return listed(
        query,
        reader,
        inbox,
        NotificationView,
        where=mine,
        order_by="sent_at desc",
        hidden=frozenset({"recipient_id"}),
    )
