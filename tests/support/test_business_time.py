from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.support.domain.business_time import (
    BusinessHours,
    add_business_time,
    business_time_between,
)

pytestmark = pytest.mark.capability("SUP-03")

OFFICE = BusinessHours(
    zone=ZoneInfo("Asia/Shanghai"),
    week={day: ((time(9), time(12)), (time(13), time(18))) for day in range(1, 6)},
    holidays=frozenset({date(2026, 2, 17), date(2026, 2, 18)}),
)
BERLIN_NIGHTS = BusinessHours(
    zone=ZoneInfo("Europe/Berlin"),
    week={day: ((time(0), time(6)), (time(22), time(0))) for day in (1, 3, 6, 7)},
)
CLOCK = BusinessHours.around_the_clock()

calendars = st.sampled_from([OFFICE, BERLIN_NIGHTS, CLOCK])
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
durations = st.timedeltas(timedelta(0), timedelta(days=20))


@given(calendars, moments, durations)
def test_the_time_between_start_and_result_is_what_was_added(
    hours: BusinessHours, start: datetime, duration: timedelta
) -> None:
    end = add_business_time(hours, start, duration)
    assert business_time_between(hours, start, end) == duration


@given(calendars, moments, durations, durations)
def test_adding_in_two_steps_is_adding_at_once(
    hours: BusinessHours, start: datetime, one: timedelta, other: timedelta
) -> None:
    halfway = add_business_time(hours, start, one)
    assert add_business_time(hours, halfway, other) == add_business_time(hours, start, one + other)


@given(calendars, moments, moments, moments)
def test_times_between_add_up(
    hours: BusinessHours, one: datetime, two: datetime, three: datetime
) -> None:
    first, second, third = sorted((one, two, three))
    whole = business_time_between(hours, first, third)
    assert whole == business_time_between(hours, first, second) + business_time_between(
        hours, second, third
    )
    assert timedelta(0) <= whole <= third - first


@given(moments, durations)
def test_around_the_clock_time_is_time(start: datetime, duration: timedelta) -> None:
    assert add_business_time(CLOCK, start, duration) == start + duration


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-03-02T10:00", 1, "2026-03-02T11:00"),
        ("2026-03-02T11:30", 1, "2026-03-02T13:30"),  # over lunch
        ("2026-03-02T17:30", 1, "2026-03-03T09:30"),  # over night
        ("2026-03-06T17:30", 1, "2026-03-09T09:30"),  # over the weekend
        ("2026-02-16T17:00", 2, "2026-02-19T10:00"),  # over the new year's holidays
        ("2026-03-07T23:00", 8, "2026-03-09T18:00"),  # ends with the working day
    ],
)
def test_office_hours(start: str, hours: int, end: str) -> None:
    zone = OFFICE.zone
    begin = datetime.fromisoformat(start).replace(tzinfo=zone)
    expected = datetime.fromisoformat(end).replace(tzinfo=zone)
    assert add_business_time(OFFICE, begin, timedelta(hours=hours)) == expected


def test_a_night_in_which_the_clocks_are_set_forward_is_an_hour_short() -> None:
    zone = BERLIN_NIGHTS.zone
    saturday = datetime(2026, 3, 28, 22, tzinfo=zone)
    sunday = datetime(2026, 3, 29, 6, tzinfo=zone)
    assert business_time_between(BERLIN_NIGHTS, saturday, sunday) == timedelta(hours=7)


def test_nothing_passes_backwards() -> None:
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert business_time_between(OFFICE, start, start - timedelta(days=3)) == timedelta(0)
    assert add_business_time(OFFICE, start, timedelta(0)) == start
