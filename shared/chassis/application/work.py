"""One decision's view of the streams, and what it wants to record."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from shared.chassis.eventstore import Claim, EventLog
from shared.chassis.shapes.aggregate import Aggregate
from shared.chassis.shapes.command import Envelope
from shared.chassis.shapes.errors import NotFound, Taken
from shared.events.base import Event, Recorded

__all__ = ["StateCache", "Work"]

A = TypeVar("A", bound=Aggregate)

_UNKNOWN = -1


class StateCache:
    """Folded states by stream, so that a stream's old facts are read once per process."""

    SIZE = 1024

    def __init__(self) -> None:
        self._states: dict[str, dict[type[Any], tuple[int, Any]]] = {}

    def __contains__(self, stream_id: str) -> bool:
        return stream_id in self._states

    def get(self, kind: type[Any], stream_id: str) -> tuple[int, Any] | None:
        """Return (version, state), (0, None) of a stream that did not exist; None if not kept."""
        return self._states.get(stream_id, {}).get(kind)

    def put(self, kind: type[Any], stream_id: str, version: int, state: Any) -> None:
        """Keep a state; the oldest make room."""
        if stream_id not in self._states and len(self._states) >= self.SIZE:
            for old in list(self._states)[: self.SIZE // 8]:
                self._states.pop(old, None)
        self._states.setdefault(stream_id, {})[kind] = (version, state)


@dataclass(slots=True)
class _Stream:
    version: int = _UNKNOWN
    states: dict[type[Any], Any] = field(default_factory=dict)
    pending: list[Event] = field(default_factory=list)
    inherited: int = 0
    """How many of the pending events earlier members of the batch recorded."""
    asked: bool = False
    """Whether a decision looked at it, so that a conflict means "decide again"."""


class Work:
    """What one command reads and records; nothing is stored before the application commits it.

    Args:
        log: the context's log.
        cache: folded states of earlier loads.
        envelope: who, when and why.
        parent: the batch this command is part of; its pending facts are visible here.
        trusting: take streams to be as they were last seen, without looking. What is taken so is
            checked when it is stored (`reads`, `unproved`); a refusal proves nothing.
    """

    def __init__(
        self,
        log: EventLog,
        cache: StateCache,
        envelope: Envelope,
        parent: "Work | None" = None,
        *,
        trusting: bool = False,
    ) -> None:
        self.log = log
        self.envelope = envelope
        self.facts: list[Recorded[Event]] = []
        self._cache = cache
        self._parent = parent
        self._streams: dict[str, _Stream] = {}
        self._blind: set[str] = set()
        self._held: dict[tuple[str, str], str | None] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        self._trusting = trusting
        self._assumed: set[tuple[str, str]] = set()
        self._ahead: dict[str, Sequence[Recorded[Event]]] = {} if parent is None else parent._ahead
        self.foreseen: dict[Any, Any] = {} if parent is None else parent.foreseen
        """What `Application.foresee` worked out for the commands of a batch."""

    def read_ahead(self, stream_ids: Iterable[str]) -> None:
        """Read at once the streams that decisions will probably load, if nothing is known of them.

        What was read of a stream is how this work sees it.
        """
        new = [one for one in dict.fromkeys(stream_ids) if one not in self._cache]
        if len(new) > 1:
            self._ahead.update(self.log.streams(new))

    def find(self, kind: type[A], stream_id: str) -> A | None:
        """Return the aggregate, or None when there is none of this kind under the id."""
        stream = self._stream(stream_id)
        stream.asked = True
        if kind not in stream.states:
            stream.states[kind] = self._fold(kind, stream_id, stream)
        state: A | None = stream.states[kind]
        return state

    def load(self, kind: type[A], stream_id: str) -> A:
        """Return the aggregate; raise `NotFound` when there is none of this kind under the id."""
        state = self.find(kind, stream_id)
        if state is None:
            raise NotFound(_words(kind.__name__), stream_id)
        return state

    def record(
        self,
        stream_id: str,
        events: Sequence[Event],
        *,
        rule: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Record facts on a stream: one that was loaded, or a new one.

        Args:
            stream_id: the stream.
            events: in order; none is fine.
            rule: id and version of the rule that decided, for automatic changes.
            at: when they happened, when that is not the moment of the command.
        """
        if not events:
            return
        stream = self._stream(stream_id)
        if stream.version == _UNKNOWN:
            stream.version = 0
        envelope = self.envelope
        for number, event in enumerate(events, stream.version + len(stream.pending) + 1):
            self.facts.append(
                Recorded(
                    self.log.context,
                    0,
                    stream_id,
                    number,
                    event,
                    at or envelope.occurred_at,
                    envelope.recorded_at,
                    envelope.actor.id,
                    envelope.command_id,
                    envelope.correlation_id,
                    envelope.causation_id,
                    envelope.import_id,
                    rule or envelope.rule,
                )
            )
        stream.pending.extend(events)
        if not stream.asked:
            self._blind.add(stream_id)
        stream.states = {kind: _after(kind, state, events) for kind, state in stream.states.items()}

    def holder(self, scope: str, key: str) -> str | None:
        """Return the stream that holds a unique key, if any."""
        place = (scope, key)
        if place in self._held:
            return self._held[place]
        if self._parent is not None:
            return self._parent.holder(scope, key)
        if place not in self._found:
            self._found[place] = self.log.holder(scope, key)
        return self._found[place]

    def look_up(self, places: Iterable[tuple[str, str]]) -> None:
        """Look the holders of many keys up at once, so that asking for each costs nothing.

        Meant for keys that are probably free: a trusting work takes them to be.
        """
        if self._parent is not None:
            self._parent.look_up(places)
            return
        new = [place for place in dict.fromkeys(places) if place not in self._found]
        if self._trusting:
            self._assumed.update(new)
            self._found.update(dict.fromkeys(new))
        else:
            self._found.update(self.log.holders(new))

    def unproved(self) -> list[tuple[str, str]]:
        """Return the keys that were taken to be free and are not claimed, which would prove it."""
        return [place for place in self._assumed if self._held.get(place) is None]

    def claim(self, scope: str, key: str, stream_id: str) -> None:
        """Make `key` belong to `stream_id`; raise `Taken` naming another holder."""
        holder = self.holder(scope, key)
        if holder is not None and holder != stream_id:
            raise Taken(f"{scope} is held by {holder}", holder=holder, scope=scope)
        self._held[scope, key] = stream_id

    def release(self, scope: str, key: str) -> None:
        """Give a unique key up; one that nobody holds is fine."""
        if self.holder(scope, key) is not None:
            self._held[scope, key] = None

    def version(self, stream_id: str) -> int:
        """Return the stream's version with what is recorded here."""
        stream = self._stream(stream_id)
        stream.asked = True
        if stream.version == _UNKNOWN:
            stream.version = self.log.version(stream_id)
        return stream.version + len(stream.pending)

    def loaded_version(self, stream_id: str) -> int:
        """Return the version the stream had before this work."""
        stream = self._stream(stream_id)
        if stream.version == _UNKNOWN or stream_id in self._blind:
            return self.log.version(stream_id) + stream.inherited
        return stream.version + stream.inherited

    def created_blindly(self) -> frozenset[str]:
        """Return the streams recorded as new though no decision looked whether they exist."""
        return frozenset(self._blind)

    def taken_before(self) -> set[str]:
        """Return those of them that exist already, as earlier members of the batch saw or made."""
        above = self._parent._streams if self._parent is not None else {}
        return {
            one
            for one in self._blind
            if one in above and (above[one].pending or above[one].version > 0)
        }

    def reads(self) -> dict[str, int]:
        """Return the version of each stream that was looked at and not written."""
        return {
            stream_id: stream.version
            for stream_id, stream in self._streams.items()
            if stream.version != _UNKNOWN and not stream.pending
        }

    def claims(self) -> tuple[list[Claim], list[Claim]]:
        """Return the net claims to take and to release, against what the log holds."""
        take, give = [], []
        for (scope, key), holder in self._held.items():
            before = self._found[scope, key]
            if before == holder:
                continue
            if before is not None:
                give.append(Claim(scope, key, before))
            if holder is not None:
                take.append(Claim(scope, key, holder))
        return take, give

    def keep(self) -> None:
        """Remember the streams as they are now that this work is stored."""
        if self.log.in_doubt:
            return
        for stream_id, stream in self._streams.items():
            for kind, state in stream.states.items():
                version = stream.version + len(stream.pending)
                self._cache.put(kind, stream_id, version, state)

    def absorb(self, child: "Work") -> None:
        """Take over what a member of this batch recorded."""
        self.facts.extend(child.facts)
        self._held.update(child._held)
        self._streams.update(child._streams)

    def _stream(self, stream_id: str) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is None:
            above = self._parent._streams.get(stream_id) if self._parent is not None else None
            if above is None:
                stream = _Stream()
            else:
                stream = _Stream(
                    above.version, dict(above.states), list(above.pending), len(above.pending)
                )
            self._streams[stream_id] = stream
        return stream

    def _fold(self, kind: type[A], stream_id: str, stream: _Stream) -> A | None:
        kept = self._cache.get(kind, stream_id)
        upto = stream.version
        if kept is not None and self._trusting and upto in {_UNKNOWN, kept[0]}:
            stream.version = kept[0]
            return cast(A | None, _after(kind, kept[1], stream.pending))
        version, state = kept or (0, None)
        if upto != _UNKNOWN and version > upto:
            version, state = 0, None
        facts = None if version else self._ahead.get(stream_id)
        for fact in self.log.stream(stream_id, version) if facts is None else facts:
            if upto != _UNKNOWN and fact.version > upto:
                break  # one work sees one version of a stream, whatever others add meanwhile
            state = kind.evolve(state, fact.event)
            version = fact.version
        if not self.log.in_doubt:
            self._cache.put(kind, stream_id, version, state)
        stream.version = version
        found: A | None = _after(kind, state, stream.pending)
        return found


def _after(kind: type[Any], state: Any, events: Sequence[Event]) -> Any:
    for event in events:
        state = kind.evolve(state, event)
    return state


def _words(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()
