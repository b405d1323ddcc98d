"""Working time: what a clock shows that stands still outside business hours."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["BusinessHours", "add_business_time", "business_time_between"]

_MIDNIGHT = time(0)
_DAY = timedelta(days=1)
_ALL_DAY = ((_MIDNIGHT, _MIDNIGHT),)


@dataclass(frozen=True, kw_only=True)
class BusinessHours:
    """When service is given: spans of each weekday in one time zone, except on holidays."""

    zone: ZoneInfo
    week: Mapping[int, tuple[tuple[time, time], ...]]
    """ISO weekday to its spans in order; a span that closes at midnight closes at the day's end."""
    holidays: frozenset[date] = frozenset()

    @classmethod
    def around_the_clock(cls) -> "BusinessHours":
        """Return hours without a break."""
        return cls(zone=ZoneInfo("UTC"), week=dict.fromkeys(range(1, 8), _ALL_DAY))

    def spans(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Return the working spans from `start` on, in UTC, for ever."""
        day = start.astimezone(self.zone).date()
        while True:
            if day not in self.holidays:
                for opens, closes in self.week.get(day.isoweekday(), ()):
                    begin = self._moment(day, opens)
                    end = self._moment(day + _DAY if closes == _MIDNIGHT else day, closes)
                    if end > start:
                        yield max(begin, start), end
            day += _DAY

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)


def add_business_time(hours: BusinessHours, start: datetime, duration: timedelta) -> datetime:
    """Return the earliest moment by which `duration` of working time has passed since `start`."""
    start = start.astimezone(UTC)
    if duration <= timedelta(0):
        return start
    for begin, end in hours.spans(start):
        if duration <= end - begin:
            return begin + duration
        duration -= end - begin
    raise AssertionError("working spans never end")


def business_time_between(hours: BusinessHours, start: datetime, end: datetime) -> timedelta:
    """Return the working time from `start` to `end`; nothing when `end` is not later."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    passed = timedelta(0)
    if end <= start:
        return passed
    for opens, closes in hours.spans(start):
        if opens >= end:
            break
        passed += min(closes, end) - opens
    return passed
