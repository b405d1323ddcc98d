"""A PostgreSQL that is taken from under running workers and comes back: what was due is done."""

from pathlib import Path

import pytest

from shared.chassis.clock import FileClock
from shared.chassis.testing import NOON
from shared.chassis.worker.broker import Broker
from tests.messaging.toys import GRACE, DishBinned
from tests.servers.found import fresh_database
from tests.servers.private import PrivatePostgres
from tests.worker.conftest import open_branch, until

pytestmark = [pytest.mark.slow, pytest.mark.servers]


def test_a_deadline_that_comes_while_the_database_is_away_is_kept_when_it_is_back(
    tmp_path: Path, shared_broker: Broker, private_postgres: PrivatePostgres
) -> None:
    with (
        fresh_database(private_postgres.url) as url,
        open_branch(tmp_path, shared_broker, {"kitchen": url}) as branch,
    ):
        worker = branch.hire("kitchen")
        branch.hire("dining")
        branch.order("soup", "stew")
        branch.settle()
        private_postgres.kill()
        until(lambda: "deadlines halted" in worker.said(), "the worker to notice")
        FileClock(tmp_path / "clock").set(NOON + GRACE)
        private_postgres.start()
        kitchen = branch.house.kitchen
        until(lambda: kitchen.log.tip() == 4, "the dishes to be binned")
        binned = [fact for fact in kitchen.log.read(0) if isinstance(fact.event, DishBinned)]
        assert [fact.occurred_at for fact in binned] == [NOON + GRACE] * 2
        branch.settle()
        assert worker.said().count("deadlines halted") == 1
        assert "error handling worker" not in worker.said()
        assert worker.stop() == 0
