"""Publishers: how a relay's parcels reach the broker, and how it knows that they did."""

import time
from contextlib import suppress
from typing import Any, Protocol

import structlog
from kombu import Connection, Message, Producer, Queue

from shared.chassis.messaging.slices import CONTENT_TYPE, MAX_EVENTS, Parcel
from shared.chassis.telemetry.metrics import BROKER_BLOCKED, UNROUTABLE
from shared.chassis.worker.broker import Broker, release

__all__ = ["ConfirmedPublisher", "MemoryPublisher", "NotConfirmed", "Publisher", "publisher_to"]

log = structlog.get_logger(__name__)

_PERSISTENT = 2
_QUEUED = 2
_WRITE_TIMEOUT = 10.0
_TICK = 1.0
_TELL_AGAIN = 60.0
_GATHER = 0.008
"""Seconds from one slice to the next, unless it is full: each costs everybody who reads it."""
_GATHERING = 0.1
"""Longest wait for a slice to grow while consumers are busy, in seconds; a queue may be stuck."""


class NotConfirmed(Exception):
    """The broker refuses to answer for a message it was given."""


class Publisher(Protocol):
    """The way to the broker; opened when it is first used, and again after `close`."""

    def __call__(self, parcel: Parcel) -> None:
        """Hand over a parcel; it is safe once it no longer counts as unconfirmed."""
        ...

    def unconfirmed(self) -> int:
        """Return how many parcels there are from the first that is not confirmed."""
        ...

    def has_room(self) -> bool:
        """Whether it is a good moment to hand over more."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait for the broker's answers, but not longer than this; raises when it is gone."""
        ...

    def close(self) -> None:
        """Close the connection; what was not confirmed may be lost."""
        ...


class ConfirmedPublisher:
    """Publishes over AMQP with several parcels in flight, each confirmed once it is on disk.

    Confirms are RabbitMQ's extension of AMQP (`confirm.select`, then `basic.ack` or `basic.nack`
    per delivery tag, singly or up to a tag, in any order). A message no queue wants is returned
    before it is confirmed; the log is its safe place, so it is told and counted, and that is all.

    Args:
        broker: where to.

    Attributes:
        unroutable: how many messages no queue wanted, by context.
        blocked: whether the broker has asked to stop, being short of memory or disk.
    """

    WINDOW = 16
    """Parcels that may be in flight."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._connection: Connection | None = None
        self._channel: Any = None
        self._connected: Any = None  # amqp's own: kombu's would quietly open another
        self._tag = 0
        self._waiting: dict[int, Parcel] = {}
        self._refused = 0
        self._ticked_at = 0.0
        self._gathered_at = 0.0
        self._told_at: dict[str, float] = {}
        self.unroutable: dict[str, int] = {}
        self.blocked = False

    def __call__(self, parcel: Parcel) -> None:
        """Hand over a parcel, persistent and mandatory.

        Raises:
            Exception: a connection error of kombu's or amqp's.
        """
        channel = self._open()
        message = channel.prepare_message(
            parcel.body, 0, CONTENT_TYPE, "binary", parcel.headers, {"delivery_mode": _PERSISTENT}
        )
        self._tag += 1
        self._waiting[self._tag] = parcel
        if parcel.last - parcel.first + 1 < MAX_EVENTS:
            self._gathered_at = time.monotonic() + _GATHER
        channel.basic_publish(
            message,
            exchange=self._broker.exchange.name,
            routing_key=parcel.context,
            mandatory=True,
            timeout=_WRITE_TIMEOUT,
        )

    def unconfirmed(self) -> int:
        """Return how many parcels there are from the first that is not confirmed."""
        first = next(iter(self._waiting), self._tag + 1)
        return self._tag + 1 - first

    def has_room(self) -> bool:
        """Whether the window is open, the broker takes messages, and some may have gathered."""
        gathered = time.monotonic() >= self._gathered_at
        return gathered and not self.blocked and len(self._waiting) < self.WINDOW

    def wait(self, seconds: float) -> None:
        """Wait for confirms; with none to come, only look at the connection now and then.

        Raises:
            NotConfirmed: the broker refused a message.
            Exception: a connection error of kombu's or amqp's, e.g. for missing heartbeats.
        """
        if self._connection is None or not (self._waiting or self.blocked or self._is_time()):
            time.sleep(seconds)
            return
        time.sleep(0)  # with nothing to wait for, draining would not let the others work
        with suppress(TimeoutError):
            self._drain(seconds)
        if self._refused:
            raise NotConfirmed(f"{self._refused} messages")
        if self._is_time():
            self._ticked_at = time.monotonic()
            self._connection.transport.heartbeat_check(self._connected)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._channel = self._connection, None, None
        self._tag = self._refused = 0
        self._waiting.clear()
        self.blocked = False
        BROKER_BLOCKED.set(0)
        if connection is not None:
            release(connection)

    def _open(self) -> Any:
        if self._channel is None:
            self._connection = self._broker.connection(
                on_blocked=self._on_blocked, on_unblocked=self._on_unblocked
            )
            channel = self._connection.channel()
            self._broker.exchange(channel).declare()
            channel.confirm_select()
            channel.events["basic_ack"].add(self._on_ack)
            channel.events["basic_nack"].add(self._on_nack)
            channel.events["basic_return"].add(self._on_return)
            self._channel, self._connected = channel, channel.connection
        return self._channel

    def _drain(self, seconds: float) -> None:
        """Take in what has arrived, waiting for the first of it."""
        self._connected.drain_events(timeout=seconds)
        while self._waiting:
            self._connected.drain_events(timeout=0)

    def _is_time(self) -> bool:
        return time.monotonic() - self._ticked_at >= _TICK

    def _settled(self, tag: int, multiple: bool) -> int:  # noqa: FBT001 - as AMQP has it
        tags = [t for t in self._waiting if t <= tag] if multiple else [tag]
        return len([self._waiting.pop(t) for t in tags])

    def _on_ack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - as AMQP has it
        self._settled(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - as AMQP has it
        self._refused += self._settled(tag, multiple)

    def _on_return(self, _error: Exception, _exchange: str, context: str, message: Message) -> None:
        self.unroutable[context] = self.unroutable.get(context, 0) + 1
        UNROUTABLE.labels(context).inc()
        now = time.monotonic()
        if now - self._told_at.get(context, -_TELL_AGAIN) >= _TELL_AGAIN:
            self._told_at[context] = now
            log.error(
                "no queue wants a context's facts",
                context=context,
                first=message.headers.get("first"),
                messages=self.unroutable[context],
            )

    def _on_blocked(self, reason: str) -> None:
        self.blocked = True
        BROKER_BLOCKED.set(1)
        log.warning("broker blocks publishing", reason=reason)

    def _on_unblocked(self) -> None:
        self.blocked = False
        BROKER_BLOCKED.set(0)
        log.info("broker takes messages again")


class MemoryPublisher:
    """Publishes to queues of this process; a parcel is there as soon as it is handed over.

    Args:
        broker: whose `longest` bounds every queue.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._producer: Producer | None = None
        self._queues: dict[str, Queue] = {}
        self._context: str | None = None
        self._crowded_since: float | None = None

    def __call__(self, parcel: Parcel) -> None:
        """Hand over a parcel, after emptying the queues nobody reads."""
        if self._producer is None:
            self._producer = Producer(self._broker.connection(), self._broker.exchange)
        self._context, self._crowded_since = parcel.context, None
        if self._broker.longest is not None:
            for queue, length in self._lengths(self._producer.channel):
                if length >= self._broker.longest:
                    queue.purge()
        self._producer.publish(
            parcel.body,
            routing_key=parcel.context,
            headers=parcel.headers,
            content_type=CONTENT_TYPE,
            content_encoding="binary",
        )

    def unconfirmed(self) -> int:
        """Return 0."""
        return 0

    def has_room(self) -> bool:
        """Whether no messages queue up, or it was long enough so for a longer slice to gather."""
        if self._producer is None or self._broker.longest is None:
            return True
        if all(length < _QUEUED for _, length in self._lengths(self._producer.channel)):
            return True
        now = time.monotonic()
        self._crowded_since = self._crowded_since or now
        return now - self._crowded_since >= _GATHERING

    def wait(self, seconds: float) -> None:
        """Let the others work."""
        time.sleep(seconds)

    def close(self) -> None:
        """Close the connection; publishing again opens another."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            self._queues.clear()
            producer.connection.release()

    def _lengths(self, channel: Any) -> list[tuple[Queue, int]]:
        bound = self._broker.bound.items()
        names = [name for name, contexts in bound if self._context in contexts]
        for name in names:
            if name not in self._queues:
                self._queues[name] = Queue(self._broker.prefix + name, channel=channel)
        queues = [self._queues[name] for name in names]
        return [(queue, queue.queue_declare().message_count) for queue in queues]


def publisher_to(broker: Broker) -> Publisher:
    """Return the publisher that fits the broker."""
    return MemoryPublisher(broker) if broker.is_embedded else ConfirmedPublisher(broker)
