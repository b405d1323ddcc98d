"""What stands in a process's databases, looked up when Prometheus asks: lag, letters, pools."""

import time
from collections.abc import Iterable, Sequence

import structlog
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import inspect

from shared.chassis.messaging import parking
from shared.chassis.messaging.lag import Ahead, Lag, lag, relay_lag
from shared.chassis.service import OpenService
from shared.chassis.telemetry.metrics import STANDING
from shared.chassis.telemetry.operations import Check

__all__ = ["LATE", "Standing", "answers", "keeps_up"]

log = structlog.get_logger(__name__)

LATE = 60.0
"""Seconds of lag with which a worker no longer counts as ready."""
_FRESH = 1.0
"""Seconds for which a look is good enough for the next who asks."""

Sample = tuple[str, tuple[str, ...], float]


class Standing(Collector):
    """Gauges of services that are open in this process; shown from `register` on.

    A consumer is told apart from those of other services by its service: `leads.lead_list`.

    Args:
        services: whose consumers, relays, letters and pools.
        ahead: tells of the logs of other services; None leaves out what others own.
        consumes: False for a process that serves requests: only its pools are its own to tell.
    """

    def __init__(
        self,
        services: Sequence[OpenService],
        ahead: Ahead | None = None,
        *,
        consumes: bool = True,
    ) -> None:
        self._services = services
        self._ahead = ahead
        self._consumes = consumes
        self._seen: tuple[float, list[Lag]] = (float("-inf"), [])

    def register(self) -> None:
        """Show the gauges among this process's metrics."""
        REGISTRY.register(self)

    def unregister(self) -> None:
        """Show them no longer."""
        REGISTRY.unregister(self)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name the gauges without looking anything up."""
        return _families().values()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Look everything up; what cannot be is left out, and said in the log."""
        families = _families()
        parts = (self._lags, self._letters, self._pools) if self._consumes else (self._pools,)
        for part in parts:
            try:
                for name, labels, value in part():
                    families[name].add_metric(labels, value)
            except Exception as error:  # noqa: BLE001 - the other figures are needed the more
                log.warning("metrics left out", error=type(error).__qualname__)
        return families.values()

    def lags(self) -> list[Lag]:
        """Return how far every consumer is behind, as of now or a moment ago."""
        at, found = self._seen
        if time.monotonic() - at > _FRESH:
            found = lag(self._services, self._ahead)
            self._seen = (time.monotonic(), found)
        return found

    def _lags(self) -> Iterable[Sample]:
        for row in relay_lag(self._services):
            yield "annals_relay_lag_events", (row.context,), row.events
            yield "annals_relay_lag_seconds", (row.context,), row.seconds
        for row in self.lags():
            labels = (f"{row.service}.{row.consumer}", row.context)
            yield "annals_consumer_lag_events", labels, row.events
            yield "annals_consumer_lag_seconds", labels, row.seconds

    def _letters(self) -> Iterable[Sample]:
        for opened in self._services:
            waiting: dict[str, int] = dict.fromkeys(_parkers(opened), 0)
            for database in dict.fromkeys((opened.log_database, opened.views_database)):
                with database.read() as connection:
                    if inspect(connection).has_table("parked"):
                        waiting |= parking.counts(connection)
            for consumer, letters in waiting.items():
                name = consumer if "." in consumer else f"{opened.name}.{consumer}"
                yield "annals_parked_letters", (name,), letters

    def _pools(self) -> Iterable[Sample]:
        for opened in self._services:
            named = {opened.log_database: "log", opened.views_database: "views"}
            for database, kind in named.items():
                name = opened.name if len(named) == 1 else f"{opened.name}.{kind}"
                yield "annals_pool_connections_in_use", (name,), database.in_use


def answers(services: Sequence[OpenService]) -> Check:
    """Return the check that every database of these services answers."""

    def check() -> str | None:
        for opened in services:
            for database in dict.fromkeys((opened.log_database, opened.views_database)):
                database.fetch("SELECT 1")
        return None

    return check


def keeps_up(standing: Standing, late: float = LATE) -> Check:
    """Return the check that no consumer is further behind than `late` seconds."""

    def check() -> str | None:
        behind = [row for row in standing.lags() if row.seconds > late]
        if not behind:
            return None
        worst = max(behind, key=lambda row: row.seconds)
        return f"{worst.service}.{worst.consumer} is {worst.seconds:.0f} s behind {worst.context}"

    return check


def _families() -> dict[str, GaugeMetricFamily]:
    return {
        name: GaugeMetricFamily(name, sentence, labels=labels)
        for name, (sentence, labels) in STANDING.items()
    }


def _parkers(opened: OpenService) -> list[str]:
    """Return who may park without being a subscription: read models and policies."""
    names = [projection.name for projection in opened.service.projections]
    return [*names, *(["policies"] if opened.service.policies else [])]
