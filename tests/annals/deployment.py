"""Deployables as real processes, on ports and with settings a test chooses."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

__all__ = ["Process", "answers", "port", "process", "serves", "wait"]

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0
_PORTS = range(15_000, 32_000)
"""Below those that outgoing connections take, so that none is gone when it is wanted."""


class Process:
    """One deployable.

    Args:
        command: what stands behind `annals`, or behind the program that is given.
        settings: its environment beyond that of the test, without the prefix.
        log: file its log lines are added to.
        program: module to run instead of `annals`.
    """

    def __init__(
        self, command: str, settings: Mapping[str, object], log: Path, program: str = "annals"
    ) -> None:
        self.command = command
        self._log = log
        self._start = [sys.executable, "-m", program, *command.split()]
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ANNALS_")},
            **{f"ANNALS_{name.upper()}": str(value) for name, value in settings.items()},
            "PYTHONPATH": str(ROOT),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may take a while until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._start, env=self._environment, stdin=subprocess.DEVNULL, stderr=log,
                stdout=log,
            )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def until(self, ready: Callable[[], bool]) -> None:
        """Wait until it is ready; fail when it ends before."""

        def met() -> bool:
            assert self.running, f"annals {self.command} ended:\n{self.said()[-4000:]}"
            return ready()

        wait(met, f"annals {self.command} to be ready")

    def said(self) -> str:
        """Return its log lines so far."""
        return self._log.read_text()

    def says(self, what: str) -> "re.Match[str]":
        """Wait for something in its log lines."""
        found: list[re.Match[str]] = []

        def seen() -> bool:
            found.extend(re.finditer(what, self.said()))
            return bool(found)

        self.until(seen)
        return found[-1]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end; return its exit code."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def remove(self) -> None:
        """End it if it runs."""
        if self.running:
            self.signal(signal.SIGKILL)
            self.ended()


@contextmanager
def process(
    command: str, settings: Mapping[str, object], log: Path, program: str = "annals"
) -> Iterator[Process]:
    """Run a deployable for as long as the block lasts."""
    one = Process(command, settings, log, program)
    one.start()
    try:
        yield one
    finally:
        one.remove()


def port() -> int:
    """Return a port nobody listens on."""
    while True:
        number = random.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", number))
            return number


def serves(address: str, service: str = "") -> bool:
    """Whether gRPC health says that a service serves."""
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            reply = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=2)
        except grpc.RpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def answers(url: str) -> bool:
    """Whether a GET is answered with success."""
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


def wait(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds, or fail."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.05)
