"""Every recorder must pass the same suite."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog

KEK = bytes(range(32))


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    """Return an empty log of each kind."""
    if request.param == "memory":
        yield EventLog("toys", None, KEK)
        return
    database = Database.sqlite(tmp_path / "toys.log.db")
    yield EventLog("toys", database, KEK)
    database.close()


@pytest.fixture
def reopen(tmp_path: Path) -> Callable[[], EventLog]:
    """Return a function that opens the log of a file anew, as another process would."""
    return lambda: EventLog("toys", Database.sqlite(tmp_path / "toys.log.db"), KEK)
