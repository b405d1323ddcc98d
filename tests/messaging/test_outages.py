"""However a database fails that cannot be reached, delivery waits for it and parks nothing."""

import sqlite3
from typing import Any

import psycopg
import pytest
from sqlalchemy import exc

from tests.messaging.conftest import House, house
from tests.messaging.test_subscription import deliver, parcels
from tests.messaging.toys import Tables

__all__ = ["house"]

LOST = psycopg.OperationalError("the connection is lost")
FAILURES = [
    LOST,
    psycopg.errors.AdminShutdown("terminating connection"),
    psycopg.InterfaceError("the cursor is closed"),
    psycopg.errors.InFailedSqlTransaction("current transaction is aborted"),
    psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"),
    sqlite3.OperationalError("database is locked"),
    exc.TimeoutError("QueuePool limit of size 8 overflow 8 reached"),
    exc.OperationalError("SELECT 1", {}, LOST, connection_invalidated=True),
    exc.InterfaceError("SELECT 1", {}, psycopg.InterfaceError("the cursor is closed")),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__qualname__)
def test_what_an_outage_stops_is_delivered_after_it(
    house: House, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fails(*_: Any) -> None:
        raise failure

    house.order("a", "soup")
    delivery = house.delivery()
    with monkeypatch.context() as patched:
        patched.setattr(Tables, "fold", staticmethod(fails))
        with pytest.raises(type(failure)):
            deliver(delivery, *parcels(house))
    assert delivery.parked() == []
    deliver(delivery, *parcels(house))
    assert house.tables() == {1: ["soup"]}
