"""A million on PostgreSQL: leads imported, folded and asked for, and customers seen whole."""

import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from statistics import median

import psycopg

from annals.imports.mapping import load_mapping
from annals.imports.session import import_table
from annals.installation import open_installation
from benchmarks.clones import Company
from benchmarks.customers import asked
from benchmarks.deployed import POSTGRES, Deployed, databases, deployed
from benchmarks.figures import Figure, percentile
from benchmarks.imports import MAPPING, write_table
from benchmarks.processes import resident_megabytes
from benchmarks.production import questions
from benchmarks.stock import projected
from benchmarks.world import NOW, account_id
from services.analytics.projections.customer import GetCustomer360
from shared.chassis.api.identity import DEVELOPMENT_ADMINISTRATOR
from shared.chassis.projections.rebuild import rebuild

__all__ = ["measure", "measure_customers"]

_MILLION = 1_000_000
_FEW = 2000
_TENTH = 100_000
_LIVED = 50
_SERIES = "hij"
"""Of the rounds in which few leads and a million are asked for by turns."""
_ASKED = 1000
_ASKED_OF_THE_PAST = 200
_STOCK_EVENTS = 5000


def measure() -> list[Figure]:
    """Import leads, fold them, and ask for them through HTTP: among few, then among a million."""
    with (
        deployed(["leads"]) as small,
        deployed(["leads"]) as large,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        _imported(small, folder, 0, _FEW)
        _rebuilt(small)
        _imported(large, folder, 0, _TENTH)
        before = _memory()
        seconds = _imported(large, folder, _TENTH, _MILLION)
        growth = _memory() - before
        folded, rebuild_growth = _rebuilt(large)
        _settle()
        for installation in (small, large):
            installation.api("leads")
            installation.gateway()
        rounds = [
            [*questions(small, f"{_FEW:,} leads", s), *questions(large, f"{_MILLION:,} leads", s)]
            for s in _SERIES
        ]
    asked = [_median(values) for values in zip(*rounds, strict=True)]
    half = len(asked) // 2
    return [
        _figure(
            "import of 1,000,000 leads into PostgreSQL",
            seconds * _MILLION / (_MILLION - _TENTH),
            "s",
            goal=300,
        ),
        _figure("memory an import grows by from 100,000 leads to 1,000,000", growth, "MB", goal=50),
        Figure(
            name="rebuild of the read models of 1,000,000 leads on PostgreSQL",
            value=folded,
            unit="events/s",
            benchmark="million",
            goal=40_000,
        ),
        _figure("memory a rebuild of 1,000,000 leads takes", rebuild_growth, "MB"),
        *asked[1:half],
        *(
            replace(many, against=few.name, ratio=many.value / few.value, goal=0.85)
            for few, many in zip(asked[1:half], asked[half + 1 :], strict=True)
        ),
    ]


def _settle() -> None:
    """Have the server write what is left of importing: no question shall pay for it."""
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def _median(figures: Sequence[Figure]) -> Figure:
    """Return what was measured several times as one figure of this benchmark."""
    value = median(figure.value for figure in figures)
    first = figures[0]
    return Figure(name=first.name, value=value, unit=first.unit, benchmark="million")


def measure_customers() -> list[Figure]:
    """Fold a million customers, then see single ones whole: now and as of a past day."""
    with databases(["stock"]) as url:
        stock = projected(url.replace("{service}", "stock"), _STOCK_EVENTS)
    company = Company(_MILLION, _LIVED)
    with ExitStack() as stack:
        installation = stack.enter_context(deployed(["analytics"]))
        opened = open_installation(installation.settings, names=["analytics"])
        (analytics,) = stack.enter_context(opened)
        began, cpu_before = time.perf_counter(), time.process_time()
        reports = rebuild(analytics.views_database, analytics.service.projections, company.logs)
        cpu, seconds = time.process_time() - cpu_before, time.perf_counter() - began
        chance = random.Random(7)
        numbers = [chance.randrange(_MILLION) for _ in range(_ASKED)]
        now = asked(analytics, (GetCustomer360(account_id=account_id(n)) for n in numbers))
        past = asked(
            analytics,
            (
                GetCustomer360(account_id=account_id(n), as_of=NOW - timedelta(days=1))
                for n in numbers[:_ASKED_OF_THE_PAST]
            ),
        )
    facts = sum(log.tip() for log in company.logs.values())
    folded = sum(report.facts for report in reports)
    by_clock, of_cpu = folded / seconds, folded / cpu
    counted = "1,000,000 customers folded on PostgreSQL, a fact counted per read model"
    return [
        Figure(
            name="the stock projection runner, by the clock",
            value=stock.by_clock,
            unit="events/s",
            benchmark="customers",
        ),
        Figure(
            name="the stock projection runner, by its CPU time",
            value=stock.of_cpu,
            unit="events/s of CPU",
            benchmark="customers",
        ),
        Figure(
            name=counted,
            value=by_clock,
            unit="events/s",
            benchmark="customers",
            goal=40_000,
        ),
        Figure(
            name="the same beside the stock projection runner",
            value=by_clock,
            unit="events/s",
            benchmark="customers",
            against="the stock projection runner, by the clock",
            ratio=by_clock / stock.by_clock,
            goal=25,
        ),
        Figure(
            name="the same by CPU time, beside the stock projection runner",
            value=of_cpu,
            unit="events/s of CPU",
            benchmark="customers",
            against="the stock projection runner, by its CPU time",
            ratio=of_cpu / stock.of_cpu,
        ),
        Figure(
            name="1,000,000 customers folded on PostgreSQL, a fact counted once",
            value=facts / seconds,
            unit="facts/s",
            benchmark="customers",
        ),
        *_latencies("customer 360 among 1,000,000 on PostgreSQL", now, 20),
        *_latencies("the same as of a past day", past, 100),
    ]


def _latencies(title: str, taken: list[tuple[float, float]], goal: float) -> Iterator[Figure]:
    wall = [seconds * 1000 for _, seconds in taken]
    for share, held in ((0.5, None), (0.99, goal)):
        yield Figure(
            name=f"{title}, p{share * 100:.0f}",
            value=percentile(wall, share),
            unit="ms",
            benchmark="customers",
            goal=held,
            better="less",
        )


def _imported(installation: Deployed, folder: Path, first: int, last: int) -> float:
    """Import the leads of these numbers; return the seconds it took."""
    table, mapping = folder / f"leads-{last}.csv", folder / "leads.yaml"
    write_table(table, range(first, last))
    mapping.write_text(MAPPING)
    with open_installation(installation.settings, names=["leads"]) as services:
        report = import_table(
            "leads",
            table,
            load_mapping(mapping),
            services,
            actor=DEVELOPMENT_ADMINISTRATOR,
            zone=UTC,
            rejects=folder / "rejects.csv",
        )
    return report.seconds


def _rebuilt(installation: Deployed) -> tuple[float, float]:
    """Fold all that leads keep; return facts folded per second, and how much memory that took."""
    with open_installation(installation.settings, names=["leads"]) as (leads,):
        wanted = leads.service.projections
        contexts = {context for projection in wanted for context in projection.contexts()}
        nothing = Company(0, 1).logs
        sources = {name: leads.log if name == "leads" else nothing[name] for name in contexts}
        before, began = _memory(), time.perf_counter()
        reports = rebuild(leads.views_database, wanted, sources)
        seconds = time.perf_counter() - began
        return sum(report.facts for report in reports) / seconds, _memory() - before


def _memory() -> float:
    return resident_megabytes(os.getpid())


def _figure(name: str, value: float, unit: str, goal: float | None = None) -> Figure:
    return Figure(name=name, value=value, unit=unit, benchmark="million", goal=goal, better="less")
