"""The story: every act of the company's time, in order, the same for the same seed."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random

from annals.demo.act import Act
from annals.demo.company import REGIONS, exchange_rates, found
from annals.demo.leads import live, meet, wake_the_dormant
from annals.demo.plot import Plot

__all__ = ["tell"]

_DAYS_BEFORE_THE_FIRST_LEAD = 2
_WEEKEND = 0.3
"""How many ask on a day of the weekend, compared with other days."""
_FAIR = 2.2
"""How many more ask on the days of an exhibition."""
_GROWTH = 0.6
_SATURDAY = 6


def tell(seed: int, leads: int, days: int, until: date) -> list[Act]:
    """Return the acts of a story, earliest first.

    Args:
        seed: gives the same acts, with the same ids, whenever the story is told.
        leads: how many prospects state an interest.
        days: how long it lasts.
        until: the day on which it ends, at midnight UTC.
    """
    plot = Plot(seed, leads, days, until)
    opening = plot.script("company", plot.begins + timedelta(hours=1), REGIONS[0])
    found(opening, plot.begins)
    exchange_rates(plot.script("rates", plot.begins, REGIONS[0]), days // 30 + 1)
    for number, at in enumerate(sorted(_arrivals(plot)), 1):
        live(plot, meet(plot, number, at))
    wake_the_dormant(plot)
    acts = [act for script in plot.scripts for act in script.acts if act.at < plot.ends]
    return sorted(acts, key=lambda act: act.at)


def _arrivals(plot: Plot) -> Iterator[datetime]:
    """Yield when the prospects come: more and more, fewer at weekends, many at exhibitions."""
    rng = Random(f"{plot.seed}/arrivals")
    first = plot.begins + timedelta(days=_DAYS_BEFORE_THE_FIRST_LEAD)
    days = [first + timedelta(days=n) for n in range((plot.ends - first).days)]
    weights = [_traffic(day, n / len(days)) for n, day in enumerate(days)]
    for day in rng.choices(days, weights, k=plot.leads):
        hour = rng.triangular(0, 16, 6)
        yield day + timedelta(seconds=round(hour * 3600))


def _traffic(day: datetime, progress: float) -> float:
    weight = 1 + _GROWTH * progress
    if day.isoweekday() >= _SATURDAY:
        weight *= _WEEKEND
    if day.month in {4, 9, 11} and 10 <= day.day <= 13:
        weight *= _FAIR
    return weight
