"""`make run` after installation: until the page answers, until all is played, and the memory."""

import tempfile
import time
from pathlib import Path

import orjson

from benchmarks.figures import Figure
from benchmarks.processes import children, resident_megabytes, running, settings, wait_until_up

__all__ = ["measure"]

_PATIENCE = 600.0
_TICK = 0.2
_JOURNAL = "demo.jsonl"


def measure() -> list[Figure]:
    """Play the demonstration company's year into a fresh folder."""
    with tempfile.TemporaryDirectory(prefix="annals-bench-") as name:
        data = Path(name) / "data"
        environment = settings(data)
        began = time.perf_counter()
        with running(["-m", "annals", "demo"], environment) as process:
            wait_until_up(int(environment["ANNALS_HTTP_PORT"]), "/readyz", process, _PATIENCE)
            ready = time.perf_counter() - began
            while not _is_over(data):
                if process.poll() is not None:
                    raise RuntimeError(f"the demonstration ended with {process.returncode}")
                if time.perf_counter() - began > _PATIENCE:
                    raise TimeoutError(f"the demonstration is not over after {_PATIENCE} s")
                time.sleep(_TICK)
            played = time.perf_counter() - began
            memory = sum(resident_megabytes(child) for child in children(process.pid))
    return [
        Figure(name="start to ready page", value=ready, unit="s", benchmark="demo", better="less"),
        Figure(
            name="start to ready page with the demonstration played",
            value=played,
            unit="s",
            benchmark="demo",
            goal=60,
            better="less",
        ),
        Figure(
            name="memory of both processes after the demonstration",
            value=memory,
            unit="MB",
            benchmark="demo",
            goal=500,
            better="less",
        ),
    ]


def _is_over(data: Path) -> bool:
    journal = data / _JOURNAL
    lines = journal.read_bytes().splitlines() if journal.exists() else []
    return bool(lines) and "over" in orjson.loads(lines[-1])
