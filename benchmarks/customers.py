"""The customer 360 among a hundred thousand customers, now and as of a past moment."""

import random
import tempfile
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import Figure, percentile
from benchmarks.world import NOW, World, account_id, fold_all
from services.analytics.projections.customer import GetCustomer360
from shared.chassis.api.identity import DEVELOPMENT_ADMINISTRATOR

__all__ = ["measure"]

_CUSTOMERS = 100_000
_LIVED = 50
"""Every fiftieth customer has a whole life: deal, contract, payments, invoice, tickets."""
_ASKED = 2000
_ASKED_OF_THE_PAST = 300
_WARM = 20


def measure() -> list[Figure]:
    """Ask for customers at random, half of them with a whole life."""
    with tempfile.TemporaryDirectory(prefix="annals-bench-") as folder:
        began = time.perf_counter()
        world = World.build(Path(folder), _CUSTOMERS, _LIVED)
        fold_all(world.services)
        made = time.perf_counter() - began
        chance = random.Random(7)
        numbers = [
            chance.randrange(_CUSTOMERS // _LIVED) * _LIVED
            if turn % 2
            else chance.randrange(_CUSTOMERS)
            for turn in range(_ASKED)
        ]
        now = _asked(world, (GetCustomer360(account_id=account_id(n)) for n in numbers))
        past = _asked(
            world,
            (
                GetCustomer360(account_id=account_id(n), as_of=NOW - timedelta(days=1))
                for n in numbers[:_ASKED_OF_THE_PAST]
            ),
        )
        world.close()
    return [
        Figure(
            name="100,000 customers made and folded",
            value=made,
            unit="s",
            benchmark="360",
            goal=120,
            better="less",
        ),
        *(
            Figure(
                name=f"{title}, p{share}",
                value=percentile(values, share / 100) * 1000,
                unit="ms",
                benchmark="360",
                goal=20 if (title, share) == ("customer 360", 99) else None,
                better="less",
            )
            for title, values in (("customer 360", now), ("customer 360 as of a past day", past))
            for share in (50, 99)
        ),
    ]


def _asked(world: World, queries: Iterable[GetCustomer360]) -> list[float]:
    """Return how many seconds each question took in the service."""
    analytics = world.services["analytics"]
    question = analytics.service.asked["GetCustomer360"]
    seconds = []
    for query in queries:
        started = time.perf_counter()
        analytics.ask(question, query, DEVELOPMENT_ADMINISTRATOR)
        seconds.append(time.perf_counter() - started)
    return seconds[_WARM:]
