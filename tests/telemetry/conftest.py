from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway import create_app
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.identity import DevelopmentIdentity
from shared.chassis.messaging import Delivery, Parcel, pull_from
from shared.chassis.messaging.relay import Relay
from shared.chassis.service import OpenService, open_service
from shared.chassis.telemetry import tracing
from shared.chassis.telemetry.spans import Tracing
from tests.api.conftest import SECRET, proto
from tests.api.toy import SERVICE
from tests.gateway.conftest import serving

__all__ = ["proto"]

Spans = Callable[[], list[ReadableSpan]]
Follow = Callable[[float], Spans]


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Follow a share of the conversations; return what gives the spans ended so far."""

    def begin(ratio: float) -> Spans:
        kept = InMemorySpanExporter()
        tracing.use(Tracing("test", SimpleSpanProcessor(kept), ratio))
        return lambda: list(kept.get_finished_spans())

    yield begin
    tracing.stop()


@pytest.fixture
def opened() -> Iterator[OpenService]:
    opened = open_service(SERVICE)
    yield opened
    opened.close()


@pytest.fixture
def client(opened: OpenService, proto: Path) -> Iterator[httpx.Client]:
    """A gateway before a toy service."""
    server = ApiServer([opened], identity=DevelopmentIdentity(SECRET), proto=proto)
    server.start()
    app = create_app({"toy": server.address}, proto=proto)
    with serving(app) as address, httpx.Client(base_url=address) as client:
        yield client
    server.stop(grace=0)


@pytest.fixture
def deliver(opened: OpenService) -> Callable[[], None]:
    """Let the relay publish what is new, and the read models fold it, as the worker does."""
    queue: list[Parcel] = []
    relay = Relay(opened.log, queue.append)

    def work() -> None:
        delivery = Delivery(opened, pull_from([opened]))
        relay.step()
        for parcel in queue:
            for subscription in delivery.subscriptions:
                with tracing.delivery(subscription.name, parcel.headers):
                    subscription.deliver((parcel.headers, parcel.body))
        queue.clear()

    return work
