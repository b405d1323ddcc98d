"""Killed between any two steps, messages lost, repeated, shuffled: the rows come out the same."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event

from shared.chassis.database import Database
from shared.chassis.messaging import Delivery, cut, pull_from, settle
from shared.chassis.messaging.failures import OUTAGE
from shared.chassis.messaging.slices import MAX_EVENTS
from tests.messaging.conftest import House, open_house
from tests.messaging.toys import Dishes, Tables


class Killed(sqlite3.OperationalError):
    """The process ended here: like any outage, nobody may handle it but by giving up."""


class Fuse:
    """Kills the process at the n-th statement or commit from now."""

    def __init__(self) -> None:
        self.left: int | None = None

    def __call__(self, *_: Any) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left <= 0:
            self.left = None
            raise Killed


def story(house: House, orders: list[tuple[int, str]]) -> None:
    for number, (table, dish) in enumerate(orders):
        house.order(f"order-{number:02}", dish, table)
        if dish == "never mind":
            house.cancel(f"order-{number:02}")


def outcome(house: House) -> tuple[Any, ...]:
    facts = [(f.stream_id, f.version, f.topic) for f in house.kitchen.log.read(0, 1000)]
    return house.rows(Tables), house.rows(Dishes), sorted(facts)


def straight_run(orders: list[tuple[int, str]]) -> tuple[Any, ...]:
    house = open_house(None)
    story(house, orders)
    settle([house.delivery()])
    found = outcome(house)
    house.close()
    return found


def armed(database: Database, fuse: Fuse) -> None:
    """Let the fuse count statements, and the moments right before and right after a commit."""
    transaction = database.transaction

    @contextmanager
    def brittle(*, durable: bool = True, holding: str | None = None) -> Iterator[Connection]:
        joined = database.in_transaction
        with transaction(durable=durable, holding=holding) as connection:
            yield connection
            if not joined:
                fuse()
        if not joined:
            fuse()

    def before(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
            fuse()

    database.transaction = brittle  # type: ignore[method-assign]
    event.listen(database.engine, "before_cursor_execute", before)


orders = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(["soup", "fish", "never mind"])),
    min_size=1,
    max_size=12,
)
deaths = st.lists(st.integers(1, 60), max_size=6)
noise = st.randoms(use_true_random=False)


@settings(max_examples=40, deadline=None)
@given(orders, deaths, noise, st.integers(1, 4))
def test_the_rows_are_those_of_a_straight_run(
    orders: list[tuple[int, str]], deaths: list[int], noise: Any, size: int
) -> None:
    house, fuse = open_house(None), Fuse()
    story(house, orders)
    facts = house.dining.log.raw(0, MAX_EVENTS)
    messages = [
        parcel
        for start in range(0, len(facts), size)
        for parcel in cut(facts[start : start + size])
    ]
    messages = noise.choices(messages, k=len(messages) * 2)
    for database in (house.kitchen.log_database, house.kitchen.views_database):
        armed(database, fuse)

    def process(work: Callable[[Delivery], None]) -> None:
        with suppress(*OUTAGE):
            work(Delivery(house.kitchen, pull_from(house.services), lambda _: None))

    def consume(delivery: Delivery) -> None:
        while messages:
            for subscription in delivery.subscriptions:
                subscription.deliver((messages[0].headers, messages[0].body))
            messages.pop(0)

    for death in deaths:
        fuse.left = death
        process(consume)
    fuse.left = None
    process(consume)
    settle([house.delivery()])
    assert outcome(house) == straight_run(orders)
    house.close()
