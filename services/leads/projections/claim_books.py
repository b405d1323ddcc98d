"""Claim books: who holds which leads of which pool."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Date, MetaData, String, Table

from shared.chassis.shapes import (
    Instant,
    Key,
    ListQuery,
    Page,
    Projection,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.events.base import Recorded
from shared.events.leads import HoldingEnded, HoldingStarted

__all__ = ["Holdings", "list_holdings"]

holdings = Table(
    "holdings",
    MetaData(),
    Column("employee_id", String, primary_key=True),
    Column("lead_id", String, primary_key=True),
    Column("pool_id", String, index=True),
    Column("way", String, nullable=False),
    Column("day", Date, nullable=False),
    Column("since", Instant, nullable=False),
)


class Holdings(Projection):
    """Every lead that counts against somebody's holding capacity."""

    table = holdings
    version = 1
    events = (HoldingStarted, HoldingEnded)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.event.employee_id, recorded.event.lead_id)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        match recorded.event:
            case HoldingStarted() as started:
                return {
                    "employee_id": key[0],
                    "lead_id": key[1],
                    "pool_id": started.pool_id,
                    "way": started.way.value,
                    "day": started.day,
                    "since": recorded.occurred_at,
                }
        return None


class HoldingView(View):
    """A lead somebody holds, and the pool whose capacity it counts against."""

    employee_id: str
    lead_id: str
    pool_id: str | None = None
    way: str
    """claimed or assigned."""
    day: date
    since: datetime


class ListHoldings(ListQuery, http="GET /v1/holdings"):
    """List who holds which leads."""


def list_holdings(query: ListHoldings, reader: Reader) -> Page[HoldingView]:
    return listed(query, reader, holdings, HoldingView, order_by="since desc")
