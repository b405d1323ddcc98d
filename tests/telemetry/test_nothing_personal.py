"""No log line, metric, span or parked reason holds anything personal, whatever goes wrong."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import count
from typing import Any, NoReturn

import httpx
import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan

from annals.installation import service_values
from gateway import create_app
from shared.chassis import logs
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.identity import DevelopmentIdentity
from shared.chassis.catalogue import published
from shared.chassis.eventstore import EventLog
from shared.chassis.messaging import Delivery, Parcel, pull_from
from shared.chassis.messaging.relay import Relay
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Projection, fresh_id
from shared.chassis.telemetry import metrics, tracing
from shared.chassis.telemetry.standing import Standing
from shared.chassis.testing import NOON
from shared.events.base import Recorded
from tests.analytics.life import HandClock
from tests.api.conftest import SECRET
from tests.eventstore.test_personal_data import Sample, _secret
from tests.gateway.conftest import serving
from tests.telemetry.conftest import Follow, follow

__all__ = ["follow"]

pytestmark = pytest.mark.capability("PLT-14")

# What `_secret` makes, and what is sent over HTTP below.
MARK = re.compile(r"geheim|密|\+861380\d{7}|19\d\d-\d\d-\d\d(?!T)")
NAME = "geheim-9999 密9999"
PHONE = "+8613800009999"
MAIL = "s9999@geheim.cn"


@dataclass
class Company:
    """Every service in memory, with all that it says kept."""

    services: Sequence[OpenService]
    written: StringIO
    spans: Callable[[], list[ReadableSpan]]

    def deliver(self) -> None:
        """Relay what is new, and let every subscription have it, until nothing comes any more."""
        queue: list[Parcel] = []
        pull = pull_from(self.services)
        deliveries = [Delivery(opened, pull, lambda _: None) for opened in self.services]
        relays = [Relay(opened.log, queue.append) for opened in self.services]
        while sum(relay.step() for relay in relays):
            while queue:
                parcel = queue.pop(0)
                for delivery in deliveries:
                    for subscription in delivery.subscriptions:
                        with tracing.delivery(subscription.name, parcel.headers):
                            subscription.deliver((parcel.headers, parcel.body))
        for delivery in deliveries:
            if delivery.deadlines is not None:
                delivery.deadlines.keep(delivery.opened.clock.now())

    def said(self) -> dict[str, str]:
        """Return everything an operator may read, by where."""
        standing = Standing(self.services)
        standing.register()
        try:
            page = metrics.page().decode()
        finally:
            standing.unregister()
        return {
            "log": self.written.getvalue(),
            "metrics": page,
            "spans": "\n".join(span.to_json() for span in self.spans()),
            "parked": "\n".join(self.parked()),
        }

    def parked(self) -> list[str]:
        """Return why what is parked is parked."""
        found = []
        for opened in self.services:
            for database in (opened.log_database, opened.views_database):
                tables = "SELECT name FROM sqlite_master WHERE name = 'parked'"
                if database.fetch(tables):
                    found += [row[0] for row in database.fetch("SELECT error FROM parked")]
        return found


def assert_nothing_personal(company: Company) -> None:
    for where, text in company.said().items():
        found = [text[max(0, m.start() - 80) : m.end() + 80] for m in MARK.finditer(text)]
        assert not found, (where, found[:3])


@pytest.fixture
def company(logging_restored: None, follow: Follow) -> Iterator[Company]:
    logs.configure("debug", "json", process="test")
    written = StringIO()
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    spans = follow(1)
    clock = HandClock(NOON)
    services = [open_service(service, clock=clock) for service in service_values()]
    yield Company(services, written, spans)
    for opened in services:
        opened.close()


@pytest.fixture
def client(company: Company) -> Iterator[httpx.Client]:
    """The gateway before all services."""
    server = ApiServer(company.services, identity=DevelopmentIdentity(SECRET))
    server.start()
    app = create_app({opened.name: server.address for opened in company.services})
    with serving(app) as address, httpx.Client(base_url=address) as client:
        yield client
    server.stop(grace=0)


def _record(log: EventLog, samples: Sequence[Sample]) -> None:
    for sample in samples:
        stream_id = fresh_id()
        about = (NOON, NOON, "mei", fresh_id(), fresh_id())
        log.append([Recorded(log.context, 0, stream_id, 1, sample.event, *about)])


def test_every_fact_there_is_is_passed_on_folded_and_parked_without_a_word_of_it(
    company: Company,
) -> None:
    numbers = count(1)
    samples = [_secret(event, numbers) for event in published()]
    for opened in company.services:
        own = [sample for sample in samples if sample.event.context() == opened.name]
        _record(opened.log, own)
    company.deliver()
    assert company.parked(), "facts out of their order are refused by policies, at the least"
    assert '"lanes parked"' in company.written.getvalue()
    assert any(span.name.startswith("fold ") for span in company.spans())
    assert_nothing_personal(company)


def test_requests_that_are_refused_or_crash_say_nothing_of_whom_they_are_about(
    company: Company, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = {"name": NAME, "phones": [PHONE], "emails": [MAIL], "channel": "web_form"}
    captured = client.post("/v1/leads", json=lead)
    assert captured.status_code == 200, captured.text
    company.deliver()
    again = client.post("/v1/leads", json=lead)  # met by the duplicate rules
    wrong = client.post("/v1/leads", json={**lead, "phones": [NAME], "channel": NAME})
    unknown = client.get(f"/v1/leads/{MAIL}", params={"as_of": NAME})
    named = client.post("/v1/leads", json=lead, headers={"Annals-Correlation-Id": MAIL})

    def crash(command: Any) -> NoReturn:
        structlog.get_logger().debug("about to crash", command=command, name=NAME, about=lead)
        logging.getLogger("a.library").info("working on %s", NAME)
        raise ValueError(f"cannot reach {NAME} at {PHONE}")

    (leads,) = (opened for opened in company.services if opened.name == "leads")
    with monkeypatch.context() as patch:
        patch.setattr(leads.application, "commit", lambda command, *_: crash(command))
        crashed = client.post("/v1/leads", json=lead)
    assert wrong.status_code == 422
    assert crashed.status_code == 500
    assert {again.status_code, named.status_code, unknown.status_code} <= {200, 404, 409, 422}
    company.deliver()
    written = company.written.getvalue()
    assert '"request failed"' in written
    assert '"about to crash"' in written
    failed = next(line for line in written.splitlines() if '"request failed"' in line)
    assert '"correlation_id"' in failed
    assert '"trace_id"' in failed
    assert_nothing_personal(company)


def test_folds_and_messages_that_fail_say_nothing_of_whom_they_are_about(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    (leads,) = (opened for opened in company.services if opened.name == "leads")
    (sample,) = (
        _secret(event, count(1)) for event in published() if event.topic == "leads.LeadCaptured.v1"
    )

    def fold(key: Any, row: Any, recorded: Recorded[Any]) -> NoReturn:
        raise LookupError(f"{recorded.event.name} has no {recorded.event.phones}")

    broken: type[Projection] = leads.service.projections[0]
    monkeypatch.setattr(broken, "fold", staticmethod(fold))
    _record(leads.log, [sample])
    company.deliver()
    (delivery,) = (
        Delivery(opened, pull_from(company.services))
        for opened in company.services
        if opened is leads
    )
    assert delivery.views is not None
    headers = {"context": "leads", "first": 2, "last": 2}
    for body in (NAME.encode(), b'[{"source": "/annals/leads", "position": 2, "type": "x"}]'):
        delivery.views.deliver((headers, body))
    reasons = "\n".join(company.parked())
    assert "LookupError at test_nothing_personal.py" in reasons
    assert "CorruptSlice: not JSON" in reasons
    assert_nothing_personal(company)
