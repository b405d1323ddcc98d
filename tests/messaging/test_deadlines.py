"""Deadlines are kept once, at their moment, unless they are cancelled first."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from shared.chassis.messaging import Delivery, quiescent, settle
from shared.chassis.messaging.deadlines import CONSUMER, Deadlines, Plan
from shared.chassis.shapes import Later
from shared.chassis.testing import NOON, recorded
from tests.messaging.conftest import House
from tests.messaging.toys import GRACE, BinDish, CancelOrder, DishBinned, Kitchen, OrderPlaced


def binned(house: House) -> list[str]:
    return [f.stream_id for f in house.kitchen.log.read(0) if isinstance(f.event, DishBinned)]


def opened(house: House) -> tuple[Delivery, Deadlines]:
    delivery = house.delivery()
    assert delivery.policies is not None
    assert delivery.deadlines is not None
    delivery.policies.catch_up()
    return delivery, delivery.deadlines


def test_a_deadline_is_kept_when_its_moment_has_come(house: House) -> None:
    house.order("a")
    _, deadlines = opened(house)
    assert deadlines.poll() == 0
    house.clock.moment = NOON + GRACE + timedelta(hours=9)
    assert deadlines.poll() == 1
    assert deadlines.poll() == 0
    (fact,) = [f for f in house.kitchen.log.read(0) if isinstance(f.event, DishBinned)]
    assert fact.occurred_at == NOON + GRACE
    assert fact.recorded_at == house.clock.moment
    assert fact.actor == "system:cook_what_is_ordered"
    assert fact.rule == "kitchen.cook_what_is_ordered@1"
    assert fact.causation_id == house.dining.log.read(0)[0].event_id


def test_a_cancelled_deadline_is_forgotten(house: House) -> None:
    house.order("a")
    house.order("b")
    house.cancel("a")
    _, deadlines = opened(house)
    house.clock.moment = NOON + GRACE
    deadlines.poll()
    assert binned(house) == ["b"]


def test_a_cancelling_fact_that_is_delivered_late_still_counts(house: House) -> None:
    house.order("a")
    delivery, deadlines = opened(house)
    house.serve("a")
    house.clock.moment = NOON + GRACE
    assert deadlines.poll() == 0
    assert delivery.policies is not None
    delivery.policies.catch_up()
    deadlines.poll()
    assert deadlines.next() is None
    assert binned(house) == []


def test_setting_a_deadline_anew_replaces_it(house: House) -> None:
    _, deadlines = opened(house)
    fact = recorded(OrderPlaced(table=1, dish="soup"))
    with house.kitchen.log_database.transaction() as connection:
        for minutes in (10, 20):
            later = Later(NOON + timedelta(minutes=minutes), BinDish(order_id="a"), "a")
            deadlines.plan(connection, [Plan("bin", later, fact, "kitchen.bin@1")])
    assert deadlines.due(NOON + GRACE) == 1
    assert deadlines.next() == NOON + timedelta(minutes=20)


def test_a_deadline_for_a_command_nobody_decides_is_an_error(house: House) -> None:
    _, deadlines = opened(house)
    later = Later(NOON, CancelOrder(order_id="a"), "a")
    fact = recorded(OrderPlaced(table=1, dish="soup"))
    plan = Plan("bin", later, fact, "kitchen.bin@1")
    with (
        house.kitchen.log_database.transaction() as connection,
        pytest.raises(LookupError, match="CancelOrder"),
    ):
        deadlines.plan(connection, [plan])


def test_many_due_deadlines_are_kept_in_batches(house: House) -> None:
    for number in range(120):
        house.order(f"o{number:03}")
    _, deadlines = opened(house)
    house.clock.moment = NOON + GRACE
    assert [deadlines.poll() for _ in range(4)] == [50, 50, 20, 0]
    assert len(set(binned(house))) == 120


def test_a_refused_deadline_is_parked_and_can_be_retried(house: House) -> None:
    Kitchen.stock.add("fugu")
    house.order("a")
    delivery, deadlines = opened(house)
    with house.kitchen.log_database.transaction() as connection:
        connection.execute(text('UPDATE deadlines SET payload = \'{"order_id": "ghost"}\''))
    house.clock.moment = NOON + GRACE
    assert deadlines.poll() == 1
    (letter,) = delivery.parked()
    assert letter.consumer == CONSUMER
    assert letter.lane == "cook_what_is_ordered/a"
    assert "NothingToBin" in letter.error
    assert delivery.policies is not None
    assert delivery.policies.retry(CONSUMER, letter.lane) == 0
    with house.kitchen.log_database.transaction() as connection:
        connection.execute(
            text("UPDATE parked SET body = replace(CAST(body AS TEXT), 'ghost', 'a')")
        )
    assert delivery.owner(letter).retry(CONSUMER, letter.lane) == 1
    assert binned(house) == ["a"]
    assert delivery.parked() == []


def test_two_pollers_keep_a_deadline_once(house_on_disk: House) -> None:
    house = house_on_disk
    house.order("a")
    _, first = opened(house)
    _, second = opened(house)
    house.clock.moment = NOON + GRACE
    assert [first.poll(), second.poll()] == [1, 0]
    assert binned(house) == ["a"]


def test_a_due_deadline_means_the_house_is_not_quiet(house: House) -> None:
    house.order("a")
    delivery = house.delivery()
    settle([delivery])
    assert quiescent(house.services)
    house.clock.moment = NOON + GRACE
    assert not quiescent(house.services)
    settle([delivery])
    assert quiescent(house.services)
    assert binned(house) == ["a"]
