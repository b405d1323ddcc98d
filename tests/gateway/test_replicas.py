"""A gateway goes on to replicas of a service that came after it had connected."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import httpx
import pytest

from gateway import create_app
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.identity import DevelopmentIdentity
from shared.chassis.service import OpenService
from shared.chassis.shapes import Actor
from tests.api.conftest import SECRET
from tests.gateway.conftest import serving

pytestmark = pytest.mark.capability("PLT-18")

CALLS = 5_000
AGE = 0.2


class Counted(DevelopmentIdentity):
    """Counts the calls of a replica."""

    def __init__(self) -> None:
        super().__init__(SECRET)
        self.calls = 0

    def identify(self, authorization: str | None) -> Actor:
        self.calls += 1
        return super().identify(authorization)


class Balancer:
    """One address before several replicas: every new connection goes to the next of them."""

    def __init__(self, *replicas: str) -> None:
        self.replicas = [*replicas]
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        for number in count():
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            host, _, port = self.replicas[number % len(self.replicas)].partition(":")
            replica = socket.create_connection((host, int(port)))
            self._threads.append(threading.Thread(target=_carry, args=(caller, replica)))
            self._threads[-1].start()

    def close(self) -> None:
        """Take no more connections; those there are end with the replicas."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with one, other, selectors.DefaultSelector() as ready, suppress(OSError):
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in ready.select():
                assert isinstance(key.fileobj, socket.socket)
                if not (data := key.fileobj.recv(65_536)):
                    return
                key.data.sendall(data)


@contextmanager
def replica(opened: OpenService, proto: Path) -> Iterator[tuple[str, Counted]]:
    """Run a replica; give its address and the count of its calls."""
    identity = Counted()
    server = ApiServer([opened], identity=identity, proto=proto, age=AGE)
    server.start()
    yield server.address, identity
    server.stop(grace=0)


def test_a_replica_that_comes_later_gets_its_share_and_no_call_is_lost(
    opened: OpenService, proto: Path
) -> None:
    with replica(opened, proto) as (first, early), replica(opened, proto) as (second, late):
        balancer = Balancer(first)
        try:
            app = create_app({"toy": balancer.address}, proto=proto)
            with serving(app) as address, httpx.Client(base_url=address, timeout=60) as client:
                assert client.get("/v1/books").status_code == 200
                balancer.replicas.append(second)
                for _ in range(CALLS):
                    assert client.get("/v1/books").status_code == 200
                    if late.calls:
                        break
        finally:
            balancer.close()
        assert early.calls
        assert late.calls
