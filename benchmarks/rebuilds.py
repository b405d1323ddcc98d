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
        Figure(
            name="rebuild of all read models",
            value=applied / cpu,
            unit="events/s of CPU",
            benchmark="rebuild",
            goal=30_000,
        ),
        Figure(
            name="rebuild of all read models, by the clock",
            value=applied / wall,
            unit="events/s",
            benchmark="rebuild",
        ),
        Figure(
            name="rebuild, each fact counted once for all read models",
            value=facts / cpu,
            unit="facts/s of CPU",
            benchmark="rebuild",
        ),
    ]
