"""Processes that a benchmark starts, waits for, looks at and ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

__all__ = [
    "children",
    "cpu_seconds",
    "free_port",
    "resident_megabytes",
    "running",
    "settings",
    "wait_until_up",
]

ROOT = Path(__file__).parents[1]
_TICK = 0.05


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(data: Path) -> dict[str, str]:
    """Return the environment of an installation in this folder, on free ports."""
    return {
        "ANNALS_DATA": str(data),
        "ANNALS_HTTP_PORT": str(free_port()),
        "ANNALS_GRPC_PORT": str(free_port()),
        "ANNALS_LOG_LEVEL": "error",
    }


@contextmanager
def running(
    arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python ARGUMENTS` while the block runs; what it started ends with it."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_up(port: int, path: str, process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until a GET is answered with 200.

    Raises:
        RuntimeError: the process ended.
        TimeoutError: it takes longer than `seconds`.
    """
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(_TICK)
    raise TimeoutError(f"no answer from {path} within {seconds} s")


def children(pid: int) -> list[int]:
    """Return the processes that a process started itself."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def resident_megabytes(pid: int) -> float:
    """Return the memory a process holds now (RSS)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has taken so far, its threads' and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
