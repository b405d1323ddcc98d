"""The whole installation, killed process by process while commands come in."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from annals.installation import open_installation
from shared.chassis.messaging import quiescent
from shared.chassis.settings import Settings

PATIENCE = 60.0
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


class Installation:
    """`annals up` over one data folder, on ports of its own."""

    def __init__(self, data: Path) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as http,
            socket.create_server(("127.0.0.1", 0)) as grpc,
        ):
            self.settings = Settings(
                data=data,
                http_port=http.getsockname()[1],
                grpc_port=grpc.getsockname()[1],
                sqlite_synchronous="normal",
            )
        self.url = f"http://127.0.0.1:{self.settings.http_port}"

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        environment = {**os.environ, **self.settings.environment(), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", "annals", "up"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: self.answers() or process.poll() is not None)
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz").is_success
        except httpx.TransportError:
            return False

    def capture(self, number: int) -> None:
        """Capture a lead, as a client does that sends again whatever was not answered."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            try:
                answer = httpx.post(
                    f"{self.url}/v1/leads",
                    json={"name": f"Lead {number}", "channel": "web_form"},
                    headers={"Idempotency-Key": f"capture-{number}"},
                )
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code < 500:
                answer.raise_for_status()
                return
            time.sleep(0.05)
        raise AssertionError(f"lead {number} was never captured")

    def settled(self) -> bool:
        with open_installation(self.settings) as services:
            return quiescent(services)

    def captured(self) -> list[str]:
        answer = httpx.get(f"{self.url}/v1/leads", params={"page_size": 500})
        return sorted(item["name"] for item in answer.raise_for_status().json()["items"])


def children(process: subprocess.Popen[bytes]) -> list[int]:
    return [
        int(p) for p in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ]


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.05)


def test_killing_any_process_loses_and_doubles_nothing(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    numbers = iter(range(1000))
    with installation.running() as supervisor:
        for victim in (0, 1):
            for _ in range(15):
                installation.capture(next(numbers))
            os.kill(children(supervisor)[victim], signal.SIGKILL)
        for _ in range(15):
            installation.capture(next(numbers))
        supervisor.kill()
        supervisor.wait(60)
        until(lambda: not installation.answers())
    with installation.running():
        expected = sorted(f"Lead {number}" for number in range(next(numbers)))
        until(installation.settled)
        assert installation.captured() == expected


def test_it_stops_within_ten_seconds_and_leaves_no_process(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.running() as supervisor:
        started = children(supervisor)
        assert len(started) == 2
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(10) == 0
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
