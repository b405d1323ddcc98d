"""Days: which one a moment falls on, and where it begins and ends."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["day_end", "day_of", "day_start"]


def day_of(moment: datetime, time_zone: str = "UTC") -> date:
    """Return the calendar day of a moment."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def day_start(day: date, time_zone: str) -> datetime:
    """Return the first moment of a day."""
    return datetime.combine(day, time.min, ZoneInfo(time_zone))


def day_end(day: date, time_zone: str) -> datetime:
    """Return the first moment after a day."""
    return day_start(day + timedelta(days=1), time_zone)
