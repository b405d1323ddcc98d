"""A dining room and a kitchen that are deployed apart, with real servers between them."""

import contextlib
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from kombu import Queue

from shared.chassis.api.identity import DevelopmentIdentity, issue_token
from shared.chassis.api.log import log_handler
from shared.chassis.api.rights import StoredRights
from shared.chassis.clock import FileClock
from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog
from shared.chassis.messaging import quiescent
from shared.chassis.service import OpenService, Service, open_service
from shared.chassis.worker.broker import Broker
from tests.messaging.conftest import HandClock, House
from tests.messaging.toys import DINING, KITCHEN
from tests.servers.found import Servers, fresh_database

PATIENCE = 60.0
ROOT = Path(__file__).parents[2]
SECRET = "s" * 32


def until(condition: Callable[[], bool], what: str = "it") -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, f"waited in vain for {what}"
        time.sleep(0.01)


class Staff:
    """One worker process."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.worker.branch", json.dumps(told)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        os.set_blocking(self.process.stderr.fileno(), False)  # read when there is a question
        self._said = ""

    def wait_ready(self) -> "Staff":
        assert self.process.stdout is not None
        found, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        assert found, self.said()
        assert self.process.stdout.readline() == "ready\n", self.said()
        return self

    def said(self) -> str:
        assert self.process.stderr is not None
        with contextlib.suppress(TypeError):  # nothing there yet
            self._said += self.process.stderr.read() or ""
        return self._said

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.kill()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()


@dataclass
class Branch:
    """Both services as their API processes hold them, and what starts their workers."""

    house: House
    folder: Path
    broker: Broker
    address: str
    databases: dict[str, str]
    staff: list[Staff] = field(default_factory=list)
    poisonous: list[str] = field(default_factory=list)

    def hire(self, *services: str, ready: bool = True) -> Staff:
        """Start a worker for these services."""
        told = {
            "services": services,
            "folder": str(self.folder),
            "databases": self.databases,
            "broker": self.broker.url,
            "prefix": self.broker.prefix,
            "address": self.address,
            "token": issue_token(SECRET, "kitchen", roles=["service"]),
            "poisonous": self.poisonous,
        }
        self.staff.append(Staff(told))
        return self.staff[-1].wait_ready() if ready else self.staff[-1]

    def order(self, *dishes: str, table: int = 1) -> None:
        for dish in dishes:
            self.house.order(f"order {dish}", dish, table)

    def settle(self) -> None:
        until(lambda: quiescent(self.house.services), "everything to be applied")

    def waiting(self, queue: str) -> int:
        """How many messages a queue holds that no consumer has yet."""
        with self.broker.connection() as connection:
            found = Queue(self.broker.prefix + queue, channel=connection.default_channel)
            return int(found.queue_declare(passive=True).message_count)

    @contextmanager
    def channel(self) -> Iterator[Any]:
        with self.broker.connection() as connection:
            yield connection.default_channel


@contextmanager
def serve_logs(services: Sequence[OpenService], address: str = "127.0.0.1:0") -> Iterator[str]:
    """Serve these logs, and an empty one of the workplace, to services; give the address."""
    server = grpc.server(ThreadPoolExecutor(4))
    identity = DevelopmentIdentity(SECRET, None)
    logs = {opened.name: opened.log for opened in services}
    logs["workplace"] = EventLog("workplace", Database.sqlite(None))
    handler = log_handler(
        logs, identity, dict.fromkeys(logs, StoredRights(services[0].views_database))
    )
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port(address)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@contextmanager
def open_branch(
    folder: Path, broker: Broker, databases: dict[str, str] | None = None
) -> Iterator[Branch]:
    """Open both services and end every worker started for them."""
    databases = databases or {}
    clock = HandClock()
    FileClock(folder / "clock").set(clock.now())  # the workers'
    with ExitStack() as ends:

        def opened(service: Service) -> OpenService:
            url = databases.get(service.name)
            database = Database.postgres(url) if url else None
            opened = open_service(service, folder, clock, durable=False, database=database)
            ends.callback(opened.close)
            return opened

        house = House(opened(DINING), opened(KITCHEN), clock)
        address = ends.enter_context(serve_logs(house.services))
        branch = Branch(house, folder, broker, address, databases)
        yield branch
        for worker in branch.staff:
            worker.end()


@pytest.fixture
def shared_broker(servers: Servers) -> Iterator[Broker]:
    """Give the servers' broker, with an exchange and queues nobody else uses."""
    broker = Broker.amqp(servers.broker, prefix=f"test-{secrets.token_hex(4)}.")
    yield broker
    with broker.connection() as connection:
        for queue in ("dining.views", "kitchen.policies", "kitchen.views"):
            Queue(broker.prefix + queue, channel=connection.default_channel).delete()
        broker.exchange(connection.default_channel).delete()


@pytest.fixture
def branch(tmp_path: Path, shared_broker: Broker) -> Iterator[Branch]:
    """Both services on files of their own, with RabbitMQ between them."""
    with open_branch(tmp_path, shared_broker) as opened:
        yield opened


@pytest.fixture
def branch_on_postgres(tmp_path: Path, servers: Servers, shared_broker: Broker) -> Iterator[Branch]:
    """Both services on PostgreSQL, a database for each, with RabbitMQ between them."""
    with fresh_database(servers.postgres) as dining, fresh_database(servers.postgres) as kitchen:
        databases = {"dining": dining, "kitchen": kitchen}
        with open_branch(tmp_path, shared_broker, databases) as opened:
            yield opened
