"""Slices: how facts travel, a contiguous run of a log as one message.

The body is a CloudEvents 1.0 batch (CNCF, `cloudevents/formats/json-format.md`, section 4) whose
events stand in log order. Extension attributes carry what the envelope of a fact knows beyond the
standard: `position`, `version`, `recordedat`, `actor`, `commandid`, `correlationid`, and where they
apply `causationid`, `importid`, `rule`, `erased`.

A fact travels as it was stored: the sender needs no event class for it, and whoever receives it
upcasts it.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import orjson
from pydantic import ValidationError

from shared.chassis.eventstore import RawFact
from shared.chassis.logs import describe
from shared.events.base import Recorded, UnknownTopic, event_class, event_id, read_event

__all__ = [
    "CONTENT_TYPE",
    "MAX_BYTES",
    "MAX_EVENTS",
    "CorruptSlice",
    "Message",
    "Parcel",
    "Pull",
    "Slice",
    "cut",
    "decode",
    "is_wanted",
]

CONTENT_TYPE = "application/cloudevents-batch+json"
MAX_EVENTS = 256
"""A slice holds at most this many events."""
MAX_BYTES = 512 * 1024
"""A slice is closed before it grows past this size; one larger event travels alone."""


class CorruptSlice(Exception):
    """A message that is no slice: undecodable, or at odds with itself."""


class Slice(NamedTuple):
    """A run of a context's log as received; only the wanted facts of it are read."""

    context: str
    first: int
    last: int
    facts: Sequence[Recorded[Any]]

    def followed_by(self, other: "Slice") -> "Slice | None":
        """Return both as one, or None when the other does not begin where this one ends."""
        if (self.context, self.last + 1) != (other.context, other.first):
            return None
        return self._replace(last=other.last, facts=[*self.facts, *other.facts])


class Pull(Protocol):
    """Reads the log of any context; in one process directly, between processes by a stream."""

    def __call__(
        self, context: str, after: int, limit: int, wanted: Container[str] | None = None
    ) -> Slice | None:
        """Return what follows a position in a context's log.

        Args:
            context: whose log.
            after: the position.
            limit: at most so many facts.
            wanted: topics to read, in their current versions; others may only count.

        Returns:
            The run that begins after `after`; None at the tip.
        """
        ...


Message = tuple[Mapping[str, Any], bytes]
"""Headers and body, as they came."""


class Parcel(NamedTuple):
    """A run of a context's log ready to publish."""

    context: str
    first: int
    last: int
    body: bytes
    traceparent: str = ""
    """The span that published it (W3C Trace Context); empty while nobody follows it."""

    @property
    def headers(self) -> dict[str, str | int]:
        """What a receiver needs to know before it reads the body."""
        headers: dict[str, str | int] = {
            "context": self.context, "first": self.first, "last": self.last
        }  # fmt: skip
        if self.traceparent:
            headers["traceparent"] = self.traceparent
        return headers


def cut(facts: Iterable[RawFact]) -> Iterator[Parcel]:
    """Cut a contiguous run of one context's facts into parcels within both limits."""
    run: list[RawFact] = []
    parts: list[bytes] = []
    size = 0
    for fact in facts:
        part = _cloud_event(fact)
        if run and (len(run) == MAX_EVENTS or size + len(part) > MAX_BYTES):
            yield _parcel(run, parts)
            run, parts, size = [], [], 0
        run.append(fact)
        parts.append(part)
        size += len(part) + 1
    if run:
        yield _parcel(run, parts)


def decode(body: bytes, wanted: Container[str] | None = None) -> Slice:
    """Read a message body.

    Args:
        body: a CloudEvents batch.
        wanted: the topics to read, in their current versions; others only count. None reads all.

    Raises:
        CorruptSlice: the body is no batch, not one context's contiguous run, or a wanted fact does
            not fit its event class.
        UnknownTopic: a wanted event in a version this release does not know. That is not
            corruption: the message must wait for an upgrade.
    """
    try:
        batch = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise CorruptSlice("not JSON") from error
    if not isinstance(batch, list) or not batch:
        raise CorruptSlice("not a batch of events")
    try:
        context = _context(batch[0])
        first = int(batch[0]["position"])
        facts = []
        for expected, attributes in enumerate(batch, first):
            if attributes["position"] != expected or _context(attributes) != context:
                raise CorruptSlice(f"{context} at {expected}: the run is broken")
            if is_wanted(attributes["type"], wanted):
                facts.append(_recorded(context, attributes))
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        raise CorruptSlice(describe(error)) from error
    return Slice(context, first, first + len(batch) - 1, facts)


def is_wanted(topic: str, wanted: Container[str] | None) -> bool:
    """Whether a topic reads as one of the wanted ones today; with None every one does.

    Raises:
        UnknownTopic: it is a wanted one in a version this release does not know.
    """
    if wanted is None:
        return True
    try:
        return event_class(topic).topic in wanted
    except UnknownTopic:
        if _some_version_of(topic, wanted):
            raise
        return False


def _parcel(run: Sequence[RawFact], parts: Sequence[bytes]) -> Parcel:
    body = b"[" + b",".join(parts) + b"]"
    return Parcel(run[0].context, run[0].position, run[-1].position, body)


def _cloud_event(fact: RawFact) -> bytes:
    attributes = {
        "specversion": "1.0",
        "id": event_id(fact.context, fact.stream_id, fact.version),
        "source": f"/annals/{fact.context}",
        "type": fact.topic,
        "subject": fact.stream_id,
        "time": fact.occurred_at,
        "datacontenttype": "application/json",
        "position": fact.position,
        "version": fact.version,
        "recordedat": fact.recorded_at,
        "actor": fact.actor,
        "commandid": fact.command_id,
        "correlationid": fact.correlation_id,
    }
    if fact.causation_id is not None:
        attributes["causationid"] = fact.causation_id
    if fact.import_id is not None:
        attributes["importid"] = fact.import_id
    if fact.rule is not None:
        attributes["rule"] = fact.rule
    if fact.erased:
        attributes["erased"] = True
    attributes["data"] = fact.data
    return orjson.dumps(attributes)


def _context(attributes: Mapping[str, Any]) -> str:
    return str(attributes["source"]).removeprefix("/annals/")


def _recorded(context: str, attributes: Mapping[str, Any]) -> Recorded[Any]:
    get = attributes.get
    return Recorded(
        context,
        attributes["position"],
        attributes["subject"],
        attributes["version"],
        read_event(attributes["type"], attributes["data"]),
        datetime.fromisoformat(attributes["time"]),
        datetime.fromisoformat(attributes["recordedat"]),
        attributes["actor"],
        attributes["commandid"],
        attributes["correlationid"],
        get("causationid"),
        get("importid"),
        get("rule"),
        get("erased", False),
    )


def _some_version_of(topic: str, wanted: Container[str]) -> bool:
    name, _, version = topic.rpartition(".v")
    return version.isdigit() and any(
        f"{name}.v{older}" in wanted for older in range(1, int(version))
    )
