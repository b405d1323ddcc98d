"""Appends per second on PostgreSQL, beside a bare loop and the library's own recorder."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from statistics import median
from uuid import uuid4

import psycopg
from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment
from psycopg import sql
from sqlalchemy import make_url

from benchmarks.figures import Figure
from benchmarks.stock import environment
from shared.chassis.database import Database
from shared.chassis.eventstore import AnsweredCommand, EventLog
from shared.chassis.eventstore.postgres import APPEND, arguments
from shared.chassis.eventstore.recorder import Append
from shared.events.base import Recorded
from shared.events.leads import LeadQualified

__all__ = ["measure"]

_SERVER = os.environ.get("ANNALS_BENCH_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
_WRITERS, _MANY = 8, 64
_ROUNDS = 7
_SECONDS = 0.7
_SLOW_COMMIT = {"commit_delay": "5000", "commit_siblings": "0"}
"""A commit takes 5 ms, whoever else is about to commit."""
_NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
_STATE = bytes(300)
"""As long as what is stored of the fact."""

Write = Callable[[], object]
"""Appends one fact of a new stream."""


def measure() -> list[Figure]:
    """Append one fact and one answer at a time; writers are threads of one process, as in api."""
    with fresh_database() as mine, fresh_database() as stock, ExitStack() as opened:
        database = opened.enter_context(closing(Database.postgres(mine, pool=_WRITERS)))
        log = EventLog("leads", database)
        peers = {
            "appends": _logging(log),
            "the same statement in a bare psycopg loop": _bare(opened, mine),
            "appends by the stock recorder": _stock(opened, stock),
        }
        rates = _rates(peers, _WRITERS)
        many, slowly = "appends by 64 writers", "appends by 64 writers when a commit takes 5 ms"
        rates |= _rates({many: _logging(log)}, _MANY)
        with _slow_commits(mine):
            database.engine.dispose()
            rates |= _rates({slowly: _logging(log)}, _MANY)
    ours, bare, theirs = peers
    return [
        _figure(rates, ours, bare, 0.85),
        _figure(rates, bare),
        _figure(rates, theirs),
        _figure(rates, "the same beside the stock recorder", theirs, 3, of=ours),
        _figure(rates, many),
        _figure(rates, slowly, many),
    ]


def _figure(
    rates: Mapping[str, float],
    name: str,
    against: str | None = None,
    goal: float | None = None,
    of: str | None = None,
) -> Figure:
    rate = rates[of or name]
    return Figure(
        name=name,
        value=rate,
        unit="appends/s",
        benchmark="store",
        against=against,
        ratio=rate / rates[against] if against else None,
        goal=goal,
    )


@contextmanager
def fresh_database() -> Iterator[str]:
    """Give the URL of an empty database of the server, dropped afterwards."""
    name = f"annals_bench_{uuid4().hex[:12]}"
    with psycopg.connect(_SERVER, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url = make_url(_SERVER).set(database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _slow_commits(url: str) -> Iterator[None]:
    """Have new sessions of the database commit slowly."""
    database = sql.Identifier(make_url(url).database or "")
    with psycopg.connect(url, autocommit=True) as server:
        for name, value in _SLOW_COMMIT.items():
            server.execute(
                sql.SQL("ALTER DATABASE {} SET {} TO {}").format(
                    database, sql.Identifier(name), sql.Literal(value)
                )
            )
        yield


def _rates(peers: dict[str, Callable[[], Write]], writers: int) -> dict[str, float]:
    """Return the appends per second of each; turns of all are taken alternately."""
    ready = {name: [connected() for _ in range(writers)] for name, connected in peers.items()}
    rates: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(_ROUNDS + 1):
        for name, writes in ready.items():
            rate = _rate(writes)
            if turn:  # the first warms up
                rates[name].append(rate)
    return {name: median(measured) for name, measured in rates.items()}


def _rate(writes: list[Write]) -> float:
    done = [0] * len(writes)
    start = threading.Barrier(len(writes) + 1)
    end = threading.Event()

    def writer(number: int) -> None:
        write = writes[number]
        start.wait()
        while not end.is_set():
            write()
            done[number] += 1

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(len(writes))]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    end.wait(_SECONDS)
    end.set()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - began)


def _fact(stream_id: str, command_id: str) -> Recorded[LeadQualified]:
    event = LeadQualified(owner_id="employee-2", score=80)
    return Recorded(
        "leads", 0, stream_id, 1, event, _NOW, _NOW, "employee-1", command_id, command_id
    )


def _logging(log: EventLog) -> Callable[[], Write]:
    def write() -> None:
        stream_id, command_id = str(uuid4()), str(uuid4())
        log.append(
            [_fact(stream_id, command_id)], answers=[AnsweredCommand(command_id, stream_id, 1, 1)]
        )

    return lambda: write


def _bare(opened: ExitStack, url: str) -> Callable[[], Write]:
    """Run the statement with arguments made beforehand, each writer on its own connection."""
    statement = APPEND.replace("?", "%s")

    def connected() -> Write:
        connection = opened.enter_context(psycopg.connect(url, autocommit=True))

        def write() -> None:
            stream_id, command_id = str(uuid4()), str(uuid4())
            event = StoredEvent(stream_id, 1, LeadQualified.topic, _STATE)
            append = Append([event], answers=[AnsweredCommand(command_id, stream_id, 1, 1)])
            connection.execute(statement, arguments(append)).fetchall()

        return write

    return connected


def _stock(opened: ExitStack, url: str) -> Callable[[], Write]:
    settings = {**environment(url), "POSTGRES_ORIGINATOR_ID_TYPE": "text"}
    factory = opened.enter_context(InfrastructureFactory.construct(Environment("leads", settings)))
    recorder = factory.application_recorder()

    def write() -> None:
        recorder.insert_events([StoredEvent(str(uuid4()), 1, LeadQualified.topic, _STATE)])

    return lambda: write
