"""The deployables as operators run them: ready when they are, and gone when they are told."""

import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.annals.deployment import Process, answers, port, process, serves, wait

pytestmark = [pytest.mark.slow, pytest.mark.capability("PLT-15")]

LEAD = {"name": "王芳", "company": "晨光设备", "channel": "web_form"}


class House:
    """An embedded installation's databases, served by deployables on ports of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"leads": port(), "others": port(), "gateway": port()}
        self.url = f"http://127.0.0.1:{self.ports['gateway']}"
        self.settings = {
            "data": folder / "data",
            "operations_port": 0,
            "http_port": self.ports["gateway"],
            "service_address": f"127.0.0.1:{self.ports['others']}",
            "service_addresses": f'{{"leads": "127.0.0.1:{self.ports["leads"]}"}}',
            "request_timeout": 60,
        }

    def process(self, command: str, **settings: object) -> Process:
        """Return a process, not started yet."""
        log = self.folder / f"{command.partition(' ')[0]}.log"
        return Process(command, {**self.settings, **settings}, log)

    def api(self) -> Process:
        """Return the api of leads."""
        return self.process("api leads", grpc_port=self.ports["leads"])

    @property
    def address(self) -> str:
        """Where leads are served."""
        return f"127.0.0.1:{self.ports['leads']}"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def api(house: House) -> Iterator[Process]:
    """Give the api of leads, which serves."""
    one = house.api()
    one.start()
    try:
        one.until(lambda: serves(house.address, "annals.leads.v1.Leads"))
        yield one
    finally:
        one.remove()


def test_an_api_process_answers_operators_and_ends_when_told(house: House, api: Process) -> None:
    port = api.says(r'"port": (\d+)')[1]
    assert httpx.get(f"http://127.0.0.1:{port}/readyz").json()["status"] == "ready"
    assert "annals_command_seconds" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert not serves(house.address, "annals.billing.v1.Billing")
    assert api.stop() == 0
    assert not serves(house.address)


def test_health_says_that_a_process_is_stopping_before_it_stops(house: House, api: Process) -> None:
    """A reader of a log that takes its time is the work in hand."""
    with grpc.insecure_channel(house.address) as channel:
        told = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(told).status == health_pb2.HealthCheckResponse.SERVING
        api.signal(signal.SIGTERM)
        assert next(told).status == health_pb2.HealthCheckResponse.NOT_SERVING
        told.cancel()
    assert api.ended() == 0


def test_a_second_signal_ends_a_process_at_once(house: House, api: Process) -> None:
    with grpc.insecure_channel(house.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        next(watch)  # a call in hand, which an orderly end would wait for
        api.signal(signal.SIGTERM)
        next(watch)
        api.signal(signal.SIGTERM)
        assert api.ended() == 128 + signal.SIGTERM


def test_commands_outlast_the_replacement_of_their_service(house: House, api: Process) -> None:
    answered: list[int] = []

    def more() -> None:
        before = len(answered)
        wait(lambda: len(answered) > before + 5, "commands")

    stop = threading.Event()

    def capture() -> None:
        with httpx.Client(base_url=house.url, timeout=90) as client:
            while not stop.is_set():
                answered.append(client.post("/v1/leads", json=LEAD).status_code)

    with process("gateway", house.settings, house.folder / "gateway.log") as gateway:
        gateway.until(lambda: answers(f"{house.url}/healthz"))
        assert httpx.post(f"{house.url}/v1/leads", json=LEAD, timeout=60).is_success
        captures = threading.Thread(target=capture)
        captures.start()
        try:
            for _ in range(2):
                more()
                assert api.stop() == 0
                api.start()
                api.until(lambda: serves(house.address))
            more()
        finally:
            stop.set()
            captures.join()
        assert set(answered) == {200}
        found = httpx.get(f"{house.url}/readyz", timeout=60).json()["detail"]
        assert found == "waiting for accounts, analytics, billing, pipeline, support, workplace"
        assert gateway.stop() == 0


def test_a_worker_of_several_services_is_ready_when_it_has_caught_up(house: House) -> None:
    names = "accounts analytics billing leads pipeline support workplace"
    with process(f"worker {names}", house.settings, house.folder / "worker.log") as worker:
        port = worker.says(r'"port": (\d+)')[1]
        told = httpx.get(f"http://127.0.0.1:{port}/readyz").json()
        assert told == {
            "status": "ready",
            "checks": dict.fromkeys(("databases", "broker", "caught up", "lag"), "ok"),
        }
        assert worker.stop() == 0


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("api nobody", 2, "there is no service nobody; there are accounts, analytics"),
        ("worker leads nobody", 2, "there is no service nobody"),
        ("migrate", 2, "ANNALS_DATABASE_URL is not set"),
    ],
)
def test_what_cannot_be_served_is_named(house: House, command: str, code: int, told: str) -> None:
    one = house.process(command)
    one.start()
    assert one.ended() == code
    assert told in re.sub(r"\s+", " ", one.said())


@pytest.mark.servers
def test_no_process_starts_on_a_database_it_does_not_know(
    house: House, postgres_database: str
) -> None:
    for command in ("api leads", "worker leads", "migrate leads --check"):
        one = house.process(command, database_url=postgres_database)
        one.start()
        code = one.ended()
        assert code == (1 if "check" in command else 3)
        assert ("run `annals migrate leads`" in one.said()) == (code == 3)
    migrating = house.process("migrate leads", database_url=postgres_database)
    migrating.start()
    assert migrating.ended() == 0
    assert migrating.said().splitlines()[-1] == "leads: 0001"
    assert "alembic" not in migrating.said()
    checking = house.process("migrate leads --check", database_url=postgres_database)
    checking.start()
    assert checking.ended() == 0
    assert "leads: fit, at revision 0001" in checking.said()
