"""Who acts, or acted, for which account."""

from collections.abc import Iterable
from datetime import date

from sqlalchemy import Boolean, Column, Date, Index, MetaData, String, Table

from shared.chassis.shapes import Key, Projection, Row
from shared.events.accounts import ContactAdded, ContactLeft, ContactLinked, ContactWithdrawn
from shared.events.base import Recorded

__all__ = ["ContactLinks", "contact_links"]

Link = ContactAdded | ContactLinked | ContactLeft | ContactWithdrawn

contact_links = Table(
    "contact_links",
    MetaData(),
    Column("contact_id", String, primary_key=True),
    Column("account_id", String, primary_key=True),
    Column("role", String),
    Column("is_primary", Boolean, nullable=False),
    Column("since", Date),
    Column("left_on", Date),
    Column("left_because", String),
    Index("contact_links_by_account", "account_id"),
)


class ContactLinks(Projection):
    """One row per person and account, kept when the person leaves."""

    table = contact_links
    events = (ContactAdded, ContactLinked, ContactLeft, ContactWithdrawn)

    @staticmethod
    def keys(recorded: Recorded[Link]) -> Iterable[Key]:
        return [(recorded.stream_id, recorded.event.account_id)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Link]) -> Row | None:
        today = recorded.occurred_at.date()
        match recorded.event:
            case ContactAdded() as link:
                return _link(key, link, today)
            case ContactLinked() as link:
                return _link(key, link, link.since or today)
            case ContactLeft() as left if row is not None:
                return {**row, "left_on": left.on or today, "left_because": left.reason}
        return None


def _link(key: Key, link: ContactAdded | ContactLinked, since: date) -> Row:
    return {
        "contact_id": key[0],
        "account_id": key[1],
        "role": link.role,
        "is_primary": link.is_primary,
        "since": since,
        "left_on": None,
        "left_because": None,
    }
