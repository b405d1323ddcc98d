"""Time as deals spend it."""

from datetime import datetime, timedelta
from decimal import Decimal

__all__ = ["days_between"]


def days_between(since: datetime, until: datetime) -> Decimal:
    """Return the days from one moment to another, to four decimals (about nine seconds)."""
    seconds = (until - since) // timedelta(seconds=1)
    return (Decimal(seconds) / 86_400).quantize(Decimal("0.0001"))
