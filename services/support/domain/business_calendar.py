"""Business calendars: the hours and holidays that service clocks run by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from services.support.commands import DefineBusinessCalendar
from services.support.domain.business_time import BusinessHours
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.base import Event
from shared.events.support import CalendarDefined, WorkingHours

__all__ = ["BusinessCalendar", "define_calendar"]

_MIDNIGHT = time(0)


@dataclass(frozen=True, kw_only=True)
class BusinessCalendar:
    """When service is given; a ticket keeps the version that held when it was opened."""

    versions: tuple[CalendarDefined, ...]

    @property
    def current(self) -> CalendarDefined:
        """What holds for new tickets."""
        return self.versions[-1]

    def hours(self, version: int) -> BusinessHours:
        """Return the hours of one version."""
        return _hours(self.versions[version - 1])

    @staticmethod
    def evolve(state: "BusinessCalendar | None", event: Event) -> "BusinessCalendar | None":
        match event:
            case CalendarDefined() if state is None:
                return BusinessCalendar(versions=(event,))
            case CalendarDefined() if state is not None:
                return replace(state, versions=(*state.versions, event))
        return state


def define_calendar(
    calendar: BusinessCalendar | None, command: DefineBusinessCalendar
) -> list[Event]:
    """Lay the calendar down, or give it a new version."""
    if violations := _violations(command):
        raise Invalid(violations)
    defined = CalendarDefined(
        calendar_version=len(calendar.versions) + 1 if calendar else 1,
        name=command.name,
        time_zone=command.time_zone,
        hours=tuple(sorted(command.hours, key=lambda span: (span.weekday, span.opens))),
        holidays=tuple(sorted({*command.holidays, *_public_holidays(command)})),
    )
    if (
        calendar
        and calendar.current.model_copy(update={"calendar_version": defined.calendar_version})
        == defined
    ):
        return []
    return [defined]


def _hours(calendar: CalendarDefined) -> BusinessHours:
    days_off = frozenset(calendar.holidays)
    zone = ZoneInfo(calendar.time_zone)
    if not calendar.hours:
        week = BusinessHours.around_the_clock().week
        return BusinessHours(zone=zone, week=week, holidays=days_off)
    week = {
        day: tuple((span.opens, span.closes) for span in calendar.hours if span.weekday == day)
        for day in {span.weekday for span in calendar.hours}
    }
    return BusinessHours(zone=zone, week=week, holidays=days_off)


def _public_holidays(command: DefineBusinessCalendar) -> Sequence[date]:
    if command.holiday_country is None:
        return ()
    return tuple(
        holidays.country_holidays(
            command.holiday_country, subdiv=command.holiday_region, years=command.holiday_years
        )
    )


def _violations(command: DefineBusinessCalendar) -> list[FieldViolation]:
    found = []
    try:
        ZoneInfo(command.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found.append(FieldViolation("time_zone", f"{command.time_zone!r} is no IANA time zone"))
    for index, span in enumerate(command.hours):
        if span.closes != _MIDNIGHT and span.closes <= span.opens:
            found.append(FieldViolation(f"hours.{index}.closes", "must be later than it opens"))
    found += _overlaps(command.hours)
    if command.holiday_country is None:
        if command.holiday_years:
            found.append(FieldViolation("holiday_years", "need a holiday_country"))
    elif not command.holiday_years:
        found.append(FieldViolation("holiday_years", "are needed with a holiday_country"))
    else:
        found += _unknown_country(command.holiday_country, command.holiday_region)
    return found


def _overlaps(spans: Sequence[WorkingHours]) -> list[FieldViolation]:
    found = []
    for index, span in enumerate(spans):
        for other in spans[:index]:
            if span.weekday == other.weekday and _starts_before_end(span, other):
                found.append(FieldViolation(f"hours.{index}", "overlaps another span of the day"))
                break
    return found


def _starts_before_end(one: WorkingHours, other: WorkingHours) -> bool:
    first, second = sorted((one, other), key=lambda span: span.opens)
    return first.closes == _MIDNIGHT or second.opens < first.closes


def _unknown_country(country: str, region: str | None) -> list[FieldViolation]:
    known = holidays.list_supported_countries()
    if country not in known:
        return [FieldViolation("holiday_country", f"no holidays are known for {country}")]
    if region is not None and region not in known[country]:
        return [FieldViolation("holiday_region", f"{country} has no region {region}")]
    return []
