"""A real embedded installation: `annals up` in a folder of its own, with a clock the test turns."""

import os
import signal
import socket
import subprocess
import sys
import time
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
from shared.chassis.settings import Settings

__all__ = ["Installation", "installation"]

PATIENCE = 90.0


class Installation:
    """The running product as its users meet it.

    Args:
        data: its data folder.
        http_port: where the gateway answers.
        grpc_port: where the services answer.
    """

    def __init__(self, data: Path, http_port: int, grpc_port: int) -> None:
        self.settings = Settings(data=data, http_port=http_port, grpc_port=grpc_port)
        data.mkdir(parents=True, exist_ok=True)
        self.clock = FileClock(data / "clock")
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=30)
        self._process: subprocess.Popen[bytes] | None = None

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

    def turn(self, moment: datetime) -> None:
        """Turn the installation's clock and wait until all that was due has happened."""
        self.clock.set(moment)
        self.settle()

    def settle(self) -> None:
        """Wait until every consumer has every fact and no deadline is due."""
        with open_installation(self.settings) as services:
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
            token = issue_token(self.settings.signing_secret(), by, name=by, roles=roles)
            sent["authorization"] = f"Bearer {token}"
        return self.client.request(method, path, json=body or {}, headers=sent)

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
