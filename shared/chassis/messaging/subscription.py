"""Subscriptions: at least once, out of order and with losses in; exactly once and in order out.

The log is the truth and messages are hints that it has grown. Each handler has a tracked position
per context; a slice at or below it is a duplicate, a slice beyond its end shows a gap, and the
missing run is pulled from the owner's log. Facts and position change in one transaction, so a crash
between any two steps is only a redelivery.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import Connection

from shared.chassis import tracking
from shared.chassis.clock import Clock
from shared.chassis.database import Database
from shared.chassis.eventstore import CorruptLog
from shared.chassis.messaging import parking
from shared.chassis.messaging.deadlines import CONSUMER, Deadlines
from shared.chassis.messaging.failures import OUTAGE, describe, is_final
from shared.chassis.messaging.handlers import Handler
from shared.chassis.messaging.slices import (
    MAX_EVENTS,
    CorruptSlice,
    Message,
    Pull,
    Slice,
    decode,
)
from shared.chassis.telemetry.metrics import GAPS, SLICE_EVENTS
from shared.events.base import Recorded

__all__ = ["Subscription"]

log = structlog.get_logger(__name__)

Fact = Recorded[Any]

_PAUSES = (0.02, 0.1)
"""Seconds before the second and the third try."""


class _Behind(Exception):
    """A handler's position was set back by somebody else; what it misses has to be pulled."""


class Subscription:
    """A set of handlers over one database, fed with slices.

    Args:
        name: `<service>.<policies|views>`, also the name of its queue.
        database: holds what the handlers write, their positions and what is parked.
        handlers: each with a tracked position per context.
        pull: reads any context's log.
        clock: dates what is parked.
        deadlines: those whose parked commands can be retried here.
        pause: waits the given seconds; called between transactions, never inside one.
        gather: seconds to leave from one delivery to the next while little comes, so that what
            comes meanwhile is applied together, and others have their turn.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        handlers: Sequence[Handler],
        pull: Pull,
        clock: Clock,
        deadlines: Deadlines | None = None,
        pause: Callable[[float], None] = time.sleep,
        gather: float = 0.0,
    ) -> None:
        self.name = name
        self.gather = gather
        self.database = database
        self.handlers = tuple(handlers)
        self.contexts = frozenset(context for h in self.handlers for context in h.contexts)
        self.topics = frozenset(topic for h in self.handlers for topic in h.topics)
        self._known: dict[str, int] = {}
        """Positions this process has seen applied: never more than what is tracked."""
        self._waiting: dict[str, int] = {}
        """Whose rows are of another version, and whether of a later one."""
        self._names = [handler.name for handler in self.handlers]
        self._pull = pull
        self._clock = clock
        self._deadlines = deadlines
        self._pause = pause
        self._slices = SLICE_EVENTS.labels(name)
        self._gaps = {context: GAPS.labels(name, context) for context in self.contexts}
        with database.transaction() as connection:
            tracking.create(connection)
            parking.create(connection)

    @property
    def consumers(self) -> frozenset[str]:
        """The names under which this subscription parks."""
        names = {self.name} | {handler.name for handler in self.handlers}
        return frozenset(names | ({CONSUMER} if self._deadlines is not None else set()))

    def deliver(self, *messages: Message) -> None:
        """Take messages in the order they came; when this returns, they may be acknowledged.

        Those of one context that continue each other are applied at once; between contexts there is
        no order. One that cannot be read is parked and what it may have carried is pulled. When
        this raises one of `WAITING`, the messages are no longer needed either: the contexts they
        speak of have to be caught up with later.
        """
        joined: dict[str, Slice] = {}
        for message in messages:
            received = self._read(message)
            if received is None:
                continue
            before = joined.get(received.context)
            longer = before and before.followed_by(received)
            if before and (not longer or len(longer.facts) > _MOST):
                self.receive(before)
                longer = None
            joined[received.context] = longer or received
        for each in joined.values():
            self.receive(each)

    def _read(self, message: Message) -> Slice | None:
        headers, body = message
        try:
            context, last = str(headers["context"]), int(headers["last"])
            if last <= self._known.get(context, 0):
                return None
            received = decode(body, self.topics)
            if (received.context, received.last) != (context, last):
                raise CorruptSlice(f"headers speak of {context} up to {last}")
        except (CorruptSlice, KeyError, TypeError, ValueError) as error:
            self._park_message(body, error)
            self.catch_up()
            return None
        return received

    def receive(self, received: Slice) -> None:
        """Apply a slice after whatever is missing before it."""
        if received.context not in self.contexts:
            return
        position = self._known.get(received.context, 0)
        if position + 1 < received.first:
            position = self.position(received.context)
        try:
            self._continue(received, position)
        except _Behind:
            self._continue(received, self.position(received.context))

    def _continue(self, received: Slice, position: int) -> None:
        if position + 1 < received.first:
            self._gaps[received.context].inc()
        while position + 1 < received.first:
            if not self._pull_after(received.context, position, received.first - 1):
                raise CorruptLog(f"{received.context} lacks {position + 1} to {received.first - 1}")
            position = self.position(received.context)
        if received.last > position:
            self._apply(received)

    def catch_up(self, contexts: Iterable[str] | None = None) -> int:
        """Pull contexts to their tips; to be called on start and after any reconnect.

        Args:
            contexts: which; None means all.

        Returns:
            How many facts were applied.
        """
        applied = 0
        for context in sorted(self.contexts if contexts is None else contexts):
            while pulled := self._pull_after(context, self.position(context)):
                applied += pulled
                self._pause(0)
        return applied

    def position(self, context: str) -> int:
        """Return the position up to which every handler has applied a context.

        Handlers of another version than their rows do not count.
        """
        with self.database.read() as connection:
            reached = tracking.positions(connection)
        listening = self._listening(context, reached)
        if not listening:
            return _EVERYTHING
        known = min(reached.get((h.name, context), 0) for h in listening)
        self._known[context] = known
        return known

    def outdated(self) -> list[str]:
        """Return the read models whose rows an earlier version made: they have to be made anew."""
        with self.database.read() as connection:
            reached = tracking.positions(connection)
        return [h.name for h in self.handlers if _compared(h, reached) < 0]

    def retry(self, consumer: str, lane: str) -> int:
        """Apply a lane's letters again, in order, up to the first that fails again.

        Returns:
            How many were applied.
        """
        applied = 0
        while (letter := self._head(consumer, lane)) is not None and self._retry(letter):
            applied += 1
        return applied

    def skip(self, consumer: str, lane: str, reason: str) -> int:
        """Set a lane's first letter aside for good and apply those behind it.

        Returns:
            How many followers were applied.

        Raises:
            ValueError: the reason is empty.
        """
        if not reason.strip():
            raise ValueError("skipping needs a reason")
        with self._alone() as connection:
            letter = parking.head(connection, consumer, lane)
            if letter is not None:
                parking.skip(connection, letter, reason.strip(), self._clock.now())
        return self.retry(consumer, lane)

    @contextmanager
    def _alone(self, *, durable: bool = True) -> Iterator[Connection]:
        """Open a transaction in which nobody else applies facts for this subscription.

        Another process of the service may want to at the same moment, e.g. a standby that catches
        up; what is folded builds on the positions that are read then.
        """
        with self.database.transaction(durable=durable, holding=self.name) as connection:
            yield connection

    def _listening(self, context: str, reached: Mapping[tuple[str, str], int]) -> list[Handler]:
        """Return the handlers of a context whose rows are theirs to change; the others wait."""
        found = []
        for handler in self.handlers:
            rows = _compared(handler, reached)
            if rows != self._waiting.get(handler.name, 0):
                self._waiting[handler.name] = rows
                if rows:
                    log.warning("read model waits", projection=handler.name, rule=_WAITS[rows > 0])
            if not rows and context in handler.contexts:
                found.append(handler)
        return found

    def _pull_after(self, context: str, position: int, upto: int | None = None) -> int:
        limit = MAX_EVENTS if upto is None else min(MAX_EVENTS, upto - position)
        pulled = self._pull(context, position, limit, self.topics)
        if pulled is None:
            return 0
        if (pulled.context, pulled.first) != (context, position + 1):
            raise CorruptLog(f"{context} has a gap after {position}")
        self._apply(pulled)
        return pulled.last - position

    def _apply(self, received: Slice) -> None:
        """Apply a slice in one transaction; when that keeps failing, park what fails."""
        for pause in (*_PAUSES, None):
            try:
                with self._alone(durable=bool(received.facts)) as connection:
                    self._apply_whole(connection, received)
            except (*OUTAGE, _Behind):
                raise
            except Exception as error:  # noqa: BLE001 - parked below when it stays
                if pause is None or is_final(error):
                    break
                log.warning(
                    "slice failed, trying again",
                    subscription=self.name,
                    context=received.context,
                    first=received.first,
                    error=describe(error),
                )
                self._pause(pause)
            else:
                self._remember(received)
                return
        with self._alone() as connection:
            parked = self._apply_singly(connection, received)
        self._remember(received)
        for consumer, lanes in Counter(lane.partition(": ")[0] for lane in parked).items():
            log.error(
                "lanes parked",
                subscription=self.name,
                consumer=consumer,
                context=received.context,
                first=received.first,
                lanes=lanes,
            )

    def _remember(self, applied: Slice) -> None:
        """Note that every handler is past a slice that continued what was known."""
        self._slices.observe(applied.last - applied.first + 1)
        known = self._known.get(applied.context, 0)
        if applied.first <= known + 1:
            self._known[applied.context] = max(known, applied.last)

    def _apply_whole(self, connection: Connection, received: Slice) -> None:
        held, reached = parking.standing(connection, self._names)
        fresh = self._fresh(connection, received, reached)
        for handler, facts in fresh:
            lanes = held[handler.name]
            ready = [f for f in facts if not lanes or self._let_by(connection, handler, f, lanes)]
            if ready:
                handler.apply(connection, ready, lanes)
        self._advance(connection, fresh, received)

    def _apply_singly(self, connection: Connection, received: Slice) -> list[str]:
        parked: list[str] = []
        held, reached = parking.standing(connection, self._names)
        fresh = self._fresh(connection, received, reached)
        for handler, facts in fresh:
            lanes = held[handler.name]
            for fact in facts:
                for lane in _lanes(handler, fact, lanes):
                    failure = _BEHIND
                    if lane not in lanes:
                        failure = self._attempt(connection, handler, fact, lane)
                    if failure:
                        self._park(connection, handler.name, fact, lane, failure)
                        lanes.add(lane)
                        parked.append(f"{handler.name}: {lane}")
        self._advance(connection, fresh, received)
        return list(dict.fromkeys(parked))

    @staticmethod
    def _advance(
        connection: Connection, fresh: Sequence[tuple[Handler, Sequence[Fact]]], received: Slice
    ) -> None:
        names = [handler.name for handler, _ in fresh]
        tracking.advance_all(connection, names, received.context, received.last)

    def _fresh(
        self, connection: Connection, received: Slice, reached: Mapping[tuple[str, str], int]
    ) -> list[tuple[Handler, Sequence[Fact]]]:
        """Return the handlers that continue with this slice, each with the facts new to it."""
        fresh: list[tuple[Handler, Sequence[Fact]]] = []
        for handler in self._listening(received.context, reached):
            position = reached.get((handler.name, received.context), 0)
            if handler.version is not None and (handler.name, tracking.VERSION) not in reached:
                tracking.advance(connection, handler.name, tracking.VERSION, handler.version)
            if position + 1 < received.first:
                raise _Behind
            if position < received.last:
                facts = [fact for fact in received.facts if fact.position > position]
                fresh.append((handler, facts))
        return fresh

    def _let_by(
        self, connection: Connection, handler: Handler, fact: Fact, held: AbstractSet[str]
    ) -> bool:
        """Park the fact in the lanes that are held; say whether others may remain."""
        waiting = [lane for lane in _lanes(handler, fact, held) if lane in held]
        for lane in waiting:
            self._park(connection, handler.name, fact, lane, _BEHIND)
        return _stream_lane(fact) not in waiting

    def _attempt(self, connection: Connection, handler: Handler, fact: Fact, lane: str) -> str:
        """Apply one fact in one lane; return what went wrong, or nothing."""
        try:
            with self.database.part():
                handler.apply_lane(connection, fact, lane)
        except OUTAGE:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, only this lane may wait
            return describe(error)
        return ""

    def _park(
        self, connection: Connection, consumer: str, fact: Fact, lane: str, error: str
    ) -> None:
        parking.park(
            connection,
            consumer=consumer,
            lane=lane,
            kind=parking.Kind.FACT,
            error=error,
            at=self._clock.now(),
            place=(fact.context, fact.position),
        )

    def _park_message(self, body: bytes, error: Exception) -> None:
        log.error("message parked", subscription=self.name, error=describe(error))
        with self.database.transaction() as connection:
            parking.park(
                connection,
                consumer=self.name,
                lane="messages",
                kind=parking.Kind.MESSAGE,
                error=describe(error),
                at=self._clock.now(),
                body=body,
            )

    def _head(self, consumer: str, lane: str) -> parking.Letter | None:
        with self.database.read() as connection:
            return parking.head(connection, consumer, lane)

    def _retry(self, letter: parking.Letter) -> bool:
        fact = self._read_again(letter)
        with self._alone() as connection:
            if parking.head(connection, letter.consumer, letter.lane) != letter:
                return True
            try:
                with self.database.part():
                    self._redo(connection, letter, fact)
            except OUTAGE:
                raise
            except Exception as error:  # noqa: BLE001 - it stays parked, with the newer reason
                parking.blame(connection, letter, describe(error))
                return False
            parking.remove(connection, letter)
            return True

    def _read_again(self, letter: parking.Letter) -> Fact | None:
        if letter.context is None or letter.position is None:
            return None
        pulled = self._pull(letter.context, letter.position - 1, 1, self.topics)
        if pulled is None or not pulled.facts:
            raise CorruptLog(f"{letter.context} lacks {letter.position}")
        return pulled.facts[0]

    def _redo(self, connection: Connection, letter: parking.Letter, fact: Fact | None) -> None:
        if fact is None:
            if letter.kind is parking.Kind.DEADLINE and self._deadlines is not None:
                self._deadlines.redo(letter)
            else:
                decode(letter.body or b"", ())
            return
        handler = next(h for h in self.handlers if h.name == letter.consumer)
        if letter.lane != _stream_lane(fact):
            handler.apply_lane(connection, fact, letter.lane)
            return
        lanes, _ = parking.standing(connection, [handler.name])
        held = lanes[handler.name] - {letter.lane}
        if self._let_by(connection, handler, fact, held):
            handler.apply(connection, [fact], held)


_BEHIND = "behind an earlier letter"
_MOST = 1024
"""Facts of several messages that are applied at once."""


_EVERYTHING = 2**62
"""Where nobody listens to a context just now, nothing of it is missing."""
_WAITS = ("its rows have to be made anew", "a newer release has made its rows")


def _compared(handler: Handler, reached: Mapping[tuple[str, str], int]) -> int:
    """Return how far a handler's rows are ahead of its version; 0 where they are its own."""
    if handler.version is None:
        return 0
    return reached.get((handler.name, tracking.VERSION), handler.version) - handler.version


def _stream_lane(fact: Fact) -> str:
    return f"stream:{fact.stream_id}"


def _lanes(handler: Handler, fact: Fact, held: AbstractSet[str]) -> list[str]:
    """Return the fact's lanes; its whole stream is one when it is held or lanes cannot be told."""
    stream = _stream_lane(fact)
    if stream in held:
        return [stream]
    try:
        return handler.lanes(fact)
    except Exception:  # noqa: BLE001 - the fact fails again when it is applied, and is parked there
        return [stream]
