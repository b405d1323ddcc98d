"""The metrics of every process, in one place, as Prometheus knows them.

What happens is counted where it happens. What stands somewhere (lag, parked letters, connections)
is looked up when Prometheus asks, by `shared.chassis.telemetry.standing`.
"""

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram
from prometheus_client import generate_latest as _generate

__all__ = [
    "APPENDED",
    "APPEND_SECONDS",
    "BROKER_BLOCKED",
    "COMMAND_SECONDS",
    "CONTENT_TYPE",
    "GAPS",
    "HTTP_SECONDS",
    "NAMES",
    "QUERY_SECONDS",
    "RELAY_LEADER",
    "SLICE_EVENTS",
    "STANDING",
    "UNROUTABLE",
    "page",
]

CONTENT_TYPE = CONTENT_TYPE_LATEST

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

APPEND_SECONDS = Histogram(
    "annals_append_seconds",
    "Seconds to append facts to a log, conflicts included.",
    ["context"],
    buckets=_FAST,
)
APPENDED = Counter("annals_appended_events_total", "Facts appended to a log.", ["context"])
COMMAND_SECONDS = Histogram(
    "annals_command_seconds",
    "Seconds in the service per command, by how it ended (gRPC status).",
    ["context", "rpc", "code"],
    buckets=_FAST,
)
QUERY_SECONDS = Histogram(
    "annals_query_seconds",
    "Seconds in the service per query, by how it ended (gRPC status).",
    ["context", "rpc", "code"],
    buckets=_FAST,
)
HTTP_SECONDS = Histogram(
    "annals_http_requests_seconds",
    "Seconds to answer an HTTP request, by route.",
    ["method", "route", "status"],
    buckets=_FAST,
)
SLICE_EVENTS = Histogram(
    "annals_slice_events",
    "Facts per slice that a subscription applied.",
    ["subscription"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
GAPS = Counter(
    "annals_gaps_total",
    "Gaps between two messages, healed by pulling the owner's log.",
    ["subscription", "context"],
)
RELAY_LEADER = Gauge(
    "annals_relay_leader",
    "Whether this process's relay of a context is the active one.",
    ["context"],
)
UNROUTABLE = Counter(
    "annals_unroutable_total", "Messages that no queue wanted, returned by the broker.", ["context"]
)
BROKER_BLOCKED = Gauge(
    "annals_broker_blocked", "Whether the broker has asked to stop publishing, being short of room."
)

STANDING = {
    "annals_relay_lag_events": ("Facts not yet confirmed by the broker.", ["context"]),
    "annals_relay_lag_seconds": ("Age of the oldest of them.", ["context"]),
    "annals_consumer_lag_events": ("Facts a consumer has not applied.", ["consumer", "context"]),
    "annals_consumer_lag_seconds": ("Age of the oldest of them.", ["consumer", "context"]),
    "annals_parked_letters": ("Facts and messages set aside, waiting.", ["consumer"]),
    "annals_pool_connections_in_use": ("Database connections at work.", ["database"]),
}
"""Name, sentence and labels of the gauges that are looked up when asked for."""

_COUNTED = (
    "annals_append_seconds",
    "annals_appended_events_total",
    "annals_command_seconds",
    "annals_query_seconds",
    "annals_http_requests_seconds",
    "annals_slice_events",
    "annals_gaps_total",
    "annals_relay_leader",
    "annals_unroutable_total",
    "annals_broker_blocked",
)

NAMES: frozenset[str] = frozenset({*_COUNTED, *STANDING})
"""Every metric of Annals; a histogram's series are these with `_bucket`, `_sum` and `_count`."""


def page() -> bytes:
    """Return this process's metrics in Prometheus's text format."""
    return _generate(REGISTRY)
