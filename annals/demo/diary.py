"""Diaries: how time passes in offices, where nothing is done at night or on holidays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from random import Random
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

import holidays

__all__ = ["Deck", "Diary", "Place"]

T = TypeVar("T")

_OPENS, _OPEN_FOR = time(9), timedelta(hours=8, minutes=30)
_SATURDAY = 6


@dataclass(frozen=True)
class Place:
    """Where somebody works: it says when they do.

    Args:
        zone: IANA time zone, not west of Greenwich: so the next working day is another day of the
            story too.
        country: whose public holidays are kept (ISO 3166-1).
    """

    zone: str
    country: str

    def works_on(self, day: date) -> bool:
        """Whether people work there on a day."""
        return day.isoweekday() < _SATURDAY and day not in _holidays(self.country, day.year)

    def local(self, moment: datetime) -> datetime:
        """Return the moment as the clock on the wall shows it."""
        return moment.astimezone(ZoneInfo(self.zone))


@cache
def _holidays(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))


class Diary:
    """How far one matter has come in time.

    Args:
        rng: the dice.
        now: where it begins.
        place: whose working hours count.
    """

    def __init__(self, rng: Random, now: datetime, place: Place) -> None:
        self.rng = rng
        self.now = now
        self.place = place

    def aside(self) -> "Diary":
        """Return a diary that goes on from here by itself, for what happens in parallel."""
        return Diary(self.rng, self.now, self.place)

    @property
    def today(self) -> date:
        """The day it is in the office."""
        return self.place.local(self.now).date()

    def wait(self, least: int, most: int) -> datetime:
        """Let some working days pass; return a moment in the office hours of the next."""
        left = self.rng.randint(least, most)
        day = self.today
        if left == 0 and self.now >= self._opening(day) + _OPEN_FOR:
            left = 1
        while left > 0 or not self.place.works_on(day):
            day += timedelta(days=1)
            left -= self.place.works_on(day)
        return self._in_office(day)

    def until(self, day: date) -> datetime:
        """Let time pass until a day, or the working day after it."""
        day = max(day, self.today + timedelta(days=1))
        while not self.place.works_on(day):
            day += timedelta(days=1)
        return self._in_office(day)

    def minutes(self, least: int, most: int) -> datetime:
        """Let some minutes pass."""
        self.now += timedelta(seconds=self.rng.randint(least * 60, most * 60))
        return self.now

    def pass_days(self, days: float) -> datetime:
        """Let days pass, whether anybody works or not."""
        self.now += timedelta(seconds=round(days * 86_400))
        return self.now

    def _in_office(self, day: date) -> datetime:
        opens = self._opening(day)
        closes = opens + _OPEN_FOR
        seconds = (closes - max(opens, self.now)) / timedelta(seconds=1)
        self.now = closes - timedelta(seconds=self.rng.randrange(max(1, int(seconds))))
        return self.now

    def _opening(self, day: date) -> datetime:
        return datetime.combine(day, _OPENS, ZoneInfo(self.place.zone)).astimezone(UTC)


class Deck(Generic[T]):
    """Endings in proportion, each at least once and early: so a short story has them all too.

    Args:
        rng: the dice.
        weights: how often each comes.
    """

    def __init__(self, rng: Random, weights: Sequence[tuple[T, float]]) -> None:
        self._rng = rng
        self._kinds = [kind for kind, _ in weights]
        self._weights = [weight for _, weight in weights]
        first = self._kinds.copy()
        rng.shuffle(first)
        self._first: Iterator[T] = iter(first)

    def draw(self) -> T:
        """Return the next one."""
        for kind in self._first:
            return kind
        (kind,) = self._rng.choices(self._kinds, self._weights)
        return kind
