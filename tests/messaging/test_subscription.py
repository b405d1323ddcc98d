"""Whatever the broker does to messages, each fact is applied once and in order."""

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from shared.chassis.messaging import (
    Delivery,
    Parcel,
    cut,
    lag,
    parking,
    pull_from,
    quiescent,
    subscription,
)
from shared.chassis.messaging.slices import Slice
from shared.events.base import Recorded
from tests.messaging.conftest import House
from tests.messaging.toys import Dishes, Kitchen, Tables


def parcels(house: House, size: int = 1) -> list[Parcel]:
    """The dining room's log as messages of `size` facts."""
    facts = house.dining.log.raw(0, 1000)
    runs = [facts[start : start + size] for start in range(0, len(facts), size)]
    return [parcel for run in runs for parcel in cut(run)]


def deliver(delivery: Delivery, *messages: Parcel) -> None:
    for each in delivery.subscriptions:
        for message in messages:
            each.deliver((message.headers, message.body))


def test_a_slice_is_applied_by_every_read_model(house: House) -> None:
    house.order("a", "soup")
    house.order("b", "fish")
    deliver(house.delivery(), *parcels(house, 2))
    assert house.tables() == {1: ["soup", "fish"]}
    assert [row["ordered"] for row in house.rows(Dishes)] == ["soup", "fish"]


def test_messages_that_came_together_are_applied_together(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        house.order(f"o{number}", str(number))
    views = house.delivery().views
    assert views is not None
    received: list[tuple[int, int]] = []
    receive = views.receive

    def note(piece: Slice) -> None:
        received.append((piece.first, piece.last))
        receive(piece)

    monkeypatch.setattr(views, "receive", note)
    one, two, three, *others = [(parcel.headers, parcel.body) for parcel in parcels(house)]
    views.deliver(one, two, two, three)
    assert received == [(1, 2), (2, 3)]
    views.deliver(({}, b"nonsense"), *others, one)
    assert received[2:] == []  # everything was pulled before the nonsense was let go
    assert house.tables() == {1: [str(number) for number in range(6)]}
    assert len(house.delivery().parked()) == 1


def test_contexts_that_take_turns_are_applied_each_at_once_up_to_a_bound(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        house.order(f"o{number}", str(number))
    deliver(house.delivery(), *parcels(house, 5))  # the kitchen cooks
    cooked = [part for fact in house.kitchen.log.raw(0, 1000) for part in cut([fact])]
    messages = [(part.headers, part.body) for pair in zip(parcels(house), cooked, strict=False)
                for part in pair]  # fmt: skip
    for most, expected in (
        (1024, {("dining", 1, 5), ("kitchen", 1, 5)}),
        (2, {(name, *run) for name in ("dining", "kitchen") for run in ((1, 2), (3, 4), (5, 5))}),
    ):
        monkeypatch.setattr(subscription, "_MOST", most)
        (views,) = [one for one in house.delivery().subscriptions if one.name.endswith(".views")]
        received: list[tuple[str, int, int]] = []
        monkeypatch.setattr(
            views,
            "receive",
            lambda piece, seen=received: seen.append((piece.context, piece.first, piece.last)),
        )
        views.deliver(*messages)
        assert set(received) == expected
        for name in ("dining", "kitchen"):
            runs = [run for run in received if run[0] == name]
            assert runs == sorted(runs)


def test_a_duplicate_changes_nothing(house: House) -> None:
    house.order("a", "soup")
    (message,) = parcels(house)
    deliver(house.delivery(), message, message)
    deliver(house.delivery(), message)
    assert house.tables() == {1: ["soup"]}
    assert house.kitchen.log.tip() == 1


def test_a_slice_that_is_half_known_is_applied_by_its_other_half(house: House) -> None:
    delivery = house.delivery()
    house.order("a", "soup")
    deliver(delivery, *parcels(house))
    house.order("b", "fish")
    deliver(delivery, *parcels(house, 2))
    assert house.tables() == {1: ["soup", "fish"]}


def test_a_lost_message_is_pulled_when_the_next_one_shows_the_gap(house: House) -> None:
    for number in range(5):
        house.order(f"o{number}", f"dish {number}")
    deliver(house.delivery(), parcels(house)[-1])
    assert house.tables() == {1: [f"dish {number}" for number in range(5)]}


def test_messages_in_the_wrong_order_are_applied_in_the_right_one(house: House) -> None:
    for number in range(4):
        house.order(f"o{number}", f"dish {number}")
    deliver(house.delivery(), *reversed(parcels(house)))
    assert house.tables() == {1: [f"dish {number}" for number in range(4)]}


def test_a_new_subscription_begins_with_the_whole_log(house: House) -> None:
    for number in range(600):
        house.order(f"o{number:03}", str(number))
    delivery = house.delivery()
    assert delivery.views is not None
    assert delivery.views.catch_up() == 600
    assert len(house.tables()[1]) == 600
    assert delivery.views.catch_up() == 0


def test_a_handler_that_is_behind_its_neighbours_is_brought_along(house: House) -> None:
    house.order("a", "soup")
    delivery = house.delivery()
    assert delivery.views is not None
    delivery.views.catch_up()
    with house.kitchen.views_database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM tables")
        connection.exec_driver_sql("DELETE FROM tracking WHERE consumer = 'tables'")
    house.order("b", "fish")
    deliver(delivery, parcels(house)[-1])
    assert house.tables() == {1: ["soup", "fish"]}
    assert [row["ordered"] for row in house.rows(Dishes)] == ["soup", "fish"]


@pytest.mark.parametrize("body", [b"not a slice", b"[]", b""])
def test_an_unreadable_message_is_parked_and_its_facts_are_pulled(
    house: House, body: bytes
) -> None:
    house.order("a", "soup")
    delivery = house.delivery()
    assert delivery.views is not None
    delivery.views.deliver(({"context": "dining", "first": 1, "last": 1}, body))
    assert house.tables() == {1: ["soup"]}
    (letter,) = delivery.parked()
    assert (letter.kind, letter.body) == (parking.Kind.MESSAGE, body)


def test_a_message_without_usable_headers_is_parked(house: House) -> None:
    house.order("a", "soup")
    (message,) = parcels(house)
    delivery = house.delivery()
    assert delivery.views is not None
    delivery.views.deliver(({"last": "many"}, message.body))
    delivery.views.deliver(({"context": ["dining"]}, message.body))
    delivery.views.deliver(({"context": "dining", "first": 1, "last": 9}, message.body))
    assert len(delivery.parked()) == 3
    assert house.tables() == {1: ["soup"]}


def test_a_message_set_aside_leaves_nothing_of_what_it_said(house: House) -> None:
    delivery = house.delivery()
    assert delivery.views is not None
    delivery.views.deliver(({"context": "dining", "first": 1, "last": 1}, "王小明".encode()))
    delivery.views.skip(delivery.views.name, "messages", "no slice")
    with delivery.views.database.read() as connection:
        (set_aside,) = parking.skipped(connection)
    assert (set_aside.body, set_aside.reason) == (None, "no slice")


def test_a_failing_row_waits_in_order_while_the_rest_flows(house: House) -> None:
    Tables.poisonous.add("fugu")
    house.order("a", "fugu", table=1)
    house.order("b", "soup", table=2)
    house.order("c", "tea", table=1)
    delivery = house.delivery()
    deliver(delivery, *parcels(house, 2))
    house.order("d", "rice", table=1)
    house.order("e", "rice", table=2)
    deliver(delivery, *parcels(house))
    assert house.tables() == {2: ["soup", "rice"]}
    assert len(house.rows(Dishes)) == 5
    assert [(x.lane, x.position) for x in delivery.parked()] == [("1", 1), ("1", 3), ("1", 4)]
    assert "ZeroDivisionError" in delivery.parked()[0].error

    assert delivery.views is not None
    assert delivery.views.retry("tables", "1") == 0
    Tables.poisonous.clear()
    assert delivery.views.retry("tables", "1") == 3
    assert house.tables() == {1: ["fugu", "tea", "rice"], 2: ["soup", "rice"]}
    assert delivery.parked() == []


def test_skipping_needs_a_reason_and_lets_the_followers_through(house: House) -> None:
    Tables.poisonous.add("fugu")
    for order_id, dish in [("a", "fugu"), ("b", "soup"), ("c", "fugu"), ("d", "tea")]:
        house.order(order_id, dish)
    delivery = house.delivery()
    assert delivery.views is not None
    delivery.views.catch_up()
    with pytest.raises(ValueError, match="reason"):
        delivery.views.skip("tables", "1", " ")
    assert delivery.views.skip("tables", "1", "nobody survives it") == 1
    assert house.tables() == {1: ["soup"]}
    assert [letter.position for letter in delivery.parked()] == [3, 4]
    with house.kitchen.views_database.read() as connection:
        (set_aside,) = parking.skipped(connection)
    assert set_aside.reason == "nobody survives it"


def test_a_fact_whose_rows_cannot_be_told_holds_its_whole_stream(house: House) -> None:
    Tables.keyless.add("riddle")
    house.order("a", "riddle")
    house.order("b", "soup")
    house.cancel("a")
    delivery = house.delivery()
    assert delivery.views is not None
    delivery.views.catch_up()
    assert house.tables() == {1: ["soup"]}
    assert [x.lane for x in delivery.parked()] == ["stream:a", "stream:a"]
    Tables.keyless.clear()
    delivery.views.retry("tables", "stream:a")
    assert house.tables() == {1: ["soup", "riddle", "-a"]}


def test_a_passing_failure_is_tried_again_and_parks_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([True, True, False])
    fold = Tables.fold

    def moody(key: Any, row: Any, recorded: Recorded[Any]) -> Any:
        if next(failures):
            raise RuntimeError("not now")
        return fold(key, row, recorded)

    monkeypatch.setattr(Tables, "fold", staticmethod(moody))
    house.order("a", "soup")
    delivery = house.delivery()
    deliver(delivery, *parcels(house))
    assert house.tables() == {1: ["soup"]}
    assert delivery.parked() == []
    assert [pause for pause in house.pauses if pause] == [0.02, 0.1]


def test_an_outage_parks_nothing_and_the_message_stays_with_the_broker(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: Any) -> None:
        raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))

    house.order("a", "soup")
    delivery = house.delivery()
    with monkeypatch.context() as patched:
        patched.setattr(Tables, "fold", staticmethod(locked))
        with pytest.raises(OperationalError):
            deliver(delivery, *parcels(house))
    assert delivery.parked() == []
    deliver(delivery, *parcels(house))
    assert house.tables() == {1: ["soup"]}


def test_redelivery_cooks_no_second_dish(house: House) -> None:
    house.order("a")
    delivery = house.delivery()
    deliver(delivery, *parcels(house), *parcels(house))
    with house.kitchen.log_database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM tracking")
    deliver(delivery, *parcels(house))
    assert [fact.topic for fact in house.kitchen.log.read(0)] == ["kitchen.DishCooked.v1"]


def test_a_reaction_says_who_acted_why_and_when(house: House) -> None:
    house.order("a")
    (cause,) = house.dining.log.read(0)
    delivery = house.delivery()
    deliver(delivery, *parcels(house))
    (fact,) = house.kitchen.log.read(0)
    assert fact.actor == "system:cook_what_is_ordered"
    assert fact.rule == "kitchen.cook_what_is_ordered@1"
    assert fact.causation_id == cause.event_id
    assert fact.correlation_id == cause.correlation_id
    assert fact.occurred_at == cause.occurred_at


def test_a_refused_reaction_parks_the_stream_for_that_policy(house: House) -> None:
    Kitchen.stock.add("fugu")
    house.order("a", "fugu")
    house.order("b", "soup")
    house.cancel("a")
    delivery = house.delivery()
    assert delivery.policies is not None
    delivery.policies.catch_up()
    assert [fact.stream_id for fact in house.kitchen.log.read(0)] == ["b"]
    lane = "cook_what_is_ordered/a"
    assert [(x.lane, x.position) for x in delivery.parked()] == [(lane, 1), (lane, 3)]
    Kitchen.stock.clear()
    assert delivery.policies.retry("policies", lane) == 2
    assert [fact.stream_id for fact in house.kitchen.log.read(0)] == ["b", "a"]
    assert delivery.deadlines is not None
    assert delivery.deadlines.next() is not None


def test_parking_keeps_no_personal_data(house: House) -> None:
    Tables.poisonous.add("fugu")
    house.order("a", "fugu")
    delivery = house.delivery()
    assert delivery.views is not None
    delivery.views.catch_up()
    assert "王小明" not in repr(delivery.parked())


def test_lag_tells_how_far_each_consumer_is_behind(house: House) -> None:
    house.order("a")
    house.order("b")
    house.clock.moment = house.clock.moment.replace(minute=5)
    behind = {(row.consumer, row.context): row for row in lag(house.services)}
    assert behind["policies", "dining"].events == 2
    assert behind["tables", "dining"].seconds == 300
    assert behind["dishes", "kitchen"].events == 0
    assert not quiescent(house.services)
    delivery = house.delivery()
    for each in delivery.subscriptions:
        each.catch_up()
    assert quiescent(house.services)
    assert {row.events for row in lag(house.services)} == {0}


def test_an_unknown_context_is_none_of_our_business(house: House) -> None:
    house.order("a")
    (message,) = parcels(house)
    delivery = house.delivery()
    assert delivery.views is not None
    elsewhere = message.body.replace(b"/annals/dining", b"/annals/cellar")
    delivery.views.deliver(({"context": "cellar", "first": 1, "last": 1}, elsewhere))
    assert house.tables() == {}
    assert delivery.parked() == []


def test_pulling_reads_no_log_that_is_not_here(house: House) -> None:
    assert pull_from(house.services)("cellar", 0, 10) is None
