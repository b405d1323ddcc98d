"""What every test may ask for."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import Phase, settings

from tests.servers.found import Servers, absent, found, fresh_database
from tests.servers.private import Absent, PrivateBroker, PrivatePostgres

# A busy machine is no defect; explaining a failure would trace every line of it, many times.
_PHASES = set(Phase) - {Phase.explain}
settings.register_profile("thorough", deadline=None, phases=_PHASES)
settings.register_profile("quick", max_examples=20, deadline=None, phases=_PHASES)
settings.register_profile("repeatable", settings.get_profile("thorough"), derandomize=True)
settings.load_profile(os.environ.get("ANNALS_TEST_EXAMPLES", "thorough"))


_LONGEST = ("production", "chaos", "demo", "worker", "docs", "deploy", "annals", "telemetry")
"""Folders whose tests take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders that take longest, so that nobody waits for the last of them."""
    items.sort(key=lambda item: Path(item.path).parent.name not in _LONGEST)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Give the servers; skip without them, or fail when `ANNALS_TEST_REQUIRE_SERVERS` is set."""
    try:
        with found(os.environ) as both:
            yield both
    except Absent as error:
        absent(error)


@pytest.fixture
def postgres_database(servers: Servers) -> Iterator[str]:
    """Give the URL of an empty database, dropped afterwards."""
    with fresh_database(servers.postgres) as url:
        yield url


@pytest.fixture(scope="module")
def postgres_of_module() -> Iterator[PrivatePostgres]:
    """Start a PostgreSQL that only this module's tests use."""
    try:
        server = PrivatePostgres()
    except Absent as error:
        absent(error)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def private_postgres(postgres_of_module: PrivatePostgres) -> PrivatePostgres:
    """Give a PostgreSQL that runs, and that a test may stop, kill and start again."""
    postgres_of_module.start()
    return postgres_of_module


@pytest.fixture(scope="module")
def broker_of_module() -> Iterator[PrivateBroker]:
    """Start a RabbitMQ that only this module's tests use."""
    try:
        server = PrivateBroker()
    except Absent as error:
        absent(error)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def private_broker(broker_of_module: PrivateBroker) -> PrivateBroker:
    """Give a RabbitMQ that runs, and that a test may stop, kill and start again."""
    broker_of_module.start()
    return broker_of_module


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
