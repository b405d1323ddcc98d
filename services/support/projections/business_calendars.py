"""The hours of service."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table

from shared.chassis.shapes import (
    Key,
    ListQuery,
    Page,
    Projection,
    Query,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.chassis.shapes.telling import found
from shared.events.base import Recorded
from shared.events.support import CalendarDefined, WorkingHours
from shared.events.values import CalendarId

__all__ = [
    "BusinessCalendars",
    "GetBusinessCalendar",
    "ListBusinessCalendars",
    "get_business_calendar",
    "list_business_calendars",
]

business_calendars = Table(
    "business_calendars",
    MetaData(),
    Column("calendar_id", String, primary_key=True),
    Column("name", String, nullable=False, index=True),
    Column("time_zone", String, nullable=False),
    Column("hours", JSON, nullable=False),
    Column("holidays", JSON, nullable=False),
    Column("version", Integer, nullable=False),
)


class BusinessCalendars(Projection):
    """Each calendar in the version that holds for new tickets."""

    table = business_calendars
    events = (CalendarDefined,)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per calendar."""
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[CalendarDefined]) -> Row | None:
        """Keep the last version."""
        calendar = recorded.event.model_dump(mode="json", exclude={"calendar_version"})
        return {**calendar, "calendar_id": key[0], "version": recorded.version}


class BusinessCalendarView(View):
    """Hours and holidays of service."""

    calendar_id: str
    name: str
    time_zone: str
    hours: list[WorkingHours]
    """Empty means around the clock."""
    holidays: list[date]
    version: int


class GetBusinessCalendar(Query, http="GET /v1/business-calendars/{calendar_id}"):
    """Read the hours and holidays of a calendar."""

    calendar_id: CalendarId


class ListBusinessCalendars(ListQuery, http="GET /v1/business-calendars"):
    """List the calendars by name."""


def get_business_calendar(query: GetBusinessCalendar, reader: Reader) -> BusinessCalendarView:
    return found(
        reader, business_calendars, BusinessCalendarView, "business calendar", query.calendar_id
    )


def list_business_calendars(
    query: ListBusinessCalendars, reader: Reader
) -> Page[BusinessCalendarView]:
    return listed(query, reader, business_calendars, BusinessCalendarView, order_by="name")
