"""Processes as a container would run them: started, asked whether they live, told to stop."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.manifests import DEPLOY

HEALTHCHECK = DEPLOY / "docker/healthcheck.py"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: list[str], environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends, then tell it to stop."""
    with subprocess.Popen(command, env=environment, cwd=folder) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def done(command: list[str], environment: dict[str, str], folder: Path) -> str:
    """Run a process to its end, which has to be a good one; return what it printed."""
    ended = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until a condition holds; fail when the process ends before, or after a minute."""
    give_up = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < give_up
        time.sleep(0.05)


def health(**environment: str) -> int:
    """Return what the health check of a container says."""
    return subprocess.run(
        [sys.executable, str(HEALTHCHECK)],
        env=environment,
        check=False,
    ).returncode
