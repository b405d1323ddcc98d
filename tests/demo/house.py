"""All services in one process, as a stage for stories."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from annals.demo.act import ADMINISTRATOR, Act, Found
from annals.demo.company import STAFF
from annals.installation import establish, service_values
from shared.chassis.api.identity import DEVELOPMENT_ADMINISTRATOR
from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.messaging.subscription import Subscription
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Actor, Envelope, Query, Refused

__all__ = ["House"]


class HouseClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.moment = datetime(2000, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the moment it was turned to."""
        return self.moment


class House:
    """Every service of the distribution, opened in memory, delivering without a broker."""

    def __init__(self) -> None:
        self.clock = HouseClock()
        self.services: dict[str, OpenService] = {
            service.name: open_service(service, clock=self.clock) for service in service_values()
        }
        establish(list(self.services.values()))
        pull = pull_from(list(self.services.values()))
        self.deliveries: Sequence[Delivery] = [
            Delivery(opened, pull, pause=lambda _: None) for opened in self.services.values()
        ]
        self._subscriptions = [one for each in self.deliveries for one in each.subscriptions]
        self._reached: dict[str, Mapping[str, int]] = {}

    def turn(self, moment: datetime | None) -> None:
        """See `Stage`; time never goes back."""
        self.clock.moment = max(self.clock.moment, moment or datetime.now(UTC))

    def settle(self) -> None:
        """See `Stage`; only subscriptions that are behind are asked to catch up."""
        while True:
            tips = {name: opened.log.tip() for name, opened in self.services.items()}
            behind = [one for one in self._subscriptions if self._lags(one, tips)]
            for subscription in behind:
                subscription.catch_up()
                self._reached[subscription.name] = tips
            if not behind and not any(self._keep_deadlines(one) for one in self.deliveries):
                return

    def rest(self) -> None:
        """See `Stage`."""
        self.settle()

    def _lags(self, subscription: Subscription, tips: Mapping[str, int]) -> bool:
        reached = self._reached.get(subscription.name, {})
        return any(reached.get(context, 0) < tips[context] for context in subscription.contexts)

    def _keep_deadlines(self, delivery: Delivery) -> bool:
        deadlines, now = delivery.deadlines, self.clock.now()
        return deadlines is not None and deadlines.due(now) > 0 and deadlines.keep(now) > 0

    def perform(self, act: Act, request: Mapping[str, Any]) -> str | None:
        """See `Stage`."""
        application = self.services[act.context].application
        assert application is not None
        command = application.commands()[act.rpc].model_validate(request)
        envelope = Envelope(
            command_id=act.id,
            actor=actor(act.by),
            occurred_at=act.at,
            recorded_at=self.clock.now(),
            correlation_id=act.id,
        )
        try:
            application.handle(command.issued(envelope))
        except Refused as refusal:
            return refusal.rule
        return None

    def find(self, found: Found) -> str | None:
        """See `Stage`."""
        items = self.ask(found.context, found.rpc, filter=found.filter).items
        return getattr(items[0], found.field) if items else None

    def ask(self, context: str, rpc: str, **query: Any) -> Any:
        """Ask a service as the administrator."""
        opened = self.services[context]
        question = opened.service.asked[rpc]
        asked: Query = question.query.model_validate(query)
        return opened.ask(question, asked, DEVELOPMENT_ADMINISTRATOR)


def actor(by: str) -> Actor:
    if by == ADMINISTRATOR:
        return DEVELOPMENT_ADMINISTRATOR
    employee = STAFF[by]
    return Actor(id=by, name=employee.name, roles=frozenset(employee.roles), unit=employee.path)
