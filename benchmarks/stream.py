"""From commit to row through RabbitMQ: how many facts a worker folds, and how soon they show."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import psycopg

from annals.installation import open_installation, service_names
from benchmarks.clones import Company
from benchmarks.commands import capture, lead
from benchmarks.deployed import Deployed, databases, deployed
from benchmarks.figures import Figure, percentile
from benchmarks.processes import cpu_seconds
from benchmarks.stock import projected
from shared.chassis import tracking
from shared.chassis.eventstore import EventLog
from shared.chassis.messaging.deadlines import POLICIES
from shared.chassis.service import OpenService

__all__ = ["measure"]

_CUSTOMERS = 6000
_LIVED = 4
_STOCK_EVENTS = 5000
_PAUSE = 0.02
_PATIENCE = 300.0
_CLIENTS = 8
_FULL, _HALF = 6.0, 12.0
"""Seconds under full and under half load."""
_POLL = 0.002


def measure() -> list[Figure]:
    """Fold a company's facts as they come from RabbitMQ, then watch single facts come through."""
    with databases(["stock"]) as url:
        stock = projected(url.replace("{service}", "stock"), _STOCK_EVENTS).of_cpu
    with deployed() as installation:
        installation.api(*service_names())
        folded, facts = _folded(installation)
    with deployed(["leads"]) as installation:
        installation.api("leads")
        installation.worker_behind("leads")
        delays = _delays(installation)
    return [
        Figure(
            name="live projection through RabbitMQ, a fact counted per read model",
            value=folded,
            unit="events/s of CPU per worker",
            benchmark="stream",
            against="the stock projection runner",
            ratio=folded / stock,
            goal=10,
        ),
        Figure(
            name="live projection through RabbitMQ, a fact counted once",
            value=facts,
            unit="facts/s of CPU per worker",
            benchmark="stream",
            goal=15_000,
        ),
        Figure(
            name="the stock projection runner",
            value=stock,
            unit="events/s of CPU",
            benchmark="stream",
        ),
        *(
            Figure(
                name=f"freshness at half load, p{share}",
                value=percentile(delays, share / 100) * 1000,
                unit="ms",
                benchmark="stream",
                goal=goal,
                better="less",
            )
            for share, goal in ((50, 25), (99, 150))
        ),
    ]


def _folded(installation: Deployed) -> tuple[float, float]:
    """Return folds per CPU second of the worker of analytics, and facts per CPU second."""
    listening = installation.worker("analytics")
    with open_installation(installation.settings) as services:
        analytics = next(one for one in services if one.name == "analytics")
        logs = {one.name: one.log for one in services}
        company = Company(_CUSTOMERS, _LIVED)
        tips = {name: _load(logs[name], company, name) for name in logs}
        for one in services:
            _have_reacted(one, tips)
        projections = analytics.service.projections
        folds = sum(
            isinstance(fact.event, projection.events)
            for name, log in company.logs.items()
            for fact in log.read(0, sum(tips.values()))
            for projection in projections
        )
        before = cpu_seconds(listening.pid)
        installation.worker_behind(*(name for name in service_names() if name != "analytics"))
        consumers = [
            (projection.name, context, tips[context])
            for projection in projections
            for context in projection.contexts()
        ]
        _wait(installation, "analytics", consumers)
    seconds = cpu_seconds(listening.pid) - before
    return folds / seconds, sum(tips.values()) / seconds


def _load(log: EventLog, company: Company, name: str) -> int:
    """Append a company's facts to a log; return its tip."""
    clones = company.logs[name]
    reached = log.tip()
    made = 0
    while batch := clones.read(made, 500):
        log.append([fact._replace(command_id=f"{fact.command_id}-{name}") for fact in batch])
        made = batch[-1].position
    return reached + made


def _have_reacted(opened: OpenService, tips: Mapping[str, int]) -> None:
    """Spare a service's policies the facts: what follows from them is among them."""
    contexts = {context for policy in opened.service.policies for context in policy.contexts}
    with opened.log_database.transaction() as connection:
        for context in contexts:
            tracking.advance(connection, POLICIES, context, tips[context])


def _wait(installation: Deployed, service: str, consumers: list[tuple[str, str, int]]) -> None:
    url = str(installation.settings.database_for(service))
    give_up = time.monotonic() + _PATIENCE
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < give_up:
            rows = connection.execute("SELECT consumer, context, position FROM tracking")
            reached = {(consumer, context): position for consumer, context, position in rows}
            if all(reached.get((c, context), 0) >= tip for c, context, tip in consumers):
                return
            time.sleep(_PAUSE)
    raise TimeoutError("the worker does not catch up")


def _delays(installation: Deployed) -> list[float]:
    """Return the seconds from a command's answer until its row could be read, at half load.

    Full load is what can go on for ever: as many commands as rows follow in the same time.
    """
    address, token = installation.address, installation.token
    began = time.monotonic()
    full = _issued(address, token, 0, _FULL, pause=0.0)
    _settled(installation)
    seconds = time.monotonic() - began
    with _watched(installation) as shown:
        pause = _CLIENTS * seconds / len(full) * 2
        answered = _issued(address, token, 1, _HALF, pause)
        _settled(installation)
    moments = sorted(shown.items())
    delays = []
    place = 0
    for position, answered_at in sorted(answered.items()):
        while place < len(moments) and moments[place][0] < position:
            place += 1
        if place < len(moments):
            delays.append(max(0.0, moments[place][1] - answered_at))
    return delays


def _issued(
    address: str, token: str, series: int, seconds: float, pause: float
) -> dict[int, float]:
    """Issue commands by several clients; return when each position was answered."""
    answered: dict[int, float] = {}
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        with grpc.insecure_channel(address) as channel:
            call = capture(channel, token)
            turn = 0
            due = time.monotonic()
            while (now := time.monotonic()) < end:
                if now < due:
                    time.sleep(due - now)
                due += pause
                answer = call(lead((series * _CLIENTS + number) * 1_000_000 + turn))
                answered[answer.position] = time.monotonic()
                turn += 1

    threads = [threading.Thread(target=client, args=(n,)) for n in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answered


@contextmanager
def _watched(installation: Deployed) -> Iterator[Mapping[int, float]]:
    """Note when the list of leads reached which position."""
    seen: dict[int, float] = {}
    ended = threading.Event()

    def watch() -> None:
        url = str(installation.settings.database_for("leads"))
        query = "SELECT position FROM tracking WHERE consumer = 'leads' AND context = 'leads'"
        with psycopg.connect(url, autocommit=True) as connection:
            while not ended.is_set():
                for (position,) in connection.execute(query):
                    seen.setdefault(position, time.monotonic())
                time.sleep(_POLL)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _settled(installation: Deployed) -> None:
    """Wait until the worker of leads has reacted to everything and folded it."""
    url = str(installation.settings.database_for("leads"))
    reached = -1
    with psycopg.connect(url, autocommit=True) as connection:
        while (tip := _tip(connection)) > reached:  # policies record facts in their turn
            _wait(installation, "leads", [(name, "leads", tip) for name in ("leads", POLICIES)])
            reached = tip


def _tip(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT max(position) FROM events").fetchone()
    return int((row and row[0]) or 0)
