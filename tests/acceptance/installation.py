"""A real installation as its users meet it, with a clock the test turns.

`Installation` is an embedded one: `annals up` in a folder of its own.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from annals.installation import open_installation
from shared.chassis.api.identity import issue_token
from shared.chassis.clock import FileClock
from shared.chassis.messaging.lag import quiescent
from shared.chassis.service import OpenService
from shared.chassis.settings import Settings

__all__ = ["Installation", "Running", "installation", "wait"]

PATIENCE = 240.0


class Running(ABC):
    """The running product.

    Args:
        settings: with which its databases are opened.
        clock: the one all of it goes by.
        address: where its gateway answers.
    """

    def __init__(self, settings: Settings, clock: FileClock, address: str) -> None:
        self.settings = settings
        self.clock = clock
        self.client = httpx.Client(base_url=address, timeout=60)

    @abstractmethod
    def token(self, employee_id: str, roles: Sequence[str]) -> str:
        """Return a token with which an employee acts."""

    @contextmanager
    def services(self) -> Iterator[Sequence[OpenService]]:
        """Look into its databases for as long as the block lasts."""
        with open_installation(self.settings, self.clock) as services:
            yield services

    def turn(self, moment: datetime) -> None:
        """Turn the installation's clock and wait until all that was due has happened."""
        self.clock.set(moment)
        self.settle()

    def settle(self) -> None:
        """Wait until every consumer has every fact and no deadline is due."""
        with self.services() as services:
            wait(lambda: quiescent(services))

    def post(self, path: str, body: Any = None, *, by: str | None = None, **headers: str) -> Any:
        """Issue a command that must be accepted; return its answer."""
        answer = self.ask("POST", path, body, by=by, **headers)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a question that must succeed."""
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str | None = None,
        roles: Sequence[str] = ("administrator",),
        **headers: str,
    ) -> httpx.Response:
        """Send a request as somebody, or as nobody in particular."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if by is not None:
            sent["authorization"] = f"Bearer {self.token(by, roles)}"
        return self.client.request(method, path, json=body or {}, headers=sent)


class Installation(Running):
    """`annals up`.

    Args:
        data: its data folder.
        http_port: where the gateway answers.
        grpc_port: where the services answer.
    """

    def __init__(self, data: Path, http_port: int, grpc_port: int) -> None:
        data.mkdir(parents=True, exist_ok=True)
        settings = Settings(data=data, http_port=http_port, grpc_port=grpc_port)
        super().__init__(settings, FileClock(data / "clock"), f"http://127.0.0.1:{http_port}")
        self._process: subprocess.Popen[bytes] | None = None

    def token(self, employee_id: str, roles: Sequence[str]) -> str:
        """See `Running`."""
        return issue_token(
            self.settings.signing_secret(), employee_id, name=employee_id, roles=roles
        )

    def environment(self) -> dict[str, str]:
        """Return the variables with which a command of Annals means this installation."""
        return {k: v for k, v in os.environ.items() if not k.startswith("ANNALS_")} | {
            "ANNALS_DATA": str(self.settings.data),
            "ANNALS_HTTP_PORT": str(self.settings.http_port),
            "ANNALS_GRPC_PORT": str(self.settings.grpc_port),
        }

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with (self.settings.data / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "annals", "up"],
                env=self.environment(),
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        wait(self._is_ready)

    def stop(self) -> int:
        """Ask it to stop as Ctrl-C does; return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=PATIENCE)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.settings.data / "log").read_text()
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def installation(data: Path) -> Iterator[Installation]:
    """Run an installation in a folder, and stop it afterwards."""
    running = Installation(data, _free_port(), _free_port())
    running.start()
    try:
        yield running
    finally:
        assert running.stop() == 0
        running.client.close()


def wait(condition: Any) -> None:
    """Wait until a condition holds, or fail."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
