"""The memory transport as a broker: in order, bounded, and never the only copy."""

from collections.abc import Iterator

import pytest
from kombu import Consumer, Message
from kombu.transport import memory

from shared.chassis.messaging import Relay, Subscription
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.publishers import publisher_to
from tests.messaging.conftest import House, open_house


@pytest.fixture
def house() -> Iterator[House]:
    opened = open_house(None)
    yield opened
    opened.close()
    memory.Transport.global_state.clear()
    memory.Channel.queues.clear()


def views(house: House) -> Subscription:
    subscription = house.delivery().views
    assert subscription is not None
    return subscription


def consume(broker: Broker, subscription: Subscription) -> int:
    """Hand over what the queue holds; return how many messages there were."""
    taken: list[int] = []

    def take(message: Message) -> None:
        subscription.deliver((message.headers, message.body))
        message.ack()
        taken.append(message.headers["first"])

    with (
        broker.connection() as connection,
        Consumer(connection, [broker.declare(subscription, connection.channel())], on_message=take),
    ):
        try:
            while True:
                connection.drain_events(timeout=0.05)
        except TimeoutError:
            return len(taken)


def test_what_is_relayed_arrives_in_order(house: House) -> None:
    broker, subscription = Broker.embedded(), views(house)
    relay = Relay(house.dining.log, publisher_to(broker))
    consume(broker, subscription)
    for number in range(5):
        house.order(f"o{number}", str(number))
        relay.step()
    assert consume(broker, subscription) == 5
    assert house.tables() == {1: ["0", "1", "2", "3", "4"]}


def test_a_queue_nobody_reads_stays_short_and_what_it_lost_is_pulled(house: House) -> None:
    broker, subscription = Broker.embedded(), views(house)
    assert broker.longest is not None
    relay = Relay(house.dining.log, publisher_to(broker))
    consume(broker, subscription)
    orders = broker.longest + 10
    for number in range(orders):
        house.order(f"o{number:03}", str(number))
        relay.step()
    assert consume(broker, subscription) == 10
    assert house.tables() == {1: [str(number) for number in range(orders)]}


def test_publishing_does_not_wait_for_the_first_consumer(house: House) -> None:
    broker, subscription = Broker.embedded(), views(house)
    relay = Relay(house.dining.log, publisher_to(broker))
    house.order("a", "soup")
    assert relay.step() == 1
    subscription.catch_up()
    assert consume(broker, subscription) == 0
    assert house.tables() == {1: ["soup"]}
