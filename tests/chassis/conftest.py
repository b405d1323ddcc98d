"""A harbour on every kind of log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog
from tests.chassis.harbour import Harbour


@pytest.fixture(params=["memory", "sqlite"])
def harbour(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harbour]:
    """Return an application over an empty log of each kind."""
    if request.param == "memory":
        yield Harbour(EventLog("harbour"))
        return
    database = Database.sqlite(tmp_path / "harbour.log.db", durable=False)
    yield Harbour(EventLog("harbour", database))
    database.close()
