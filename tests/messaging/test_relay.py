"""The relay says everything at least once, in order, and goes on after a crash."""

from typing import Any

import orjson
import pytest

from shared.chassis.eventstore import CorruptLog
from shared.chassis.messaging import Parcel, Relay, decode
from shared.chassis.testing import recorded
from shared.events.base import TOPICS, Event, Personal, UnknownTopic, upcaster
from tests.messaging.conftest import House


class TableReserved(Event, topic="dining.TableReserved.v1"):
    guest: Personal[str] = None
    seats: str


class TableBooked(Event, topic="dining.TableBooked.v1"):
    guest: Personal[str] = None
    seats: int
    wish: str | None


@upcaster(TableReserved.topic, TableBooked)
def with_seats_as_a_number(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "seats": int(data["seats"])}


def relayed(house: House, *events: Event) -> Parcel:
    """Return the message that carries these facts, each of a stream of its own."""
    sent: list[Parcel] = []
    house.dining.log.append([recorded(event, f"r{n}") for n, event in enumerate(events, 1)])
    Relay(house.dining.log, sent.append).step()
    (parcel,) = sent
    return parcel


def test_it_publishes_what_is_there_and_then_what_comes(house_on_disk: House) -> None:
    house, sent = house_on_disk, list[Parcel]()
    house.order("a")
    house.order("b")
    relay = Relay(house.dining.log, sent.append)
    assert relay.step() == 2
    assert relay.step() == 0
    house.order("c")
    assert relay.step() == 1
    assert [parcel.headers for parcel in sent] == [
        {"context": "dining", "first": 1, "last": 2},
        {"context": "dining", "first": 3, "last": 3},
    ]
    relay.close()


def test_what_the_broker_did_not_confirm_is_published_again(house: House) -> None:
    sent: list[Parcel] = []
    broken = True

    def publish(parcel: Parcel) -> None:
        if broken:
            raise ConnectionError
        sent.append(parcel)

    house.order("a")
    relay = Relay(house.dining.log, publish)
    with pytest.raises(ConnectionError):
        relay.step()
    broken = False
    assert relay.step() == 1
    assert [parcel.last for parcel in sent] == [1]


def test_what_was_in_flight_when_the_publisher_was_closed_is_published_again(house: House) -> None:
    sent: list[Parcel] = []
    in_flight = 0
    house.order("a")
    first = Relay(house.dining.log, sent.append, lambda: in_flight)
    first.step()
    house.order("b")
    in_flight = 1
    first.step()
    in_flight = 0  # its connection is gone, and with it what it knew of
    first.close()
    second = Relay(house.dining.log, sent.append)
    assert second.position == 1
    second.step()
    assert [parcel.first for parcel in sent] == [1, 2, 2]


def test_a_new_relay_goes_on_where_the_last_one_stopped(house: House) -> None:
    sent: list[Parcel] = []
    for order_id in "abc":
        house.order(order_id)
    first = Relay(house.dining.log, sent.append)
    first.step()
    first.close()
    house.order("d")
    second = Relay(house.dining.log, sent.append)
    second.step()
    assert [(parcel.first, parcel.last) for parcel in sent] == [(1, 3), (4, 4)]


def test_a_crashed_relay_repeats_rather_than_omits(house: House) -> None:
    sent: list[Parcel] = []
    house.order("a")
    Relay(house.dining.log, sent.append).step()
    Relay(house.dining.log, sent.append).step()
    assert [parcel.last for parcel in sent] == [1, 1]


def test_a_long_log_is_published_in_slices(house: House) -> None:
    sent: list[Parcel] = []
    for number in range(300):
        house.order(f"o{number}")
    relay = Relay(house.dining.log, sent.append)
    while relay.step():
        pass
    assert [(parcel.first, parcel.last) for parcel in sent] == [(1, 256), (257, 300)]


def test_a_fact_travels_as_it_was_stored_and_is_upcast_where_it_is_received(house: House) -> None:
    parcel = relayed(house, TableReserved(guest="王小明", seats="4"))
    (sent,) = orjson.loads(parcel.body)
    assert sent["type"] == "dining.TableReserved.v1"
    assert sent["data"] == {"guest": "王小明", "seats": "4"}
    (received,) = decode(parcel.body, {TableBooked.topic}).facts
    assert received.event == TableBooked(guest="王小明", seats=4, wish=None)
    assert [received] == house.dining.log.read(0)


@pytest.mark.capability("PLT-11")
def test_a_fact_that_this_release_does_not_know_is_passed_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = TableBooked(guest="王小明", seats=4, wish="窗边")
    with monkeypatch.context() as older:
        older.delitem(TOPICS, TableBooked.topic)
        parcel = relayed(house, known)
        with pytest.raises(UnknownTopic):
            house.dining.log.read(0)
    (received,) = decode(parcel.body).facts
    assert received.event == known


def test_nothing_of_an_erased_person_is_published(house: House) -> None:
    sent: list[Parcel] = []
    log = house.dining.log
    log.append([recorded(TableBooked(guest=guest, seats=4, wish=None), guest) for guest in "ab"])
    log.erase("a")
    Relay(log, sent.append).step()
    erased, other = orjson.loads(sent[0].body)
    assert (erased["erased"], erased["data"]) == (True, {"seats": 4})
    assert other["data"] == {"guest": "b", "seats": 4}
    assert "erased" not in other
    assert decode(sent[0].body).facts == log.read(0)


def test_a_log_that_lacks_a_fact_is_not_relayed(house: House) -> None:
    sent: list[Parcel] = []
    for order_id in "abc":
        house.order(order_id)
    with house.dining.log_database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM events WHERE position = 2")
    with pytest.raises(CorruptLog):
        Relay(house.dining.log, sent.append).step()
    assert sent == []
