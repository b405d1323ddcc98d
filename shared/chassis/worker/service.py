"""Worker services: one nameko service per context, made of what its delivery has."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

import eventlet
from nameko.timer import timer

from shared.chassis.clock import Clock, FileClock
from shared.chassis.messaging.deadlines import Deadlines
from shared.chassis.messaging.delivery import Delivery
from shared.chassis.messaging.subscription import Subscription
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.extensions import Relaying, subscribed

__all__ = ["worker_service"]

_ROUND = 0.5
_POLL = 0.05
_SIMULATED_POLL = 0.01


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
        keep = _keep(delivery.deadlines, opened.clock)
        members["deadlines"] = timer(interval=_ROUND, eager=True)(keep)
    return type(f"{opened.name.title()}Worker", (), members)


def _deliver_to(subscription: Subscription) -> Any:
    def deliver(_service: Any, headers: Mapping[str, Any], body: bytes) -> None:
        subscription.deliver(headers, body)

    return deliver


def _keep(deadlines: Deadlines, clock: Clock) -> Any:
    def keep(_service: Any) -> None:
        """Poll for one round of the timer, more often while a simulated history is played."""
        end = monotonic() + _ROUND
        while monotonic() < end:
            deadlines.poll()
            simulated = isinstance(clock, FileClock) and clock.simulated
            eventlet.sleep(_SIMULATED_POLL if simulated else _POLL)

    return keep
