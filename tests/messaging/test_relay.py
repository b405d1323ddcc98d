"""The relay says everything at least once, in order, and goes on after a crash."""

import pytest

from shared.chassis.messaging import Parcel, Relay
from tests.messaging.conftest import House


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
