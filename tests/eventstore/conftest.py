"""Every recorder must pass the same suite."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog

KEK = bytes(range(32))
KINDS = ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.servers)]


@pytest.fixture(params=KINDS)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    """Return an empty log of each kind."""
    match request.param:
        case "memory":
            yield EventLog("toys", None, KEK)
        case "sqlite":
            with opened(Database.sqlite(tmp_path / "toys.log.db")) as log:
                yield log
        case _:
            with opened(Database.postgres(request.getfixturevalue("postgres_database"))) as log:
                yield log


@contextmanager
def opened(database: Database) -> Iterator[EventLog]:
    """Give the log in a database, which is closed afterwards."""
    yield EventLog("toys", database, KEK)
    database.close()


@pytest.fixture
def reopen(tmp_path: Path) -> Callable[[], EventLog]:
    """Return a function that opens the log of a file anew, as another process would."""
    return lambda: EventLog("toys", Database.sqlite(tmp_path / "toys.log.db"), KEK)
