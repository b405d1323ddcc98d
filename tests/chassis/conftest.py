"""A harbour on every kind of log, and empty databases of every kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog
from tests.chassis.harbour import Harbour
from tests.servers.found import fresh_database
from tests.servers.ground import Ground


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def harbour(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harbour]:
    """Return an application over an empty log of each kind."""
    if request.param == "memory":
        yield Harbour(EventLog("harbour"))
        return
    if request.param == "sqlite":
        database = Database.sqlite(tmp_path / "harbour.log.db", durable=False)
    else:
        database = Database.postgres(request.getfixturevalue("postgres_database"), pool=16)
    yield Harbour(EventLog("harbour", database))
    database.close()


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)]
)
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Give empty databases of each kind."""
    if request.param == "sqlite":
        yield Ground()
        return
    with fresh_database(request.getfixturevalue("servers").postgres) as url:
        yield Ground(url)
