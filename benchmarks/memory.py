"""Memory of a rebuild as the history grows: of 100,000 facts, and of five million."""

import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context

from annals.installation import open_installation
from benchmarks.clones import Company
from benchmarks.deployed import deployed
from benchmarks.figures import Figure
from benchmarks.processes import resident_megabytes
from shared.chassis.projections.rebuild import rebuild

__all__ = ["measure"]

_FEW, _MANY = 20_000, 1_000_000
"""Customers."""
_LIVED = 18
"""Every how many'th has a whole life, so that a customer comes to five facts."""
_FLAT = 1.15


def measure() -> list[Figure]:
    """Rebuild analytics on PostgreSQL from histories of two lengths, each in a fresh process."""
    (few, less), (many, more) = (_alone(customers) for customers in (_FEW, _MANY))
    base = f"memory at most of a rebuild from {few:,} facts"
    return [
        Figure(name=base, value=less, unit="MB", benchmark="memory", better="less"),
        Figure(
            name=f"the same from {many:,} facts",
            value=more,
            unit="MB",
            benchmark="memory",
            against=base,
            ratio=more / less,
            goal=_FLAT,
            better="less",
        ),
    ]


def _alone(customers: int) -> tuple[int, float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_rebuilt, customers).result()


def _rebuilt(customers: int) -> tuple[int, float]:
    """Return how many facts there were, and the most memory the process held."""
    company = Company(customers, _LIVED)
    held: list[float] = []

    def look(_context: str, _position: int, _tip: int) -> None:
        held.append(resident_megabytes(os.getpid()))

    with ExitStack() as stack:
        installation = stack.enter_context(deployed(["analytics"]))
        opened = open_installation(installation.settings, names=["analytics"])
        (analytics,) = stack.enter_context(opened)
        rebuild(
            analytics.views_database,
            analytics.service.projections,
            company.logs,
            progress=look,
        )
    return sum(log.tip() for log in company.logs.values()), max(held)
