"""Every read model of every service folded anew from the logs."""

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.world import World, fold_all

__all__ = ["measure"]

_CUSTOMERS = 1500
_LARGEST = "analytics"
_GOAL = 30_000


def measure() -> list[Figure]:
    """Rebuild the read models of a company of which every customer has a whole life."""
    with tempfile.TemporaryDirectory(prefix="annals-bench-") as name:
        folder = Path(name)
        world = World.build(folder, _CUSTOMERS, lived=1)
        facts, names = world.facts, sorted(world.services)
        world.close()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as one:
            applied, cpu, wall = one.submit(_rebuilt, folder, names).result()
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as two:
            others = [name for name in names if name != _LARGEST]
            halves = [two.submit(_rebuilt, folder, half) for half in ([_LARGEST], others)]
            wall_of_two = max(half.result()[2] for half in halves)
    return [
        _figure("rebuild of all read models", facts / cpu, "facts/s of CPU", goal=_GOAL),
        _figure("rebuild of all read models, by the clock", facts / wall, "facts/s"),
        _figure(
            "rebuild, a fact counted per read model", applied / cpu, "events/s of CPU", goal=_GOAL
        ),
        _figure("rebuild, a fact counted per read model, by the clock", applied / wall, "events/s"),
        _figure(
            "rebuild by two processes at once, a fact counted per read model, by the clock",
            applied / wall_of_two,
            "events/s",
        ),
    ]


def _rebuilt(folder: Path, names: Sequence[str]) -> tuple[int, float, float]:
    """Rebuild some services' read models; return facts folded, CPU seconds and seconds."""
    world = World.open(folder)
    wall, cpu = time.perf_counter(), time.process_time()
    reports = fold_all(world.services, names)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    world.close()
    return sum(report.facts for report in reports), cpu, wall


def _figure(name: str, value: float, unit: str, goal: float | None = None) -> Figure:
    return Figure(name=name, value=value, unit=unit, benchmark="rebuild", goal=goal)
