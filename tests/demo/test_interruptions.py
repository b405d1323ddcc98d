"""A small story over real processes, which are killed again and again while it is played."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random
from typing import IO

import pytest

from annals.demo.act import Act
from annals.demo.conductor import Conductor
from annals.demo.journal import Journal, Plan
from annals.demo.story import tell
from annals.installation import open_installation
from shared.chassis.api.identity import DEVELOPMENT_ADMINISTRATOR
from shared.chassis.messaging import quiescent
from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.projections.rebuild import rebuild
from shared.chassis.service import OpenService
from shared.chassis.settings import Settings
from tests.demo.house import House

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0
PLAN = Plan(seed=1, leads=60, days=110, until=date(2025, 3, 3))
VICTIMS = ("api", "worker", "worker", "api", "demo")
"""Killed in turn; what supervises the others is among them."""
KILLS = 15

pytestmark = pytest.mark.slow


def test_killing_any_process_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    story = tell(PLAN.seed, PLAN.leads, PLAN.days, PLAN.until)
    settings = Settings(data=tmp_path / "data", http_port=free_port(), grpc_port=free_port())
    dice = Random(PLAN.seed)
    with open_installation(settings) as services, (tmp_path / "output").open("ab") as output:
        moments = sorted(dice.sample(range(100, 2 * len(story)), KILLS))
        demo = start(settings, output)
        try:
            for moment, victim in zip(moments, cycle(VICTIMS), strict=False):
                until(partial(has_recorded, services, moment))
                assert demo.poll() is None
                if victim == "demo":
                    demo.kill()
                    demo.wait(60)
                    demo = start(settings, output)
                else:
                    until(partial(kill_child, demo.pid, victim))
            assert demo.wait(PATIENCE) == 0, (tmp_path / "output").read_text()
        finally:
            demo.kill()
            demo.wait(60)

        assert quiescent(services)
        assert_all_said_once(story, services)
        assert_said_like_undisturbed(story, services, tmp_path)
        assert_read_models_equal_a_rebuild(services)
        assert_nothing_is_parked(services)
        assert_books_balance(services)


def assert_all_said_once(story: Sequence[Act], services: Sequence[OpenService]) -> None:
    logs = {service.name: service.log for service in services}
    accepted = [act for act in story if act.refused is None]
    assert [act for act in accepted if logs[act.context].answer(act.id) is None] == []
    for log in logs.values():
        places: dict[str, list[int]] = {}
        for fact in log.read(0, log.tip() + 1):
            places.setdefault(fact.command_id, []).append(fact.position)
        for positions in places.values():
            assert positions == list(range(positions[0], positions[0] + len(positions)))


def assert_said_like_undisturbed(
    story: Sequence[Act], services: Sequence[OpenService], tmp_path: Path
) -> None:
    house = House()
    journal = Journal.begin(tmp_path / "undisturbed", PLAN)
    Conductor(house, journal).play(story, PLAN.ends)
    journal.close()
    assert said(story, services) == said(story, list(house.services.values()))


def said(story: Sequence[Act], services: Sequence[OpenService]) -> Counter[tuple[str, str]]:
    """Return how often each act said what; what follows by itself may follow in another order."""
    acts = {act.id for act in story}
    return Counter(
        (fact.command_id, fact.topic)
        for service in services
        for fact in service.log.read(0, service.log.tip() + 1)
        if fact.command_id in acts
    )


def assert_read_models_equal_a_rebuild(services: Sequence[OpenService]) -> None:
    sources = {service.name: service.log for service in services}
    for service in services:
        reports = rebuild(service.views_database, service.service.projections, sources, check=True)
        assert [report.projection for report in reports if not report.equal] == []


def assert_nothing_is_parked(services: Sequence[OpenService]) -> None:
    for service in services:
        delivery = Delivery(service, pull_from(services))
        assert delivery.parked() == []
        delivery.close()


def assert_books_balance(services: Sequence[OpenService]) -> None:
    (analytics,) = (service for service in services if service.name == "analytics")
    question = analytics.service.asked["GetTrialBalance"]
    books = analytics.ask(question, question.query(), DEVELOPMENT_ADMINISTRATOR)
    assert books.balanced
    assert books.totals, "no money moved"


def start(settings: Settings, output: IO[bytes]) -> subprocess.Popen[bytes]:
    story = (
        f"--seed={PLAN.seed}",
        f"--leads={PLAN.leads}",
        f"--days={PLAN.days}",
        f"--until={PLAN.until}",
    )
    return subprocess.Popen(
        [sys.executable, "-m", "annals", "demo", "--no-keep-running", *story],
        env={**os.environ, **settings.environment(), "PYTHONPATH": str(ROOT)},
        stdout=output,
        stderr=output,
    )


def kill_child(parent: int, name: str) -> bool:
    """Kill the demo's child of that name; return False when there is none just now."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for pid in children:
            if f"annals.processes\0{name}" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(int(pid), signal.SIGKILL)
                return True
    except (FileNotFoundError, ProcessLookupError):
        pass
    return False


def has_recorded(services: Sequence[OpenService], facts: int) -> bool:
    return sum(service.log.tip() for service in services) >= facts


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def until(reached: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < give_up, "it took too long"
        time.sleep(0.002)
