"""Slices: how facts travel, a contiguous run of a log as one message.

The body is a CloudEvents 1.0 batch (CNCF, `cloudevents/formats/json-format.md`, section 4) whose
events stand in log order. Extension attributes carry what the envelope of a fact knows beyond the
standard: `position`, `version`, `recordedat`, `actor`, `commandid`, `correlationid`, and where they
apply `causationid`, `importid`, `rule`, `erased`.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from shared.events.base import Event, Recorded, UnknownTopic, event_class, read_event

__all__ = [
    "CONTENT_TYPE",
    "MAX_BYTES",
    "MAX_EVENTS",
    "CorruptSlice",
    "Parcel",
    "Slice",
    "cut",
    "decode",
    "encode",
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


class Parcel(NamedTuple):
    """A run of a context's log ready to publish."""

    context: str
    first: int
    last: int
    body: bytes

    @property
    def headers(self) -> dict[str, str | int]:
        """What a receiver needs to know before it reads the body."""
        return {"context": self.context, "first": self.first, "last": self.last}


def encode(batch: Iterable[Recorded[Any]]) -> bytes:
    """Return the facts as the body of one message."""
    return _joined([_cloud_event(fact) for fact in batch])


def cut(facts: Iterable[Recorded[Any]]) -> Iterator[Parcel]:
    """Cut a contiguous run of one context's facts into parcels within both limits."""
    run: list[Recorded[Any]] = []
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
        raise CorruptSlice(f"not JSON: {error}") from error
    if not isinstance(batch, list) or not batch:
        raise CorruptSlice("not a batch of events")
    try:
        context = _context(batch[0])
        first = int(batch[0]["position"])
        facts = []
        for expected, attributes in enumerate(batch, first):
            if attributes["position"] != expected or _context(attributes) != context:
                raise CorruptSlice(f"{context} at {expected}: the run is broken")
            if _is_wanted(attributes["type"], wanted):
                facts.append(_recorded(context, attributes))
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        raise CorruptSlice(f"{type(error).__name__}: {error}") from error
    return Slice(context, first, first + len(batch) - 1, facts)


def _parcel(run: Sequence[Recorded[Any]], parts: Sequence[bytes]) -> Parcel:
    return Parcel(run[0].context, run[0].position, run[-1].position, _joined(parts))


def _joined(parts: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(parts) + b"]"


def _cloud_event(fact: Recorded[Any]) -> bytes:
    event: Event = fact.event
    attributes = {
        "specversion": "1.0",
        "id": fact.event_id,
        "source": f"/annals/{fact.context}",
        "type": event.topic,
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
    attributes["data"] = orjson.Fragment(event.__pydantic_serializer__.to_json(event))
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


def _is_wanted(topic: str, wanted: Container[str] | None) -> bool:
    if wanted is None:
        return True
    try:
        return event_class(topic).topic in wanted
    except UnknownTopic:
        if _some_version_of(topic, wanted):
            raise
        return False


def _some_version_of(topic: str, wanted: Container[str]) -> bool:
    name, _, version = topic.rpartition(".v")
    return version.isdigit() and any(
        f"{name}.v{older}" in wanted for older in range(1, int(version))
    )
