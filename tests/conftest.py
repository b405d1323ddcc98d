"""What every test may ask for."""

import logging
import os
from collections.abc import Iterator
from typing import NamedTuple

import kombu
import psycopg
import pytest
import structlog
from hypothesis import settings

settings.register_profile("thorough", deadline=None)  # a busy machine is no defect
settings.register_profile("quick", max_examples=20, deadline=None)
settings.load_profile("thorough")

POSTGRES = os.environ.get("ANNALS_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
BROKER = os.environ.get("ANNALS_TEST_BROKER", "amqp://guest:guest@127.0.0.1:5672//")
REQUIRED = os.environ.get("ANNALS_TEST_REQUIRE_SERVERS", "") not in {"", "0"}


class Servers(NamedTuple):
    """Addresses of a PostgreSQL database and a RabbitMQ broker that answer."""

    postgres: str
    broker: str


@pytest.fixture(scope="session")
def servers() -> Servers:
    """Give the servers; skip without them, or fail when `ANNALS_TEST_REQUIRE_SERVERS` is set."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
        with kombu.Connection(BROKER, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except (psycopg.OperationalError, *kombu.Connection(BROKER).connection_errors) as error:
        if REQUIRED:
            pytest.fail(f"PostgreSQL and RabbitMQ are required and do not answer: {error}")
        pytest.skip(f"PostgreSQL or RabbitMQ does not answer: {error}")
    return Servers(POSTGRES, BROKER)


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Let a test configure logging; afterwards it is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)
