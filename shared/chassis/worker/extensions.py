"""nameko extensions: the relay as a dependency, a subscription as an entrypoint.

Neither yields to another green thread while a transaction is open: what they call between two
commits neither sleeps nor touches the network.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

import eventlet
import structlog
from eventlet.event import Event
from kombu import Connection, Consumer, Message
from kombu.mixins import ConsumerMixin
from nameko.extensions import DependencyProvider, Entrypoint

from shared.chassis.eventstore import EventLog
from shared.chassis.messaging.failures import describe
from shared.chassis.messaging.relay import Relay
from shared.chassis.messaging.subscription import Subscription
from shared.chassis.worker.broker import Broker, Publisher

__all__ = ["Relaying", "subscribed"]

log = structlog.get_logger(__name__)

_BUSY, _IDLE = 0.002, 0.02
"""Seconds between two looks at a log that has just grown, and at one that has not for long."""
_GATHERING = 0.1
"""Longest wait for a slice to grow while consumers are busy, in seconds."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
_UNACKNOWLEDGED = 8


class Patience:
    """Tries again for as long as it takes, ever more slowly, until told to stop."""

    def __init__(self, name: str) -> None:
        self.stopping = Event()
        self._name = name
        self._pause = _FIRST_PAUSE

    def succeed(self, work: Callable[[], Any]) -> bool:
        """Do the work until it does not raise; return False when stopped before."""
        while not self.stopping.ready():
            try:
                work()
            except Exception as error:
                log.exception("delivery halted", subscription=self._name, error=describe(error))
                with eventlet.Timeout(self._pause, exception=False):
                    self.stopping.wait()
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            else:
                self._pause = _FIRST_PAUSE
                return True
        return False

    def stop(self) -> None:
        """Give up at the next pause."""
        if not self.stopping.ready():
            self.stopping.send(None)


class Relaying(DependencyProvider):  # type: ignore[misc]
    """Runs a context's relay.

    Args:
        event_log: the context's log.
        broker: where its facts go.
    """

    def __init__(self, event_log: EventLog, broker: Broker) -> None:
        self._log = event_log
        self._publisher = Publisher(broker)
        self._patience = Patience(f"{event_log.context}.relay")
        self._pause = 0.0

    def start(self) -> None:
        """Begin to relay."""
        self._thread = self.container.spawn_managed_thread(self._run, "relay")

    def stop(self) -> None:
        """End after the slice that is on its way."""
        self._patience.stop()
        self._thread.wait()

    def _run(self) -> None:
        relay = Relay(self._log, self._publisher)
        try:
            while self._patience.succeed(lambda: self._step(relay)):
                pass
        finally:
            relay.close()
            self._publisher.close()

    def _step(self, relay: Relay) -> None:
        try:
            if relay.is_behind():
                self._gather()
            published = relay.step()
        except Exception:
            self._publisher.close()
            raise
        self._pause = 0.0 if published else min(max(_BUSY, self._pause * 1.2), _IDLE)
        eventlet.sleep(self._pause)

    def _gather(self) -> None:
        """Let the log grow while earlier slices wait, but not for long: a queue may be stuck."""
        end = monotonic() + _GATHERING
        while self._publisher.crowded(self._log.context) and monotonic() < end:
            eventlet.sleep(_BUSY)


class _Feed(ConsumerMixin):  # type: ignore[misc]
    """Reads one queue in order and hands over each message before it takes the next."""

    def __init__(
        self, broker: Broker, subscription: Subscription, hand_over: Callable[[Message], None]
    ) -> None:
        self.connection: Connection = broker.connection()
        self.caught_up = Event()
        self.patience = Patience(subscription.name)
        self._queue = broker.queue(subscription)
        self._subscription = subscription
        self._hand_over = hand_over

    def get_consumers(self, consumer_cls: Callable[..., Consumer], _channel: Any) -> list[Consumer]:
        """Consume the subscription's queue, which is declared and bound here."""
        return [
            consumer_cls(
                queues=[self._queue], on_message=self._take, prefetch_count=_UNACKNOWLEDGED
            )
        ]

    def on_consume_ready(self, *_: Any, **__: Any) -> None:
        """Catch up after every (re)connection: whatever is lost before the queue was bound."""
        if self.patience.succeed(self._subscription.catch_up) and not self.caught_up.ready():
            self.caught_up.send(None)

    def on_connection_error(self, exc: Exception, interval: float) -> None:
        """Say that the broker cannot be reached."""
        log.warning("broker unreachable", error=describe(exc), seconds=interval)

    def stop(self) -> None:
        """End after the message that is being applied."""
        self.should_stop = True
        self.patience.stop()

    def _take(self, message: Message) -> None:
        if self.patience.succeed(lambda: self._hand_over(message)):
            message.ack()


class Subscribed(Entrypoint):  # type: ignore[misc]
    """Calls a service method with each message of a subscription, one after another.

    A message is acknowledged once the method has returned; until then it is tried again, since
    messages behind it may build on it.

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
        self._feed = _Feed(self._broker, self._subscription, self._hand_over)

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
        return bool(self._feed.caught_up.ready())

    def _hand_over(self, message: Message) -> None:
        done = Event()

        def finish(_worker: Any, result: Any, failure: Any) -> tuple[Any, Any]:
            if failure is None:
                done.send(result)
            else:
                done.send_exception(*failure)
            return result, failure

        arguments: tuple[Mapping[str, Any], bytes] = (message.headers, message.body)
        self.container.spawn_worker(self, arguments, {}, handle_result=finish)
        done.wait()


subscribed = Subscribed.decorator
