import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import kombu
import psycopg
import pytest

from tests.servers.found import Servers, found, fresh_database
from tests.servers.private import (
    Absent,
    PrivateBroker,
    PrivatePostgres,
    answers_amqp,
    answers_postgres,
)

pytestmark = pytest.mark.servers

NOBODY = "postgresql://postgres@127.0.0.1:1/postgres"
ASKS = "def test_it_asks_for_servers(servers):\n    pass\n"


def outcome(folder: Path, **settings: str) -> str:
    """Run a test that needs servers where PostgreSQL is said to be where nobody answers."""
    asking = folder / "test_asking.py"
    asking.write_text(ASKS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest",
         "--rootdir", str(folder), str(asking)],
        env={
            **os.environ, "PYTHONPATH": str(Path.cwd()), "ANNALS_TEST_POSTGRES": NOBODY, **settings
        },
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )  # fmt: skip
    return done.stdout


def confirmed(url: str, queue: str) -> None:
    """Publish a message to a quorum queue and wait until the broker has it."""
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        bound = kombu.Queue(queue, durable=True, queue_arguments={"x-queue-type": "quorum"})(
            connection.default_channel
        )
        bound.declare()
        connection.Producer().publish({"said": "王"}, routing_key=queue, delivery_mode=2)


def taken(url: str, queue: str) -> object:
    """Take a message from a queue and delete the queue."""
    with kombu.Connection(url) as connection:
        bound = kombu.Queue(queue)(connection.default_channel)
        message = bound.get()
        if message is not None:
            message.ack()
        bound.delete()
        return None if message is None else message.payload


def test_postgresql_answers_with_a_supported_version(servers: Servers) -> None:
    with psycopg.connect(servers.postgres) as connection:
        assert connection.info.server_version >= 15_00_00


def test_a_quorum_queue_keeps_what_the_broker_confirmed(servers: Servers) -> None:
    queue = f"annals.test.{uuid4()}"
    confirmed(servers.broker, queue)
    assert taken(servers.broker, queue) == {"said": "王"}


def test_every_database_is_empty_and_gone_afterwards(servers: Servers) -> None:
    with fresh_database(servers.postgres) as url, psycopg.connect(url) as left_open:
        (tables,) = left_open.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() or (None,)
        left_open.execute("CREATE TABLE mine ()")
    assert tables == 0
    assert not answers_postgres(url)


def test_servers_that_settings_name_are_the_ones_used(servers: Servers) -> None:
    named = {"ANNALS_TEST_POSTGRES": servers.postgres, "ANNALS_TEST_BROKER": servers.broker}
    with found(named) as same:
        assert same == servers


def test_a_named_server_that_does_not_answer_is_not_replaced_by_another() -> None:
    with pytest.raises(Absent, match=r"127\.0\.0\.1:1"), found({"ANNALS_TEST_POSTGRES": NOBODY}):
        pass


def test_a_test_whose_servers_are_absent_is_skipped(tmp_path: Path) -> None:
    assert "1 skipped" in outcome(tmp_path, ANNALS_TEST_REQUIRE_SERVERS="0")


def test_a_test_whose_required_servers_are_absent_fails(tmp_path: Path) -> None:
    said = outcome(tmp_path, ANNALS_TEST_REQUIRE_SERVERS="1")
    assert "1 error" in said
    assert "PostgreSQL and RabbitMQ are required" in said


@pytest.mark.slow
def test_a_killed_postgresql_comes_back_with_what_it_acknowledged(
    private_postgres: PrivatePostgres,
) -> None:
    with psycopg.connect(private_postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE said (words text)")
        connection.execute("INSERT INTO said VALUES ('王')")
        private_postgres.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert not answers_postgres(private_postgres.url)
    private_postgres.start()
    with psycopg.connect(private_postgres.url) as connection:
        assert connection.execute("SELECT words FROM said").fetchall() == [("王",)]


@pytest.mark.slow
def test_a_stopped_postgresql_runs_again_for_the_next_test(
    private_postgres: PrivatePostgres,
) -> None:
    private_postgres.stop()
    assert not answers_postgres(private_postgres.url)
    private_postgres.start()
    assert answers_postgres(private_postgres.url)


@pytest.mark.slow
def test_a_killed_broker_comes_back_with_what_it_confirmed(private_broker: PrivateBroker) -> None:
    confirmed(private_broker.url, "kept")
    private_broker.sync()
    private_broker.kill()
    assert not answers_amqp(private_broker.url)
    private_broker.start()
    assert taken(private_broker.url, "kept") == {"said": "王"}


@pytest.mark.slow
def test_a_private_broker_obeys_its_control(private_broker: PrivateBroker) -> None:
    assert f"annals-{private_broker.port}@localhost" in private_broker.control("eval", "node().")
