"""A RabbitMQ that restarts, is killed, drops connections or runs full: nothing lost or double."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.chassis.messaging import Relay
from shared.chassis.messaging.relay import relayed_position
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.publishers import ConfirmedPublisher
from tests.messaging.toys import Dishes
from tests.servers.private import PrivateBroker
from tests.worker.conftest import Branch, Staff, open_branch, until

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.capability("PLT-02")]


@pytest.fixture
def branch(tmp_path: Path, private_broker: PrivateBroker) -> Iterator[Branch]:
    prefix = f"{tmp_path.name}."
    with open_branch(tmp_path, Broker.amqp(private_broker.url, prefix=prefix)) as opened:
        yield opened


def order_many(branch: Branch, name: str, count: int = 20) -> list[str]:
    dishes = [f"{name} {number:02}" for number in range(count)]
    branch.order(*dishes)
    return dishes


def all_applied(branch: Branch, dishes: list[str]) -> None:
    branch.settle()
    assert branch.house.tables() == {1: dishes}
    assert sorted(row["cooked"] for row in branch.house.rows(Dishes)) == sorted(dishes)
    assert branch.house.delivery().parked() == []


def all_published(branch: Branch, workers: list[Staff], dining: int) -> None:
    """The relay got rid of everything and wrote it down when it stopped."""
    for worker in workers:
        assert worker.stop() == 0
    with branch.house.dining.log_database.read() as connection:
        assert relayed_position(connection, "dining") == dining


def test_connections_dropped_by_the_broker(branch: Branch, private_broker: PrivateBroker) -> None:
    workers = [branch.hire("dining"), branch.hire("kitchen")]
    dishes = []
    for number in range(3):
        dishes += order_many(branch, f"round {number}")
        private_broker.control("close_all_connections", "a test")
        dishes += order_many(branch, f"round {number} after")
    all_applied(branch, dishes)
    all_published(branch, workers, len(dishes))


def test_a_broker_that_is_killed_and_comes_back(
    branch: Branch, private_broker: PrivateBroker
) -> None:
    workers = [branch.hire("dining"), branch.hire("kitchen")]
    dishes = order_many(branch, "before")
    branch.settle()
    private_broker.sync()
    private_broker.kill()
    dishes += order_many(branch, "while it was away")
    private_broker.start()
    dishes += order_many(branch, "after")
    all_applied(branch, dishes)
    all_published(branch, workers, len(dishes))


def test_a_worker_that_starts_before_the_broker(
    branch: Branch, private_broker: PrivateBroker
) -> None:
    private_broker.stop()
    workers = [branch.hire("dining", ready=False), branch.hire("kitchen", ready=False)]
    dishes = order_many(branch, "early")
    until(lambda: all("halted" in worker.said() for worker in workers), "complaints")
    private_broker.start()
    for worker in workers:
        worker.wait_ready()
    all_applied(branch, dishes)


def test_a_broker_short_of_memory_holds_up_the_relay_and_no_command(
    branch: Branch, private_broker: PrivateBroker
) -> None:
    workers = [branch.hire("dining"), branch.hire("kitchen")]
    dishes = order_many(branch, "before")
    branch.settle()
    private_broker.control("set_vm_memory_high_watermark", "0.00001")
    try:
        dishes += order_many(branch, "blocked")
        until(lambda: "broker blocks publishing" in workers[0].said(), "the warning")
        assert branch.house.dining.log.tip() == len(dishes)
    finally:
        private_broker.control("set_vm_memory_high_watermark", "0.4")
    until(lambda: "broker takes messages again" in workers[0].said(), "the all-clear")
    dishes += order_many(branch, "after")
    all_applied(branch, dishes)
    all_published(branch, workers, len(dishes))


def test_a_blocked_worker_still_stops(branch: Branch, private_broker: PrivateBroker) -> None:
    worker = branch.hire("dining")
    private_broker.control("set_vm_memory_high_watermark", "0.00001")
    try:
        order_many(branch, "blocked")
        until(lambda: "broker blocks publishing" in worker.said(), "the warning")
        worker.process.terminate()
        assert worker.process.wait(10) == 0
    finally:
        private_broker.control("set_vm_memory_high_watermark", "0.4")


def test_facts_no_queue_wants_are_told_and_do_not_hold_up_the_rest(
    branch: Branch, private_broker: PrivateBroker
) -> None:
    publisher = ConfirmedPublisher(branch.broker)
    relay = Relay(branch.house.dining.log, publisher, publisher.unconfirmed)
    branch.order("soup")
    relay.step()
    until(lambda: not _waits(publisher), "the confirm")
    relay.step()
    assert publisher.unroutable == {"dining": 1}
    assert relay.position == 1
    relay.close()
    publisher.close()


def test_what_was_in_flight_when_the_connection_broke_is_published_again(
    branch: Branch, private_broker: PrivateBroker
) -> None:
    publisher = ConfirmedPublisher(branch.broker)
    relay = Relay(branch.house.dining.log, publisher, publisher.unconfirmed)
    branch.order("soup")
    relay.step()
    private_broker.kill()
    until(lambda: _fails(publisher), "the broken connection to be noticed")
    publisher.close()
    relay.rewind()
    assert relay.position == 0
    private_broker.start()
    assert relay.step() == 1
    until(lambda: not _waits(publisher), "the confirm")
    relay.save()
    assert relay.position == 1
    publisher.close()
    relay.close()


def _fails(publisher: ConfirmedPublisher) -> bool:
    try:
        publisher.wait(0.05)
    except OSError:
        return True
    return False


def _waits(publisher: ConfirmedPublisher) -> bool:
    publisher.wait(0.05)
    return publisher.unconfirmed() > 0
