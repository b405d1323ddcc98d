"""What service customers are entitled to."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Column, Date, Integer, MetaData, String, Table

from shared.chassis.shapes import Key, ListQuery, Page, Projection, Reader, Row, View
from shared.chassis.shapes.listing import listed
from shared.events.base import Recorded
from shared.events.support import EntitlementEnded, EntitlementGranted

__all__ = ["Entitlements", "ListEntitlements", "list_entitlements"]

entitlements = Table(
    "entitlements",
    MetaData(),
    Column("contract_id", String, primary_key=True),
    Column("account_id", String, nullable=False, index=True),
    Column("sla_policy_id", String, nullable=False),
    Column("status", String, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date),
    Column("time_zone", String, nullable=False),
    Column("ended_because", String),
    Column("version", Integer, nullable=False),
)


class Entitlements(Projection):
    """The service that each contract entitles its customer to."""

    table, version = entitlements, 2
    events = (EntitlementGranted, EntitlementEnded)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per contract."""
        contract_id = recorded.event.contract_id
        return [(contract_id,)] if contract_id else []

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the last grant and how it ended."""
        match recorded.event:
            case EntitlementGranted() as granted:
                return {
                    **granted.model_dump(),
                    "status": "granted",
                    "ended_because": None,
                    "version": recorded.version,
                }
            case EntitlementEnded(on=on, reason=reason) if row is not None:
                ended = {"status": "ended", "ends_on": on, "ended_because": reason}
                return {**row, **ended, "version": recorded.version}
        return row


class EntitlementRow(View):
    """What one contract entitles its customer to."""

    contract_id: str
    account_id: str
    sla_policy_id: str
    status: str
    """granted or ended."""
    starts_on: date
    ends_on: date | None
    time_zone: str
    """In which these days begin and end."""
    ended_because: str | None
    version: int
    """Of the customer's entitlements as a whole."""


class ListEntitlements(ListQuery, http="GET /v1/entitlements"):
    """List what service customers are entitled to, the latest first."""


def list_entitlements(query: ListEntitlements, reader: Reader) -> Page[EntitlementRow]:
    return listed(query, reader, entitlements, EntitlementRow, order_by="starts_on desc")
