"""The customer 360 among a hundred thousand customers, now and as of a past moment."""

import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import Figure, percentile
from benchmarks.world import NOW, World, account_id, fold_all
from services.analytics.projections.customer import GetCustomer360
from shared.chassis.api.identity import DEVELOPMENT_ADMINISTRATOR
from shared.chassis.service import OpenService

__all__ = ["asked", "measure"]

_CUSTOMERS = 100_000
_LIVED = 50
"""Every fiftieth customer has a whole life: deal, contract, payments, invoice, tickets."""
_ASKED = 2000
_ASKED_OF_THE_PAST = 300
_WARM = 20


def measure() -> list[Figure]:
    """Ask for customers at random, half of them with a whole life."""
    with tempfile.TemporaryDirectory(prefix="annals-bench-") as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        world = World.build(Path(folder), _CUSTOMERS, _LIVED)
        fold_all(world.services)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        analytics = world.services["analytics"]
        chance = random.Random(7)
        numbers = [
            chance.randrange(_CUSTOMERS // _LIVED) * _LIVED
            if turn % 2
            else chance.randrange(_CUSTOMERS)
            for turn in range(_ASKED)
        ]
        now = asked(analytics, (GetCustomer360(account_id=account_id(n)) for n in numbers))
        past = asked(
            analytics,
            (
                GetCustomer360(account_id=account_id(n), as_of=NOW - timedelta(days=1))
                for n in numbers[:_ASKED_OF_THE_PAST]
            ),
        )
        world.close()
    return [
        _figure("100,000 customers made and folded", cpu, "s of CPU", goal=120),
        _figure("100,000 customers made and folded, by the clock", wall, "s"),
        *_latencies("customer 360", now, goal=20),
        *_latencies("customer 360 as of a past day", past),
    ]


def _latencies(
    title: str, asked: Sequence[tuple[float, float]], goal: float | None = None
) -> Iterator[Figure]:
    cpu, wall = ([one[place] * 1000 for one in asked] for place in (0, 1))
    yield _figure(f"{title}, p50", percentile(cpu, 0.50), "ms of CPU")
    yield _figure(f"{title}, p99", percentile(cpu, 0.99), "ms of CPU", goal=goal)
    yield _figure(f"{title}, p50 by the clock", percentile(wall, 0.50), "ms")
    yield _figure(f"{title}, p99 by the clock", percentile(wall, 0.99), "ms")


def _figure(name: str, value: float, unit: str, goal: float | None = None) -> Figure:
    return Figure(name=name, value=value, unit=unit, benchmark="360", goal=goal, better="less")


def asked(analytics: OpenService, queries: Iterable[GetCustomer360]) -> list[tuple[float, float]]:
    """Return the seconds each question took in the service: of CPU, and by the clock."""
    question = analytics.service.asked["GetCustomer360"]
    seconds = []
    for query in queries:
        wall, cpu = time.perf_counter(), time.thread_time()
        analytics.ask(question, query, DEVELOPMENT_ADMINISTRATOR)
        seconds.append((time.thread_time() - cpu, time.perf_counter() - wall))
    return seconds[_WARM:]
