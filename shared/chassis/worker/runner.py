"""Running the workers of one process until they are told to stop."""

import os
import signal
from collections.abc import Callable, Sequence

import eventlet
import structlog
from nameko.runners import ServiceRunner

from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.service import OpenService
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.extensions import Subscribed
from shared.chassis.worker.service import worker_service

__all__ = ["run"]

log = structlog.get_logger(__name__)

_CHECK = 0.05


def run(
    services: Sequence[OpenService],
    broker: Broker,
    ready: Callable[[], None],
    parent: int | None = None,
) -> None:
    """Run the workers of these services; return after SIGTERM, SIGINT or the parent's end.

    Args:
        services: opened on their databases; their logs serve all pulls of this process.
        broker: through which facts travel.
        ready: called once every subscription has reached every tip.
        parent: process id to live with; without it the workers outlive whoever started them.

    Raises:
        Exception: whatever ended a worker that was not told to stop.
    """
    deliveries = [Delivery(opened, pull_from(services), eventlet.sleep) for opened in services]
    runner = ServiceRunner({})
    for delivery in deliveries:
        runner.add_service(worker_service(delivery, broker))
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stop.append(received))
    runner.start()
    ended = eventlet.spawn(runner.wait)
    waiting = True
    while not (stop or ended.dead or (parent is not None and os.getppid() != parent)):
        if waiting and _caught_up(runner):
            waiting = False
            ready()
        eventlet.sleep(_CHECK)
    if not ended.dead:
        runner.stop()
    ended.wait()
    for delivery in deliveries:
        delivery.close()


def _caught_up(runner: ServiceRunner) -> bool:
    return all(
        extension.is_caught_up
        for container in runner.containers
        for extension in container.extensions
        if isinstance(extension, Subscribed)
    )
