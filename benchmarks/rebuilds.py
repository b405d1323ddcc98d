"""Every read model of every service folded anew from the logs."""

import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.world import World, fold_all

__all__ = ["measure"]

_CUSTOMERS = 1500


def measure() -> list[Figure]:
    """Rebuild the read models of a company of which every customer has a whole life."""
    with tempfile.TemporaryDirectory(prefix="annals-bench-") as folder:
        world = World.build(Path(folder), _CUSTOMERS, lived=1)
        facts = world.facts
        wall, cpu = time.perf_counter(), time.process_time()
        reports = fold_all(world.services)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        world.close()
    applied = sum(report.facts for report in reports)
    return [
        _figure("rebuild of all read models", facts / cpu, "facts/s of CPU", goal=30_000),
        _figure("rebuild of all read models, by the clock", facts / wall, "facts/s"),
        _figure("rebuild, a fact counted per read model", applied / cpu, "events/s of CPU"),
        _figure("rebuild, a fact counted per read model, by the clock", applied / wall, "events/s"),
    ]


def _figure(name: str, value: float, unit: str, goal: float | None = None) -> Figure:
    return Figure(name=name, value=value, unit=unit, benchmark="rebuild", goal=goal)
