"""Worker services: one nameko service per context, made of what its delivery has."""

from time import monotonic
from typing import Any

import eventlet
import structlog
from nameko.timer import timer

from shared.chassis.clock import Clock, FileClock
from shared.chassis.messaging.deadlines import Deadlines
from shared.chassis.messaging.delivery import Delivery
from shared.chassis.messaging.failures import OUTAGE, describe
from shared.chassis.messaging.slices import Message
from shared.chassis.messaging.subscription import Subscription
from shared.chassis.telemetry import tracing
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.extensions import Relaying, subscribed

__all__ = ["worker_service"]

log = structlog.get_logger(__name__)

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
    members: dict[str, Any] = {"name": f"{opened.name}.worker"}
    if opened.application is not None:  # without commands there are no facts to pass on
        members["relay"] = Relaying(opened.log, broker)
    for subscription in delivery.subscriptions:
        method = subscription.name.rpartition(".")[2]
        members[method] = subscribed(subscription, broker)(_deliver_to(subscription))
    if delivery.deadlines is not None:
        keep = _keep(delivery.deadlines, opened.clock, opened.name)
        members["deadlines"] = timer(interval=_ROUND, eager=True)(keep)
    return type(f"{opened.name.title()}Worker", (), members)


def _deliver_to(subscription: Subscription) -> Any:
    def deliver(_service: Any, *messages: Message) -> None:
        with tracing.delivery(subscription.name, *(headers for headers, _ in messages)):
            subscription.deliver(*messages)

    return deliver


def _keep(deadlines: Deadlines, clock: Clock, context: str) -> Any:
    halted: bool | None = None

    def keep(_service: Any) -> None:
        """Poll for one round of the timer, more often while a simulated history is played.

        What fails is tried again in the next round, for as long as it takes, and told once.
        """
        nonlocal halted
        end = monotonic() + _ROUND
        while monotonic() < end:
            try:
                deadlines.poll()
            except Exception as error:
                passing = isinstance(error, OUTAGE)
                if halted is not passing:
                    log.exception(
                        "deadlines halted",
                        context=context,
                        error=describe(error),
                        exc_info=not passing,
                    )
                halted = passing
                eventlet.sleep(_ROUND)
                return
            halted = None
            simulated = isinstance(clock, FileClock) and clock.simulated
            eventlet.sleep(_SIMULATED_POLL if simulated else _POLL)

    return keep
