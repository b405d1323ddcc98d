"""Running the workers of one process until they are told to stop."""

import os
import signal
from collections.abc import Callable, Sequence
from types import FrameType

import eventlet
import structlog
from nameko.runners import ServiceRunner

from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.messaging.slices import Pull
from shared.chassis.service import OpenService
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.extensions import Subscribed
from shared.chassis.worker.renewal import renew
from shared.chassis.worker.service import worker_service

__all__ = ["State", "run"]

log = structlog.get_logger(__name__)

_CHECK = 0.05


class State:
    """What a running worker knows of itself; before it runs, nothing is well."""

    def __init__(self) -> None:
        self.subscribed: Sequence[Subscribed] | None = None

    def broker(self) -> str | None:
        """Return why facts do not come in, None when every subscription is connected."""
        if self.subscribed is None or not all(one.is_connected for one in self.subscribed):
            return "not connected"
        return None

    def caught_up(self) -> str | None:
        """Return why the work is not at the tips yet, None once it was at every one."""
        if self.subscribed is None or not all(one.is_caught_up for one in self.subscribed):
            return "catching up"
        return None


def run(
    services: Sequence[OpenService],
    broker: Broker,
    ready: Callable[[], None],
    parent: int | None = None,
    elsewhere: Pull | None = None,
    state: State | None = None,
    rebuild: Sequence[str] = (),
) -> None:
    """Run the workers of these services; return after SIGTERM, SIGINT or the parent's end.

    Args:
        services: opened on their databases; their own logs are read there.
        broker: through which facts travel.
        ready: called once every subscription has reached every tip.
        parent: process id to live with; without it the workers outlive whoever started them.
        elsewhere: reads the logs of services that run elsewhere (`pulling.Elsewhere`).
        state: told how the work stands. A second signal ends the process at once.
        rebuild: the command `annals rebuild`, with which read models of a new version are made
            anew; without it they wait until somebody does that.

    Raises:
        Exception: whatever ended a worker that was not told to stop.
    """
    pull = pull_from(services, elsewhere)
    deliveries = [Delivery(opened, pull, eventlet.sleep) for opened in services]
    runner = ServiceRunner({})
    for delivery in deliveries:
        runner.add_service(worker_service(delivery, broker))
    stop: list[int] = []

    def take(number: int, _frame: FrameType | None) -> None:
        if stop:
            os._exit(128 + number)
        stop.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, take)
    runner.start()
    state = state or State()
    state.subscribed = _subscribed(runner)
    ended = eventlet.spawn(runner.wait)
    renewing = [
        eventlet.spawn(renew, delivery.opened.name, delivery.views, rebuild)
        for delivery in deliveries
        if rebuild and delivery.views is not None
    ]
    waiting = True
    while not (stop or ended.dead or (parent is not None and os.getppid() != parent)):
        if waiting and state.caught_up() is None:
            waiting = False
            ready()
        eventlet.sleep(_CHECK)
    for one in renewing:
        one.kill()
    if not ended.dead:
        runner.stop()
    ended.wait()
    for delivery in deliveries:
        delivery.close()


def _subscribed(runner: ServiceRunner) -> list[Subscribed]:
    return [
        extension
        for container in runner.containers
        for extension in container.extensions
        if isinstance(extension, Subscribed)
    ]
