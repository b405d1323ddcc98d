"""Feeds: a subscription's queue, read in order by one consumer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import eventlet
import structlog
from kombu import Connection, Consumer, Message

from shared.chassis.messaging.failures import WAITING, describe
from shared.chassis.messaging.subscription import Subscription
from shared.chassis.worker.broker import Broker, release
from shared.chassis.worker.patience import Patience

__all__ = ["Feed"]

log = structlog.get_logger(__name__)

_TOGETHER = 32
"""Messages taken at once, and sent ahead by the broker."""
_BUSY, _DRAIN = 0.01, 1.0
"""Shortest and longest wait for a message, in seconds."""


class Feed:
    """Reads one queue in order, and hands over what has come before it takes more.

    A failure ends the connection, so that the broker keeps what was not acknowledged, and the next
    one begins with catching up. When only the log of one context cannot be read or understood, the
    others go on: messages of that context which show a gap are taken as a hint that it has grown,
    and it is caught up with when that is possible again.

    Args:
        broker: where the queue is.
        subscription: whose queue.
        hand_over: applies messages.

    Attributes:
        connected: whether it has a connection to the broker.
        behind: contexts that wait to be caught up with, each with what hinders it.
        caught_up: whether it had reached every tip once since the start.
    """

    def __init__(
        self,
        broker: Broker,
        subscription: Subscription,
        hand_over: Callable[[Sequence[Message]], None],
    ) -> None:
        self.connected = False
        self.behind: dict[str, str] = {}
        self.caught_up = False
        self._patience = Patience(subscription.name)
        self._again = Patience(subscription.name)
        self._again_at = 0.0
        self._broker = broker
        self._gather = 0.0 if broker.is_embedded else subscription.gather
        self._subscription = subscription
        self._hand_over = hand_over

    def run(self) -> None:
        """Consume until told to stop."""
        self._patience.keep_at(self._consume)

    def stop(self) -> None:
        """End after the message that is being applied."""
        self._patience.stop()

    def _consume(self) -> None:
        """Bind the queue, catch up with what was lost before it was, and consume."""
        with self._connected() as (connection, connected):
            channel = connection.default_channel
            queue = self._broker.declare(self._subscription, channel)
            self.behind = dict.fromkeys(sorted(self._subscription.contexts), "not read yet")
            self._catch_up()
            self._patience.content()
            came: list[Message] = []
            with Consumer(channel, [queue], on_message=came.append, prefetch_count=_TOGETHER):
                while not self._patience.stopped:
                    if self.behind and monotonic() >= self._again_at:
                        self._catch_up()
                    self._drain(connection.transport, connected, came)
                    self._take(came)
                    if self._gather and 0 < len(came) < _TOGETHER:
                        self._patience.rest(self._gather)
                    came.clear()

    def _catch_up(self) -> None:
        for context in list(self.behind):
            try:
                self._subscription.catch_up([context])
            except WAITING as error:
                self._wait_for(context, error)
            else:
                del self.behind[context]
        if self.behind:
            self._again_at = monotonic() + self._again.longer()
        else:
            self._again.content()
            self.caught_up = True

    def _wait_for(self, context: str, error: Exception) -> None:
        reason = describe(error)
        if self.behind.get(context) != reason:
            log.warning(
                "context waits", subscription=self._subscription.name, context=context, error=reason
            )
        self.behind[context] = reason

    def _drain(self, transport: Any, connected: Any, came: Sequence[Message]) -> None:
        """Wait for a message, and take those that are there with it.

        This very connection is read: kombu's own way would quietly open another.
        """
        seconds = min(_DRAIN, max(_BUSY, self._again_at - monotonic())) if self.behind else _DRAIN
        try:
            transport.drain_events(connected, timeout=seconds)
            while len(came) < _TOGETHER:
                transport.drain_events(connected, timeout=0)
        except TimeoutError:
            if not came:
                transport.heartbeat_check(connected)

    def _take(self, came: Sequence[Message]) -> None:
        wanted = [message for message in came if not self._is_hint(message)]
        if wanted:
            try:
                self._hand_over(wanted)
            except WAITING as error:
                for context in self._contexts(wanted):
                    self._wait_for(context, error)
                self._again_at = monotonic() + self._again.longer()
        for message in came:
            message.ack()

    def _contexts(self, messages: Sequence[Message]) -> frozenset[str]:
        """Return the contexts that messages speak of; all when one does not say."""
        every = self._subscription.contexts
        named = {_context(message) for message in messages}
        return every & named if named <= every else every

    def _is_hint(self, message: Message) -> bool:
        """Whether there is nothing to do before its context can be pulled."""
        context, first = _context(message), message.headers.get("first")
        if context not in self.behind or not isinstance(first, int):
            return False
        return first > self._subscription.position(context) + 1

    @contextmanager
    def _connected(self) -> Iterator[tuple[Connection, Any]]:
        """Connect, and show the broker signs of life however long a message takes."""
        connection = self._broker.connection()
        connected = connection.connect()
        self.connected = True

        def beat() -> None:
            while True:
                eventlet.sleep(connected.heartbeat / 3)
                connected.send_heartbeat()

        beating = eventlet.spawn(beat) if connection.supports_heartbeats else None
        try:
            yield connection, connected
        finally:
            self.connected = False
            if beating is not None:
                beating.kill()
            release(connection)


def _context(message: Message) -> str:
    """Return the context a message says it is of, nothing when it says nothing that can be one."""
    said = message.headers.get("context")
    return said if isinstance(said, str) else ""
