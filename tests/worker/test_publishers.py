"""What a publisher tells the relay about its parcels in flight."""

from typing import Any

import pytest

from shared.chassis.messaging import Parcel, Relay
from shared.chassis.messaging.slices import MAX_EVENTS
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.publishers import ConfirmedPublisher, NotConfirmed
from tests.messaging.conftest import House, open_house


class Silent(ConfirmedPublisher):
    """A publisher whose broker answers what a test says, when it says it."""

    def __init__(self) -> None:
        super().__init__(Broker.amqp("amqp://nowhere//"))

    def __call__(self, parcel: Parcel) -> None:
        self._tag += 1
        self._waiting[self._tag] = parcel

    def _drain(self, seconds: float) -> None:
        raise TimeoutError


@pytest.fixture
def house() -> House:
    opened = open_house(None)
    for number in range(600):
        opened.order(f"o{number}")
    return opened


def test_only_the_confirmed_prefix_counts_as_published(house: House) -> None:
    publisher = Silent()
    relay = Relay(house.dining.log, publisher, publisher.unconfirmed)
    assert [relay.step(), relay.step(), relay.step()] == [256, 256, 88]
    for tag, multiple, position in ((2, False, 0), (1, False, 512), (3, True, 600)):
        publisher._on_ack(tag, multiple)
        relay.step()
        assert relay.position == position
    assert publisher.unconfirmed() == 0


def test_one_answer_may_confirm_several(house: House) -> None:
    publisher = Silent()
    relay = Relay(house.dining.log, publisher, publisher.unconfirmed)
    relay.step()
    relay.step()
    publisher._on_ack(2, multiple=True)
    relay.step()
    assert relay.position == 512


def test_a_short_slice_waits_for_the_answers_before_it(house: House) -> None:
    publisher = Silent()
    relay = Relay(house.dining.log, publisher, publisher.unconfirmed)
    while relay.step():
        pass
    house.order("late")
    house.order("later")
    assert relay.step() == 0
    publisher._on_ack(3, multiple=True)
    assert relay.step() == 2


def test_no_more_than_a_window_is_in_flight(house: House) -> None:
    publisher = Silent()
    for number in range(publisher.WINDOW):
        assert publisher.has_room()
        publisher(Parcel("dining", number, number, b"[]"))
    assert not publisher.has_room()
    publisher._on_ack(1, multiple=False)
    assert publisher.has_room()


class Channel:
    """Takes whatever is published."""

    def prepare_message(self, *_: object) -> None: ...

    def basic_publish(self, *_: object, **__: object) -> None: ...


class Swallowing(ConfirmedPublisher):
    def _open(self) -> Any:
        return Channel()


def test_after_a_short_slice_others_gather_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    publisher = Swallowing(Broker.amqp("amqp://nowhere//"))
    publisher(Parcel("dining", 1, MAX_EVENTS, b"[]"))
    assert publisher.has_room()
    publisher(Parcel("dining", MAX_EVENTS + 1, MAX_EVENTS + 1, b"[]"))
    assert not publisher.has_room()
    now += 0.1
    assert publisher.has_room()


def test_what_the_broker_refuses_is_an_error_and_is_published_again(house: House) -> None:
    publisher = Silent()
    relay = Relay(house.dining.log, publisher, publisher.unconfirmed)
    relay.step()
    publisher._connection = publisher._broker.connection()  # never opened
    publisher._on_nack(1, multiple=False)
    with pytest.raises(NotConfirmed):
        publisher.wait(0)
    publisher.close()
    relay.rewind()
    assert relay.step() == 256
    assert relay.position == 0
