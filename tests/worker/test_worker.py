"""The worker process: facts become rows, reactions and kept deadlines, also after a kill."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.chassis.clock import FileClock
from shared.chassis.messaging import quiescent
from shared.chassis.service import open_service
from shared.chassis.testing import NOON
from tests.messaging.conftest import HandClock, House
from tests.messaging.toys import DINING, GRACE, KITCHEN, Dishes

PATIENCE = 20.0
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@contextmanager
def worker(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.worker.house", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait(60)
        process.stdout.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Both services on files, as an API process would hold them."""
    clock = FileClock(tmp_path / "clock")
    dining, kitchen = (open_service(s, tmp_path, clock, durable=False) for s in (DINING, KITCHEN))
    house = House(dining, kitchen, HandClock())
    yield house
    house.close()


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.002)


def test_facts_of_before_and_after_the_start_become_rows_and_reactions(
    house: House, tmp_path: Path
) -> None:
    house.order("a", "soup")
    with worker(tmp_path):
        until(lambda: quiescent(house.services))
        house.order("b", "fish")
        until(lambda: quiescent(house.services))
        assert house.tables() == {1: ["soup", "fish"]}
        assert [row["cooked"] for row in house.rows(Dishes)] == ["soup", "fish"]


def test_a_row_follows_its_fact_within_a_second(house: House, tmp_path: Path) -> None:
    with worker(tmp_path):
        waits = []
        for number in range(20):
            house.order(f"o{number}", str(number), table=number)
            begun = time.perf_counter()
            until(lambda number=number: number in house.tables())  # type: ignore[misc]
            waits.append(time.perf_counter() - begun)
    assert sorted(waits)[len(waits) // 2] < 1.0


def test_a_deadline_is_kept_in_simulated_time(house: House, tmp_path: Path) -> None:
    clock = FileClock(tmp_path / "clock")
    clock.set(NOON)
    house.order("a")
    with worker(tmp_path):
        until(lambda: quiescent(house.services))
        assert house.rows(Dishes)[0]["binned"] == 0
        clock.set(NOON + GRACE)
        until(lambda: quiescent(house.services))
        assert house.rows(Dishes)[0]["binned"] == 1


def test_killing_it_at_any_moment_loses_and_doubles_nothing(house: House, tmp_path: Path) -> None:
    FileClock(tmp_path / "clock").set(NOON)
    dice = random.Random(7)
    ordered = 0
    for _ in range(4):
        with worker(tmp_path) as process:
            killed_at = dice.randrange(10, 60)
            for number in range(60):
                house.order(f"o{ordered:04}", str(ordered), table=ordered % 3)
                ordered += 1
                if number == killed_at:
                    process.kill()
    with worker(tmp_path):
        until(lambda: quiescent(house.services))
    expected = {table: [str(n) for n in range(table, ordered, 3)] for table in range(3)}
    assert house.tables() == expected
    assert house.kitchen.log.tip() == ordered


def test_it_stops_when_asked(tmp_path: Path) -> None:
    with worker(tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.servers
def test_psycopg_waits_without_stopping_the_others(postgres_database: str) -> None:
    program = (
        "from shared.chassis.worker.green import patch; patch()\n"
        "import sys, eventlet, psycopg\n"
        "turns = []\n"
        "def others():\n"
        "    while True:\n"
        "        eventlet.sleep(0.02)\n"
        "        turns.append(1)\n"
        "eventlet.spawn(others)\n"
        "with psycopg.connect(sys.argv[1], autocommit=True) as connection:\n"
        "    connection.execute('SELECT pg_sleep(1)')\n"
        "    assert len(turns) > 20, turns\n"
        "    long = 'x' * 50_000_000\n"  # more than the server takes at once
        "    answer = connection.execute('SELECT length(%s)', [long]).fetchone()\n"
        "    assert answer == (50_000_000,)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", program, postgres_database],
        check=True,
        env=environment,
        timeout=PATIENCE,
    )
