"""Several workers of the same services on PostgreSQL and RabbitMQ: one works, the others wait."""

import os
import signal
import subprocess
import sys

import psycopg
import pytest

from shared.chassis.messaging.relay import relayed_position
from tests.messaging.toys import Dishes
from tests.worker.conftest import PATIENCE, ROOT, Branch, until

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.capability("PLT-02", "PLT-15")]


def leaders(branch: Branch, *services: str) -> dict[str, int]:
    """Who holds the lock of each relay: process ids of the server's side."""
    found = {}
    for service in services:
        with psycopg.connect(branch.databases[service]) as connection:
            row = connection.execute(
                "SELECT pid FROM pg_stat_activity JOIN pg_locks USING (pid) "
                "WHERE locktype = 'advisory' AND granted AND datname = current_database() "
                "AND application_name LIKE 'annals relay %%'"
            ).fetchone()
            if row is not None:
                found[service] = row[0]
    return found


def test_two_workers_of_a_service_do_the_work_of_one(branch_on_postgres: Branch) -> None:
    branch = branch_on_postgres
    workers = [branch.hire("dining", "kitchen", ready=False) for _ in range(2)]
    for worker in workers:
        worker.wait_ready()
    dishes = [f"dish {number:02}" for number in range(60)]
    branch.order(*dishes)
    branch.settle()
    assert branch.house.tables() == {1: dishes}
    assert branch.house.kitchen.log.tip() == len(dishes)
    assert [worker.said().count("relay leads") for worker in workers].count(0) <= 1
    assert sum(worker.said().count("relay leads") for worker in workers) == 2


def test_a_standby_takes_over_from_a_worker_that_is_killed(branch_on_postgres: Branch) -> None:
    branch = branch_on_postgres
    first = branch.hire("dining", "kitchen")
    second = branch.hire("dining", "kitchen")
    assert first.said().count("relay leads") == 2
    ordered = []
    for number in range(40):
        ordered.append(f"dish {number:02}")
        branch.order(ordered[-1])
        if number == 20:
            first.kill()
    branch.settle()
    assert second.said().count("relay leads") == 2
    assert branch.house.tables() == {1: ordered}
    assert branch.house.kitchen.log.tip() == len(ordered)


def test_a_leader_that_lost_its_lock_stands_back(branch_on_postgres: Branch) -> None:
    branch = branch_on_postgres
    worker = branch.hire("dining", "kitchen")
    (before,) = leaders(branch, "dining").values()
    with psycopg.connect(branch.databases["dining"], autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (before,))
    until(lambda: leaders(branch, "dining").get("dining", before) != before, "another lock")
    branch.order("soup")
    branch.settle()
    assert worker.said().count("relay leads") == 3


def test_a_leader_that_is_frozen_speaks_late_and_harms_nobody(branch_on_postgres: Branch) -> None:
    branch = branch_on_postgres
    frozen = branch.hire("dining")
    branch.hire("kitchen")
    (holder,) = leaders(branch, "dining").values()
    branch.order("before")
    branch.settle()
    frozen.process.send_signal(signal.SIGSTOP)
    branch.order(*(f"dish {number}" for number in range(10)))
    with psycopg.connect(branch.databases["dining"], autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (holder,))
    branch.hire("dining")
    branch.settle()
    frozen.process.send_signal(signal.SIGCONT)
    until(lambda: "relay lost its lock" in frozen.said() or "halted" in frozen.said(), "notice")
    branch.order("after")
    branch.settle()
    assert branch.house.tables()[1] == ["before", *(f"dish {n}" for n in range(10)), "after"]


def test_database_connections_that_are_cut_lose_nothing(branch_on_postgres: Branch) -> None:
    branch = branch_on_postgres
    branch.hire("dining", "kitchen")
    ordered = []
    for number in range(40):
        ordered.append(f"dish {number:02}")
        branch.order(ordered[-1])
        if number % 10 == 5:
            cut_connections(branch.databases["kitchen"])
    branch.settle()
    assert branch.house.tables() == {1: ordered}
    assert [row["cooked"] for row in branch.house.rows(Dishes)] == ordered
    assert branch.house.delivery().parked() == []


def test_the_relay_remembers_what_was_confirmed(branch_on_postgres: Branch) -> None:
    branch = branch_on_postgres
    worker = branch.hire("dining", "kitchen")
    branch.order("soup", "fish")
    branch.settle()
    assert worker.stop() == 0
    with branch.house.dining.log_database.read() as connection:
        assert relayed_position(connection, "dining") == 2


def test_a_slow_query_does_not_stop_the_other_green_threads(postgres_database: str) -> None:
    program = (
        "from shared.chassis.worker.green import patch; patch()\n"
        "import sys, eventlet\n"
        "from shared.chassis.database import Database\n"
        "database, turns = Database.postgres(sys.argv[1]), []\n"
        "def sleep(): database.fetch('SELECT 1 FROM pg_sleep(1)')\n"
        "def query():\n"
        "    with database.transaction() as connection:\n"
        "        connection.exec_driver_sql('SELECT pg_sleep(1)')\n"
        "slow = [eventlet.spawn(sleep), eventlet.spawn(query)]\n"
        "while not all(one.dead for one in slow):\n"
        "    eventlet.sleep(0.01); turns.append(1)\n"
        "assert len(turns) > 20, len(turns)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", program, postgres_database],
        check=True,
        env=environment,
        timeout=PATIENCE,
    )


def cut_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
