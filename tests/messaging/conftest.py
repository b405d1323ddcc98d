"""A dining room and a kitchen, opened for one test."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from shared.chassis.messaging import Delivery, pull_from
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Projection
from shared.chassis.testing import NOON, issue
from tests.messaging.toys import (
    DINING,
    KITCHEN,
    BinDish,
    CancelOrder,
    Dishes,
    Kitchen,
    PlaceOrder,
    ServeDish,
    Tables,
)


@dataclass
class HandClock:
    """A clock that a test turns."""

    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment


@dataclass
class House:
    """Both services, with what a test does to them."""

    dining: OpenService
    kitchen: OpenService
    clock: HandClock
    pauses: list[float] = field(default_factory=list)

    @property
    def services(self) -> list[OpenService]:
        return [self.dining, self.kitchen]

    def delivery(self) -> Delivery:
        """The kitchen's delivery, as a new process would open it."""
        return Delivery(self.kitchen, pull_from(self.services), self.pauses.append)

    def order(self, order_id: str, dish: str = "soup", table: int = 1) -> None:
        assert self.dining.application is not None
        command = PlaceOrder(order_id=order_id, table=table, dish=dish, guest="王小明")
        self.dining.application.handle(issue(command, at=self.clock.now()))

    def cancel(self, order_id: str) -> None:
        assert self.dining.application is not None
        command = CancelOrder(order_id=order_id)
        self.dining.application.handle(issue(command, at=self.clock.now()))

    def serve(self, order_id: str) -> None:
        assert self.kitchen.application is not None
        command = ServeDish(order_id=order_id)
        self.kitchen.application.handle(issue(command, at=self.clock.now()))

    def bin(self, order_id: str) -> None:
        assert self.kitchen.application is not None
        self.kitchen.application.handle(issue(BinDish(order_id=order_id), at=self.clock.now()))

    def rows(self, projection: type[Projection]) -> list[dict[str, Any]]:
        table = projection.table
        with self.kitchen.views_database.read() as connection:
            query = select(table).order_by(*table.primary_key.columns)
            return [dict(row) for row in connection.execute(query).mappings()]

    def tables(self) -> dict[int, list[str]]:
        return {row["number"]: row["dishes"] for row in self.rows(Tables)}

    def close(self) -> None:
        for opened in self.services:
            opened.close()


def open_house(data: Path | None) -> House:
    clock = HandClock()
    dining, kitchen = (open_service(s, data, clock, durable=False) for s in (DINING, KITCHEN))
    return House(dining, kitchen, clock)


@pytest.fixture
def house() -> Iterator[House]:
    """Both services in memory."""
    opened = open_house(None)
    yield opened
    opened.close()


@pytest.fixture
def house_on_disk(tmp_path: Path) -> Iterator[House]:
    """Both services on files."""
    opened = open_house(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _healthy() -> Iterator[None]:
    yield
    Tables.poisonous.clear()
    Tables.keyless.clear()
    Kitchen.stock.clear()


__all__ = ["Dishes", "House", "open_house"]
