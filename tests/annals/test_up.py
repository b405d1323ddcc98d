"""`annals up` as a newcomer types it: real processes on free ports."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def annals(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "annals", "--data", str(folder), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Give an installation that is ready, with its address."""
    process = annals(tmp_path, "up", "--port", "0", "--grpc-port", "0")
    assert process.stdout is not None
    ready = re.search(r"http://\S+", process.stdout.readline())
    try:
        assert ready is not None, "annals up ended before it was ready"
        yield process, ready[0]
    finally:
        process.kill()
        process.communicate(timeout=60)


def test_it_answers_once_ready_and_stops_cleanly(
    running: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, address = running
    assert httpx.get(f"{address}/readyz").status_code == 200
    settled = annals(tmp_path, "lag", "--wait", "10", "--json")
    assert settled.wait(30) == 0
    settled.communicate(timeout=60)
    second = annals(tmp_path, "up", "--port", "0", "--grpc-port", "0")
    assert second.wait(30) == 1
    second.communicate(timeout=60)
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 0


def test_a_port_in_use_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = subprocess.run(
            [sys.executable, "-m", "annals", "--data", str(tmp_path), "up", "--port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert finished.returncode == 1
    assert "ANNALS_HTTP_PORT" in finished.stderr
