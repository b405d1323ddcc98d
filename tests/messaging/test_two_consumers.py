"""Two processes of one service that apply the same facts at the same moment apply them once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from shared.chassis.database import Database
from shared.chassis.messaging import Delivery, pull_from
from shared.chassis.service import open_service
from tests.messaging.conftest import HandClock, House
from tests.messaging.toys import DINING, KITCHEN

pytestmark = pytest.mark.servers


@pytest.fixture
def house(postgres_database: str, tmp_path: Path) -> Iterator[House]:
    clock = HandClock()
    dining = open_service(DINING, tmp_path, clock, durable=False)
    kitchen = open_service(KITCHEN, clock=clock, database=Database.postgres(postgres_database))
    opened = House(dining, kitchen, clock)
    yield opened
    opened.close()


def test_a_standby_that_catches_up_beside_the_active_consumer(house: House) -> None:
    dishes = [str(number) for number in range(150)]
    for dish in dishes:
        house.order(f"order {dish}", dish)
    pull = pull_from(house.services)
    both = [Delivery(house.kitchen, pull) for _ in range(2)]
    start = Barrier(len(both))

    def catch_up(delivery: Delivery) -> None:
        start.wait()
        for subscription in delivery.subscriptions:
            position = 0
            while position < len(dishes):
                position += 1
                pulled = pull("dining", position - 1, 1)
                assert pulled is not None
                subscription.receive(pulled)

    with ThreadPoolExecutor(len(both)) as pool:
        list(pool.map(catch_up, both))
    assert house.tables() == {1: dishes}
    assert house.kitchen.log.tip() == len(dishes)
    assert both[0].parked() == []
