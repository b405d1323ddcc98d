"""Limits on what one caller may ask of one process."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from shared.chassis.settings import Mode, Settings
from shared.chassis.shapes import Invalid, LimitReached, ListQuery, Query

__all__ = ["Allowance", "Limits", "TooManyRequests"]

_CALLERS = 10_000


class TooManyRequests(LimitReached):
    """Somebody asks faster than one caller may.

    Args:
        wait: seconds until the next request is taken.
    """

    def __init__(self, wait: float) -> None:
        super().__init__("too many requests; try again later", retry_after=round(wait, 3))


@dataclass(frozen=True)
class Limits:
    """What a server puts up with.

    Args:
        message: largest request in bytes.
        page: most rows of a page.
        rate: requests per second and caller; 0 sets no limit.
        reflection: whether anybody may ask for the contracts.
    """

    message: int = 4 * 1024 * 1024
    page: int = 500
    rate: float = 0.0
    reflection: bool = True

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the limits that settings name; in production contracts are not given away."""
        return cls(
            settings.body_limit,
            settings.page_limit,
            settings.rate_limit,
            settings.mode is not Mode.PRODUCTION,
        )

    def paged(self, query: Query) -> Query:
        """Return a query whose page is within the limit.

        Raises:
            Invalid: it asks for more.
        """
        size = getattr(query, "page_size", 0)
        if size <= self.page:
            return query
        if "page_size" in query.model_fields_set or not isinstance(query, ListQuery):
            raise Invalid.one("page_size", f"may be {self.page} at most")
        return query.model_copy(update={"page_size": self.page})


class Allowance:
    """A token bucket per caller: a second's worth at once, then at the rate.

    The callers that were quiet longest are forgotten first: a full bucket is all there was to know.

    Args:
        rate: requests per second and caller; 0 sets no limit.
        clock: seconds that only grow.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._most = max(1.0, rate)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def is_limited(self) -> bool:
        """Whether anybody is ever refused."""
        return self._rate > 0

    def take(self, caller: str) -> None:
        """Count a request.

        Raises:
            TooManyRequests: the caller has none left.
        """
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(caller, (self._most, now))
            left = min(self._most, left + (now - at) * self._rate)
            taken = left >= 1
            self._left[caller] = (left - taken, now)
            if len(self._left) > _CALLERS:
                self._left.popitem(last=False)
        if not taken:
            raise TooManyRequests((1 - left) / self._rate)
