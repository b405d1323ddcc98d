"""The broker: where facts are published and what queues they are read from."""

from dataclasses import dataclass, field
from typing import Any

from kombu import Connection, Exchange, Producer, Queue, binding

from shared.chassis.messaging.slices import CONTENT_TYPE, Parcel
from shared.chassis.messaging.subscription import Subscription

__all__ = ["EXCHANGE", "Broker", "Publisher"]

EXCHANGE = Exchange("annals.events", type="topic", durable=True)
_PERSISTENT = 2
_QUEUED = 2


@dataclass(frozen=True)
class Broker:
    """An AMQP broker, or kombu's memory transport within one process.

    Args:
        url: as kombu takes it, e.g. `amqp://guest:guest@localhost//`.
        options: kombu's transport options.
        longest: messages after which a queue is emptied before the next is put in it; None leaves
            such care to the broker. What is lost is pulled from the log when the next message
            shows the gap.
    """

    url: str
    options: dict[str, Any] = field(default_factory=dict)
    longest: int | None = None
    bound: dict[str, frozenset[str]] = field(default_factory=dict)
    """Names of the queues of this process, with the contexts each is bound to."""

    @classmethod
    def embedded(cls) -> "Broker":
        """Return the broker of a process that hosts every subscription itself."""
        options = {"polling_interval": 0.01, "body_encoding": None}
        return cls("memory://localhost//", options, longest=64)

    def connection(self) -> Connection:
        """Return a connection of its own, made when it is first used."""
        return Connection(self.url, transport_options=self.options)

    def queue(self, subscription: Subscription) -> Queue:
        """Return a subscription's queue: replicated, in order, one consumer at a time."""
        self.bound[subscription.name] = subscription.contexts
        return Queue(
            subscription.name,
            EXCHANGE,
            bindings=[binding(EXCHANGE, context) for context in sorted(subscription.contexts)],
            durable=True,
            queue_arguments={"x-queue-type": "quorum", "x-single-active-consumer": True},
        )


class Publisher:
    """Publishes parcels on a connection of its own, which it renews after a failure.

    Args:
        broker: where to.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._producer: Producer | None = None
        self._queues: dict[str, Queue] = {}

    def __call__(self, parcel: Parcel) -> None:
        """Publish persistently; raises when the broker does not take it."""
        if self._producer is None:
            self._producer = Producer(self._broker.connection(), EXCHANGE)
        if self._broker.longest is not None:
            for queue, length in self._lengths(self._producer.channel, parcel.context):
                if length >= self._broker.longest:
                    queue.purge()
        self._producer.publish(
            parcel.body,
            routing_key=parcel.context,
            headers=parcel.headers,
            content_type=CONTENT_TYPE,
            content_encoding="binary",
            delivery_mode=_PERSISTENT,
            mandatory=True,
        )

    def crowded(self, context: str) -> bool:
        """Whether messages of a context queue up, so that it is better to gather a longer slice."""
        if self._producer is None or self._broker.longest is None:
            return False
        lengths = self._lengths(self._producer.channel, context)
        return any(length >= _QUEUED for _, length in lengths)

    def _lengths(self, channel: Any, context: str) -> list[tuple[Queue, int]]:
        names = [name for name, contexts in self._broker.bound.items() if context in contexts]
        for name in names:
            if name not in self._queues:
                self._queues[name] = Queue(name, channel=channel)
        queues = [self._queues[name] for name in names]
        return [(queue, queue.queue_declare().message_count) for queue in queues]

    def close(self) -> None:
        """Close the connection; publishing again opens another."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            self._queues.clear()
            producer.connection.release()
