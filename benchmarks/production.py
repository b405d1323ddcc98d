"""Commands and questions of a service on PostgreSQL, in production mode, beside doing nothing."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from benchmarks.commands import (
    capturing_by_grpc,
    lead,
    measured,
    nothing,
    nothing_by_grpc,
    requesting,
)
from benchmarks.deployed import POSTGRES, Deployed, deployed
from benchmarks.figures import Figure

__all__ = ["measure", "questions"]

_MANY = 64
_HTTP_CLIENTS = 16
_SLOW_COMMIT = 5000
"""Microseconds that a commit waits."""
_LEADS = 2000
_SHOWN = "/v1/leads?fields=name,company,channel,status,grade,owner_id,captured_at,account_id"
"""What the console's list of leads asks for."""


def measure() -> list[Figure]:
    """Measure commands through gRPC, then the same and questions through the gateway."""
    with nothing("grpc") as port:
        bare, _ = measured(partial(nothing_by_grpc, port), "n")
    with deployed(["leads"]) as installation:
        installation.api("leads")
        by_grpc = partial(capturing_by_grpc, installation.address, installation.token)
        rate, p99 = measured(by_grpc, "g")
        many, _ = measured(by_grpc, "m", _MANY)
        _slow_commits(installation)
        slow, _ = measured(by_grpc, "s", _MANY)
    figures = [
        _figure("no-op calls through gRPC, 8 clients", bare, "calls/s"),
        _figure(
            "commands through gRPC on PostgreSQL, 8 clients",
            rate,
            "calls/s",
            against="no-op calls through gRPC, 8 clients",
            ratio=rate / bare,
            goal=0.35,
        ),
        Figure(
            name="commands through gRPC on PostgreSQL, p99",
            value=p99 * 1000,
            unit="ms",
            benchmark="production",
            better="less",
        ),
        _figure("commands through gRPC on PostgreSQL, 64 clients", many, "calls/s"),
        _figure(
            "the same when a commit takes 5 ms",
            slow,
            "calls/s",
            against="commands through gRPC on PostgreSQL, 64 clients",
            ratio=slow / many,
            goal=0.8,
        ),
    ]
    with deployed(["leads"]) as installation:
        installation.api("leads")
        installation.worker_behind("leads")
        installation.gateway()
        _fill(installation, _LEADS)
        figures += questions(installation, f"{_LEADS:,} leads")
    return figures


def questions(installation: Deployed, among: str, series: str = "h") -> Iterator[Figure]:
    """Measure through HTTP: create a lead, the first page of the list, one record.

    Args:
        installation: with API, worker and gateway of leads.
        among: how many leads there are, in words.
        series: tells the leads that are made from those made before.
    """
    port, token = installation.http_port, installation.token
    with nothing("http") as bare_port:
        bare, _ = measured(
            partial(requesting, bare_port, lambda n: ("POST", "/nothing", lead(n))),
            "n",
            _HTTP_CLIENTS,
        )
    bare_name = f"no-op POSTs to FastAPI beside {among}"
    yield _figure(bare_name, bare, "calls/s")
    known = _known(installation)
    asked: list[tuple[str, Any, float | None]] = [
        ("create a lead", lambda n: ("POST", "/v1/leads", lead(n)), 0.15),
        ("first page of the list of leads", lambda _: ("GET", "/v1/leads", None), 0.25),
        ("first page of eight fields a lead", lambda _: ("GET", _SHOWN, None), 0.25),
        ("one lead", lambda n: ("GET", f"/v1/leads/{known[n % len(known)]}", None), 0.30),
    ]
    for name, request, goal in asked:
        rate, _ = measured(partial(requesting, port, request, token), series, _HTTP_CLIENTS)
        yield _figure(
            f"{name} through HTTP among {among}",
            rate,
            "calls/s",
            against=bare_name,
            ratio=rate / bare,
            goal=goal,
        )


def _fill(installation: Deployed, leads: int) -> None:
    with capturing_by_grpc(installation.address, installation.token) as capture:
        for number in range(leads):
            capture(900_000_000 + number)


def _known(installation: Deployed) -> list[str]:
    url = str(installation.settings.database_for("leads"))
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT lead_id FROM leads LIMIT 1000").fetchall()
    return [lead_id for (lead_id,) in rows]


def _slow_commits(installation: Deployed) -> None:
    """Have every commit wait, and open connections anew."""
    name = urlsplit(str(installation.settings.database_for("leads"))).path.lstrip("/")
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        for setting, value in (("commit_delay", _SLOW_COMMIT), ("commit_siblings", 0)):
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(name), sql.Identifier(setting), sql.Literal(value)
                )
            )
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )


def _figure(name: str, value: float, unit: str, **more: Any) -> Figure:
    return Figure(name=name, value=value, unit=unit, benchmark="production", **more)
