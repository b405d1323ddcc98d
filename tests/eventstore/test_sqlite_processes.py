"""Writers in several processes share one SQLite log."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from shared.chassis.database import Database
from shared.chassis.eventstore import AppendConflict, EventLog
from tests.eventstore.conftest import KEK
from tests.eventstore.toys import ToyMade, append

pytestmark = pytest.mark.capability("PLT-01")

EACH = 60


def _write(path: Path, name: str) -> int:
    log = EventLog("toys", Database.sqlite(path), KEK)
    lost = 0
    for number in range(EACH):
        append(log, name, ToyMade(name=str(number)), after=number)
        try:
            append(log, "shared", ToyMade(name=name), after=log.version("shared"))
        except AppendConflict:
            lost += 1
    return lost


def test_racing_processes_leave_no_gap_and_lose_nothing(
    tmp_path: Path, reopen: Callable[[], EventLog]
) -> None:
    path = tmp_path / "toys.log.db"
    names = ["a", "b", "c", "d"]
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        lost = sum(pool.map(_write, [path] * len(names), names))
    log = reopen()
    read = log.read(0, 10_000)
    assert [f.position for f in read] == list(range(1, len(read) + 1))
    for name in names:
        mine = [f for f in read if f.stream_id == name]
        assert [getattr(f.event, "name", "") for f in mine] == [str(n) for n in range(EACH)]
    shared = [f.version for f in read if f.stream_id == "shared"]
    assert shared == list(range(1, len(names) * EACH - lost + 1))
