"""nameko extensions: the relay as a dependency, a subscription as an entrypoint.

On SQLite neither yields to another green thread while a transaction is open: what they call between
two commits neither sleeps nor touches the network. On PostgreSQL every statement may yield; each
transaction has a connection of its own there, and each relay and feed a green thread of its own.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Any

import structlog
from eventlet.event import Event
from kombu import Message
from nameko.extensions import DependencyProvider, Entrypoint

from shared.chassis.eventstore import EventLog
from shared.chassis.messaging.relay import Relay
from shared.chassis.messaging.subscription import Subscription
from shared.chassis.telemetry.metrics import RELAY_LEADER, UNROUTABLE
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.feed import Feed
from shared.chassis.worker.patience import Patience
from shared.chassis.worker.publishers import publisher_to

__all__ = ["Relaying", "subscribed"]

log = structlog.get_logger(__name__)

_BUSY, _IDLE = 0.002, 0.02
"""Seconds between two looks at a log that has just grown, and at one that has not for long."""
_FLUSH = 2.0
"""Longest wait for the last confirms when stopping, in seconds."""
_STANDBY = 1.0
"""Seconds between two attempts to become the leader, and between two proofs that one still is."""


class Relaying(DependencyProvider):  # type: ignore[misc]
    """Runs a context's relay, unless another process does; then it stands by.

    Two may publish for a moment, when one is slow to notice that it lost its lock. That is
    harmless: consumers know a repetition by its positions.

    Args:
        event_log: the context's log.
        broker: where its facts go.

    Attributes:
        leads: whether this process's relay is the active one.
        publisher: the way to the broker, which also knows about blocking and returned messages.
    """

    def __init__(self, event_log: EventLog, broker: Broker) -> None:
        self._log = event_log
        self.publisher = publisher_to(broker)
        self.leads = False
        self._leader = RELAY_LEADER.labels(event_log.context)
        UNROUTABLE.labels(event_log.context)  # there from the start, so that the first one shows
        self._lock = event_log.database.lock(f"relay {event_log.context}")
        self._patience = Patience(f"{event_log.context}.relay")

    def start(self) -> None:
        """Begin to relay."""
        self._thread = self.container.spawn_managed_thread(self._run, "relay")

    def stop(self) -> None:
        """End after the slices that are on their way."""
        self._patience.stop()
        self._thread.wait()

    def _run(self) -> None:
        self._patience.keep_at(self._stand_by)

    def _stand_by(self) -> None:
        """Lead whenever nobody else does."""
        while not self._patience.stopped:
            try:
                if self._lock.take():
                    self._lead()
            finally:
                self._lock.release()
            self._patience.rest(_STANDBY)

    def _lead(self) -> None:
        relay = Relay(self._log, self.publisher, self.publisher.unconfirmed)
        self.leads = True
        self._leader.set(1)
        log.info("relay leads", context=self._log.context, position=relay.position)
        try:
            self._relay(relay)
            self._flush()
            relay.save()
        finally:
            self.leads = False
            self._leader.set(0)
            self.publisher.close()
            relay.close()

    def _relay(self, relay: Relay) -> None:
        pause, proven_at = 0.0, monotonic()
        while not self._patience.stopped:
            if monotonic() - proven_at >= _STANDBY:
                if not self._lock.take():
                    log.warning("relay lost its lock", context=self._log.context)
                    return
                proven_at = monotonic()
            published = 0
            if not relay.is_behind() or self.publisher.has_room():
                published = relay.step()
                self._patience.content()
            pause = 0.0 if published else min(max(_BUSY, pause * 1.2), _IDLE)
            self.publisher.wait(pause)

    def _flush(self) -> None:
        end = monotonic() + _FLUSH
        while self.publisher.unconfirmed() and monotonic() < end:
            self.publisher.wait(_BUSY)


class Subscribed(Entrypoint):  # type: ignore[misc]
    """Calls a service method with the messages of a subscription, as many as are there.

    They are acknowledged once the method has returned. When that fails, their facts are pulled
    until they are applied, since messages behind them may build on them.

    Args:
        subscription: whose queue to read.
        broker: where it is.
    """

    def __init__(self, subscription: Subscription, broker: Broker, **options: Any) -> None:
        super().__init__(**options)
        self._subscription = subscription
        self._broker = broker

    def setup(self) -> None:
        """Prepare the feed."""
        self._feed = Feed(self._broker, self._subscription, self._hand_over)

    def start(self) -> None:
        """Begin to consume."""
        self._thread = self.container.spawn_managed_thread(self._feed.run, self._subscription.name)

    def stop(self) -> None:
        """Finish the message at hand and take no other."""
        self._feed.stop()
        self._thread.wait()

    def kill(self) -> None:
        """Take no other message and do not wait."""
        self._feed.stop()

    @property
    def is_caught_up(self) -> bool:
        """Whether it had reached every tip once since the start."""
        return self._feed.caught_up

    @property
    def behind(self) -> dict[str, str]:
        """Contexts whose log cannot be read just now, each with what hinders it."""
        return self._feed.behind

    @property
    def is_connected(self) -> bool:
        """Whether it has a connection to the broker."""
        return self._feed.connected

    def _hand_over(self, messages: Sequence[Message]) -> None:
        done = Event()

        def finish(_worker: Any, result: Any, failure: Any) -> tuple[Any, Any]:
            if failure is None:
                done.send(result)
            else:
                done.send_exception(*failure)
            return result, failure

        arguments = [(message.headers, message.body) for message in messages]
        self.container.spawn_worker(self, arguments, {}, handle_result=finish)
        done.wait()


subscribed = Subscribed.decorator
