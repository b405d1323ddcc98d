"""Worker services: one nameko service per context, made of what its delivery has."""

from collections.abc import Mapping
from typing import Any

import eventlet
from nameko.timer import timer

from shared.chassis.clock import FileClock
from shared.chassis.messaging.deadlines import Deadlines
from shared.chassis.messaging.delivery import Delivery
from shared.chassis.messaging.subscription import Subscription
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.extensions import Relaying, subscribed

__all__ = ["worker_service"]

_TICK = 0.05
_SIMULATED_TICK = 0.01


def worker_service(delivery: Delivery, broker: Broker) -> type:
    """Return the nameko service class of a context.

    Args:
        delivery: the context's subscriptions and deadlines.
        broker: through which facts travel.
    """
    opened = delivery.opened
    members: dict[str, Any] = {
        "name": f"{opened.name}.worker",
        "relay": Relaying(opened.log, broker),
    }
    for subscription in delivery.subscriptions:
        method = subscription.name.rpartition(".")[2]
        members[method] = subscribed(subscription, broker)(_deliver_to(subscription))
    if delivery.deadlines is not None:
        members["deadlines"] = timer(interval=_TICK)(_keep(delivery.deadlines, opened.clock))
    return type(f"{opened.name.title()}Worker", (), members)


def _deliver_to(subscription: Subscription) -> Any:
    def deliver(_service: Any, headers: Mapping[str, Any], body: bytes) -> None:
        subscription.deliver(headers, body)

    return deliver


def _keep(deadlines: Deadlines, clock: Any) -> Any:
    def keep(_service: Any) -> None:
        """Poll once a tick; as often as a simulated history needs while one is played."""
        deadlines.poll()
        if isinstance(clock, FileClock) and clock.simulated:
            for _ in range(round(_TICK / _SIMULATED_TICK) - 1):
                eventlet.sleep(_SIMULATED_TICK)
                deadlines.poll()

    return keep
