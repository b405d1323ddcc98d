"""Facts over RabbitMQ between workers deployed apart: whatever happens to messages is harmless."""

import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from kombu import Queue

from shared.chassis.messaging import Parcel, cut
from shared.chassis.messaging.slices import CONTENT_TYPE
from tests.messaging.toys import Dishes
from tests.servers.private import free_port
from tests.worker.conftest import Branch, serve_logs, until

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.capability("PLT-02", "PLT-13")]


def test_facts_travel_between_services_that_share_nothing(branch: Branch) -> None:
    branch.order("soup")
    branch.hire("dining")
    branch.hire("kitchen")
    branch.settle()
    branch.order("fish")
    branch.settle()
    assert branch.house.tables() == {1: ["soup", "fish"]}
    assert [row["cooked"] for row in branch.house.rows(Dishes)] == ["fish", "soup"]


def test_messages_that_are_lost_are_pulled_from_the_owner(branch: Branch) -> None:
    branch.hire("dining")
    kitchen = branch.hire("kitchen")
    kitchen.process.send_signal(signal.SIGSTOP)
    dishes = [f"dish {number:02}" for number in range(30)]
    for dish in dishes:
        branch.order(dish)
        until(lambda: branch.house.dining.log.tip() > 0)
    until(lambda: branch.waiting("kitchen.views") > 0, "messages")
    with branch.channel() as channel:
        for queue in ("kitchen.views", "kitchen.policies"):
            Queue(branch.broker.prefix + queue, channel=channel).purge()
    kitchen.process.send_signal(signal.SIGCONT)
    branch.order("last")
    branch.settle()
    assert branch.house.tables() == {1: [*dishes, "last"]}


def test_repeated_and_reordered_messages_change_nothing(branch: Branch) -> None:
    dining, kitchen = branch.hire("dining"), branch.hire("kitchen")
    dining.stop()
    dishes = [f"dish {number}" for number in range(12)]
    branch.order(*dishes)
    facts = branch.house.dining.log.raw(0, len(dishes))
    parcels = [parcel for fact in facts for parcel in cut([fact])]
    parcels += [parcel for pair in pairwise(facts) for parcel in cut(pair)]
    with branch.channel() as channel:
        for parcel in [*reversed(parcels), *parcels]:
            publish(branch, channel, parcel)
    branch.settle()
    assert branch.house.tables() == {1: dishes}
    assert branch.house.kitchen.log.tip() == len(dishes)
    assert kitchen.stop() == 0
    assert branch.waiting("kitchen.views") == 0


def test_a_message_that_is_no_slice_is_parked(branch: Branch) -> None:
    branch.hire("kitchen")
    with branch.channel() as channel:
        channel.basic_publish(
            channel.prepare_message(b"\xff\x00 nonsense", 0, "text/plain", "binary", {}, {}),
            exchange=branch.broker.exchange.name,
            routing_key="dining",
        )
    delivery = branch.house.delivery()
    until(lambda: len(delivery.parked()) == 2, "two parked letters")
    letters = delivery.parked()
    assert {letter.consumer for letter in letters} == {"kitchen.policies", "kitchen.views"}
    assert letters[0].body == b"\xff\x00 nonsense"


def test_a_poisoned_row_waits_in_order_while_the_others_flow(branch: Branch) -> None:
    branch.poisonous.append("poison")
    branch.hire("dining")
    branch.hire("kitchen")
    branch.order("soup")
    branch.order("poison", "after", table=2)
    branch.order("fish")
    branch.settle()
    assert branch.house.tables() == {1: ["soup", "fish"]}
    letters = branch.house.delivery().parked()
    assert [(letter.lane, letter.position) for letter in letters] == [("2", 2), ("2", 3)]
    assert branch.house.delivery().views.retry("tables", "2") == 2  # type: ignore[union-attr]
    assert branch.house.tables() == {1: ["soup", "fish"], 2: ["poison", "after"]}


def test_a_worker_killed_with_unacknowledged_messages_loses_and_doubles_nothing(
    branch: Branch,
) -> None:
    branch.hire("dining")
    ordered: list[str] = []
    for round_ in range(3):
        kitchen = branch.hire("kitchen")
        dishes = [f"dish {round_}.{number:02}" for number in range(40)]
        branch.order(*dishes)
        ordered += dishes
        until(lambda: branch.house.kitchen.log.tip() > 40 * round_)  # noqa: B023
        kitchen.kill()
    branch.hire("kitchen")
    branch.settle()
    assert branch.house.tables() == {1: ordered}
    assert branch.house.kitchen.log.tip() == len(ordered)


def test_an_owner_that_is_away_holds_up_nobody_else(branch: Branch) -> None:
    branch.hire("dining")
    kitchen = branch.hire("kitchen")
    branch.order("soup")
    branch.settle()
    kitchen.kill()
    branch.order("missed")
    until(lambda: branch.waiting("kitchen.views") > 0, "a message")
    with branch.channel() as channel:
        for queue in ("kitchen.views", "kitchen.policies"):
            Queue(branch.broker.prefix + queue, channel=channel).purge()
    away = branch.address = f"127.0.0.1:{free_port()}"
    kitchen = branch.hire("kitchen", ready=False)
    until(lambda: kitchen.said().count("context waits") >= 2, "the warnings")
    branch.order("late")
    branch.house.bin("order soup")
    until(lambda: branch.house.rows(Dishes)[0]["binned"] == 1, "its own fact")
    assert branch.house.tables() == {1: ["soup"]}
    with serve_logs(branch.house.services, away):
        kitchen.wait_ready()
        branch.settle()
        assert branch.house.tables() == {1: ["soup", "missed", "late"]}
        assert kitchen.stop() == 0


def test_a_helper_that_is_killed_is_replaced(branch: Branch) -> None:
    branch.order("soup")
    kitchen = branch.hire("kitchen")
    for helper in kitchen.children():
        os.kill(helper, signal.SIGKILL)
    branch.order("fish", "rice")  # nobody relays them: the kitchen hears of the last one only
    (parcel,) = cut(branch.house.dining.log.raw(2, 1))
    with branch.channel() as channel:
        publish(branch, channel, parcel)
    branch.settle()
    assert branch.house.tables() == {1: ["soup", "fish", "rice"]}


def test_helpers_end_with_their_worker(branch: Branch) -> None:
    branch.order("soup")
    kitchen = branch.hire("kitchen")
    helpers = kitchen.children()
    assert len(helpers) == 1
    assert kitchen.stop() == 0
    until(lambda: not any(map(alive, helpers)), "the helper's end")


def publish(branch: Branch, channel: Any, parcel: Parcel) -> None:
    properties = {"delivery_mode": 2}
    channel.basic_publish(
        channel.prepare_message(parcel.body, 0, CONTENT_TYPE, "binary", parcel.headers, properties),
        exchange=branch.broker.exchange.name,
        routing_key=parcel.context,
    )


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
