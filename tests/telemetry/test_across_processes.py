"""What an operator sees of processes that work together: traces, metrics, readiness, lag."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from annals.installation import service_names
from shared.chassis.telemetry.metrics import NAMES
from tests.acceptance.installation import Installation, Running, _free_port, wait
from tests.annals.deployment import port
from tests.production.topology import Topology
from tests.servers.private import PrivateBroker, PrivatePostgres
from tests.telemetry.collector import Collected, Collector, collector

NAME, PHONE = "王晨光-mark-7731", "+8613900007731"
EVERY = " ".join(service_names())
OTHERS = " ".join(name for name in service_names() if name != "leads")

REQUEST = ["POST /v1/leads", "annals.leads.v1.Leads/CaptureLead", "append leads"]
FOLDED = ["publish leads", "process leads.views", "fold leads"]
ASSIGNED = ["publish leads", "process leads.policies", "append leads"]


class Followed(Installation):
    """An embedded installation whose every conversation is followed."""

    endpoint = ""

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "ANNALS_TELEMETRY_ENDPOINT": self.endpoint,
            "ANNALS_TELEMETRY_RATIO": "1",
        }


@contextmanager
def followed(data: Path, endpoint: str) -> Iterator[Followed]:
    running = Followed(data, _free_port(), _free_port())
    running.endpoint = endpoint
    running.start()
    try:
        yield running
    finally:
        assert running.stop() == 0
        running.client.close()


class Deployed(Topology):
    """All services in one api process, leads in a worker of its own, and a gateway."""

    endpoint = ""

    def _chosen(self, database: str, broker: str) -> dict[str, Any]:
        self._ports.update(dict.fromkeys((*service_names(), EVERY), port()))
        return super()._chosen(database, broker) | {
            "telemetry_endpoint": self.endpoint,
            "telemetry_ratio": 1,
        }

    def asked(self, command: str, path: str) -> httpx.Response:
        """Ask a process on its operations port."""
        return httpx.get(f"http://127.0.0.1:{self._operations[command]}{path}")

    def lag(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run `annals lag`."""
        asking = self.process("lag")
        return subprocess.run(  # noqa: PLW1510 - its exit code is looked at
            [sys.executable, "-m", "annals", "lag", *options],
            env=asking._environment,
            capture_output=True,
            text=True,
        )


@contextmanager
def deployed(
    folder: Path, postgres: PrivatePostgres, broker: PrivateBroker, endpoint: str
) -> Iterator[Deployed]:
    Deployed.endpoint = endpoint
    made = Deployed(folder, postgres, broker)
    try:
        made.migrate()
        made.start(f"api {EVERY}", "worker leads", f"worker {OTHERS}", "gateway")
        yield made
        made.close()
    finally:
        made.client.close()
        for process in made.processes.values():
            process.remove()


def capture(running: Running) -> None:
    """Let a lead be captured, and its row be there."""
    lead = {"name": NAME, "phones": [PHONE], "channel": "web_form"}
    answer = running.post("/v1/leads", lead)
    running.settle()
    assert running.get(f"/v1/leads/{answer['id']}")["name"] == NAME


def chain(span: Collected, trace: list[Collected]) -> list[str]:
    """Return the names from the root to a span."""
    known = {span.span_id: span for span in trace}
    found = [span.name]
    while span.parent_id:
        span = known[span.parent_id]
        found.insert(0, span.name)
    return found


def assert_followed(told: Collector) -> None:
    trace = told.trace("POST /v1/leads")
    chains = [chain(span, trace) for span in trace]
    assert [*REQUEST, *ASSIGNED] in chains  # by a policy, to whom it is assigned
    folds = [found for found in chains if found[-2:] == FOLDED[-2:]]
    assert len(folds) == 2  # of both facts, below the message that brought the first of them
    assert all(found[:3] == REQUEST and found[-3:] == FOLDED for found in folds), folds
    assert not any(mark.encode() in body for body in told.raw for mark in (NAME, PHONE))


@pytest.mark.slow
@pytest.mark.capability("PLT-14")
def test_a_command_is_followed_from_http_to_the_row(tmp_path: Path) -> None:
    with collector() as told:
        with followed(tmp_path / "data", told.url) as running:
            capture(running)
            page = running.client.get("/metrics").text
            assert value(page, "annals_consumer_lag_events", "analytics.facts", "leads") == 0
        assert_followed(told)
        assert {span.process for span in told.spans} == {"annals api", "annals worker"}


@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.capability("PLT-14")
def test_deployed_services_are_followed_over_the_broker_and_show_how_they_stand(
    tmp_path: Path, private_postgres: PrivatePostgres, private_broker: PrivateBroker
) -> None:
    with collector() as told:
        with deployed(tmp_path, private_postgres, private_broker, told.url) as running:
            capture(running)
            api = running.asked(f"api {EVERY}", "/metrics").text
            worker = running.asked("worker leads", "/metrics").text
            gateway = running.client.get("/metrics").text
            shown = {name for text in (api, worker, gateway) for name in series(text)}
            assert shown == NAMES
            assert (
                'annals_command_seconds_count{code="OK",context="leads",rpc="CaptureLead"}' in api
            )
            assert 'annals_relay_leader{context="leads"} 1.0' in worker
            # One reads its service's own log, the other one that it asks the owner for.
            for consumer, context in (("policies", "leads"), ("role_rights", "workplace")):
                wait(partial(is_level, running, f"leads.{consumer}", context))
            assert running.asked("worker leads", "/readyz").json()["checks"]["broker"] == "ok"
            asked = running.lag("--json", "--max-seconds", "30")
            assert asked.returncode == 0, asked.stderr
            rows = {
                (row["service"], row["consumer"], row["context"])
                for row in json.loads(asked.stdout)
            }
            assert {("leads", "relay", "leads"), ("leads", "policies", "leads")} <= rows
            for text in (api, worker, gateway, asked.stdout):
                assert NAME not in text
                assert PHONE not in text
        assert_followed(told)


def is_level(running: Deployed, consumer: str, context: str) -> bool:
    """Whether a consumer shows that it has every fact of a context."""
    worker = running.asked("worker leads", "/metrics").text
    return value(worker, "annals_consumer_lag_events", consumer, context) == 0


def series(text: str) -> set[str]:
    """Return the names of the metrics on a page that have a value."""
    found = set(
        re.findall(r"^(annals_\w+?)(?:_bucket|_sum|_count|_created)?[{ ]", text, re.MULTILINE)
    )
    return found & NAMES


def value(text: str, name: str, consumer: str, context: str) -> float:
    """Return the value of a consumer's gauge."""
    pattern = rf'^{name}{{consumer="{consumer}",context="{context}"}} (\S+)$'
    (found,) = re.findall(pattern, text, re.MULTILINE)
    return float(found)
