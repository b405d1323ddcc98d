"""Delivery: everything one opened service needs to take part in the exchange of facts."""

import time
from collections.abc import Callable, Container, Sequence

from shared.chassis.messaging import parking
from shared.chassis.messaging.deadlines import Deadlines
from shared.chassis.messaging.handlers import PoliciesHandler, ViewsHandler
from shared.chassis.messaging.slices import Pull, Slice, is_wanted
from shared.chassis.messaging.subscription import Subscription
from shared.chassis.service import OpenService
from shared.chassis.telemetry import tracing

__all__ = ["Delivery", "pull_from", "settle"]


_GATHER = 0.03
"""Seconds from one delivery to policies to the next: rows show sooner when reactions do not run
beside them all the time, and decide on many facts at once."""


class Delivery:
    """A service's subscriptions and deadlines.

    Args:
        opened: the service on its databases.
        pull: reads any context's log.
        pause: waits the given seconds; called between transactions, never inside one.

    Attributes:
        policies: facts to commands, in the log database; None when no policy listens.
        views: facts to rows, in the views database; None when there is no read model.
        deadlines: commands waiting for their moment; None when there is no policy.
    """

    def __init__(
        self,
        opened: OpenService,
        pull: Pull,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.opened = opened
        self.deadlines: Deadlines | None = None
        self.policies: Subscription | None = None
        self.views: Subscription | None = None
        service, clock = opened.service, opened.clock
        if opened.application is not None and service.policies:
            self.deadlines = Deadlines(opened.application, clock)
            handler = PoliciesHandler(service.policies, opened.application, self.deadlines, clock)
            self.policies = Subscription(
                f"{service.name}.policies",
                opened.log_database,
                tracing.watched([handler]),
                pull,
                clock,
                deadlines=self.deadlines,
                pause=pause,
                gather=_GATHER,
            )
        if service.projections:
            views = [ViewsHandler(model, opened.projector) for model in service.projections]
            self.views = Subscription(
                f"{service.name}.views",
                opened.views_database,
                tracing.watched(views),
                pull,
                clock,
                pause=pause,
            )

    @property
    def subscriptions(self) -> list[Subscription]:
        """The subscriptions there are: policies before views."""
        return [s for s in (self.policies, self.views) if s is not None]

    def parked(self) -> list[parking.Letter]:
        """Return every waiting letter of the service, in order."""
        found: list[parking.Letter] = []
        for subscription in self.subscriptions:
            with subscription.database.read() as connection:
                found += parking.letters(connection)
        return found

    def owner(self, letter: parking.Letter) -> Subscription:
        """Return the subscription that can retry or skip a letter.

        Raises:
            LookupError: none of this service's.
        """
        for subscription in self.subscriptions:
            if letter.consumer in subscription.consumers:
                return subscription
        raise LookupError(f"{self.opened.name} has no consumer {letter.consumer}")

    def close(self) -> None:
        """Let go of what is watched; the databases stay open."""
        if self.deadlines is not None:
            self.deadlines.close()


def pull_from(opened: Sequence[OpenService], elsewhere: Pull | None = None) -> Pull:
    """Return the pull of one process: it reads the logs of these services directly.

    Args:
        opened: the services whose logs are here.
        elsewhere: reads the logs of others; None when there is nobody else.
    """
    logs = {service.name: service.log for service in opened}

    def pull(
        context: str, after: int, limit: int, wanted: Container[str] | None = None
    ) -> Slice | None:
        log = logs.get(context)
        if log is not None:
            positions, facts = log.run(after, limit, lambda topic: is_wanted(topic, wanted))
            return Slice(context, positions[0], positions[-1], facts) if positions else None
        return elsewhere(context, after, limit, wanted) if elsewhere is not None else None

    return pull


def settle(deliveries: Sequence[Delivery]) -> None:
    """Deliver directly, without a broker, until every consumer has everything and nothing is due.

    For programs that run all services in one process, such as tests and bulk loads.
    """
    busy = True
    while busy:
        busy = False
        for delivery in deliveries:
            for subscription in delivery.subscriptions:
                busy |= subscription.catch_up() > 0
        for delivery in deliveries:
            if not busy and delivery.deadlines is not None:
                busy |= delivery.deadlines.keep(delivery.opened.clock.now()) > 0
