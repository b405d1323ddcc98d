"""The published language's grammar: events, their registry, and the envelope they travel in.

An `Event` says what happened; a `Recorded` says where, when, by whom and why it was stored.
Only the standard library and pydantic are used here, so that any service in any release can
speak the language without the chassis.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

__all__ = [
    "PERSONAL",
    "TOPICS",
    "Event",
    "Personal",
    "Recorded",
    "Ref",
    "UnknownTopic",
    "event_class",
    "event_id",
    "reference",
    "refs_of",
    "topics_of",
    "upcaster",
]

T = TypeVar("T")
E = TypeVar("E", bound="Event", covariant=True)


class _PersonalMark:
    """Marks a field as personal data of the event's data subject."""

    def __repr__(self) -> str:
        return "PERSONAL"


PERSONAL = _PersonalMark()

Personal = Annotated[T | None, PERSONAL]
"""Personal data: encrypted at rest with the subject's key, `None` once the person is erased."""


class Ref(NamedTuple):
    """Says that a text field holds the id of an entity of this kind (`lead`, `account`, …)."""

    kind: str


def reference(kind: str) -> Any:
    """Return the annotated text type of an id of `kind`.

    >>> LeadId = reference("lead")
    """
    return Annotated[str, Ref(kind), StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]


class UnknownTopic(LookupError):
    """A stored or received topic that this release does not know."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"unknown event topic {topic!r}")
        self.topic = topic


class Event(BaseModel):
    """A business fact: a frozen value without ids of its own and without a clock.

    Subclasses give their `topic` (`<context>.<Name>.v<version>`), the name under which the fact is
    stored, published and catalogued. A fact with `Personal` fields concerns one person: the one its
    stream is about, or the one whose id stands in the payload field named by `subject`, if it does.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    subject_field: ClassVar[str | None]
    personal_fields: ClassVar[frozenset[str]]
    absent_as_none: ClassVar[tuple[str, ...]]
    """Required fields that may be None: empty values are not stored."""
    references: ClassVar[tuple[tuple[str, str], ...]]
    """Payload fields that hold ids, with the kind of entity each refers to."""

    def __init_subclass__(
        cls, *, topic: str = "", subject: str | None = None, **kwargs: Any
    ) -> None:
        """Accept the class arguments; `__pydantic_init_subclass__` acts on them."""
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, topic: str = "", subject: str | None = None, **kwargs: Any
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not topic:
            return
        if topic in TOPICS and TOPICS[topic].__qualname__ != cls.__qualname__:
            raise TypeError(f"topic {topic} is already {TOPICS[topic].__qualname__}")
        fields = cls.model_fields
        if subject is not None and subject not in fields:
            raise TypeError(f"{cls.__name__} has no field {subject!r} to name its data subject")
        cls.topic = topic
        cls.subject_field = subject
        cls.personal_fields = frozenset(
            name for name, field in fields.items() if PERSONAL in field.metadata
        )
        cls.absent_as_none = tuple(
            name
            for name, field in fields.items()
            if field.is_required() and type(None) in get_args(field.annotation)
        )
        cls.references = tuple(
            (name, ref.kind) for name, field in fields.items() for ref in refs_of(field)
        )
        TOPICS[topic] = cls

    @classmethod
    def context(cls) -> str:
        """Return the bounded context that owns this fact, e.g. `leads`."""
        return cls.topic.partition(".")[0]


TOPICS: dict[str, type[Event]] = {}
"""Every topic this release can read in its current version."""

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""From a stored payload to that of the next version."""

_UPCASTERS: dict[str, tuple[str, Upcast]] = {}


def refs_of(field: Any) -> list[Ref]:
    """Return the kind of entity whose ids a model's field holds, if it does."""
    found = [mark for mark in field.metadata if isinstance(mark, Ref)]
    pending = [field.annotation]
    while pending:
        annotation = pending.pop()
        found += [m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Ref)]
        pending += [a for a in getattr(annotation, "__args__", ()) if a is not annotation]
    return found[:1]


def upcaster(old: str, new: type[Event]) -> Callable[[Upcast], Upcast]:
    """Register a function that turns the stored payload of topic `old` into that of `new`.

    Upcasters run on the stored dictionary before validation and may be chained: the next version's
    upcaster starts where this one ends.
    """

    def register(function: Upcast) -> Upcast:
        _UPCASTERS[old] = (new.topic, function)
        return function

    return register


def event_class(topic: str) -> type[Event]:
    """Return the event class that reads `topic` today; raise `UnknownTopic` when none does."""
    current = topic
    while current in _UPCASTERS:
        current = _UPCASTERS[current][0]
    try:
        return TOPICS[current]
    except KeyError:
        raise UnknownTopic(topic) from None


def topics_of(events: Iterable[type[Event]]) -> frozenset[str]:
    """Return the topics, of today and of earlier versions, whose facts read as one of `events`."""
    found = {event.topic for event in events}
    while older := {old for old, (new, _) in _UPCASTERS.items() if new in found} - found:
        found |= older
    return frozenset(found)


def read_event(topic: str, data: Mapping[str, Any]) -> Event:
    """Return the event stored under `topic` with payload `data`, upcast to today's version.

    Raises:
        UnknownTopic: no class reads this topic.
        pydantic.ValidationError: the payload does not fit the class.
    """
    if topic in _UPCASTERS:
        data = dict(data)
        while topic in _UPCASTERS:
            topic, upcast = _UPCASTERS[topic]
            data = upcast(data)
    try:
        cls = TOPICS[topic]
    except KeyError:
        raise UnknownTopic(topic) from None
    for name in cls.absent_as_none:
        data.setdefault(name, None)  # type: ignore[attr-defined]
    return cls.__pydantic_validator__.validate_python(data)  # type: ignore[no-any-return]


class Recorded(NamedTuple, Generic[E]):
    """A stored fact with everything its payload does not say."""

    context: str
    position: int
    """Place in the context's log, gapless from 1."""
    stream_id: str
    version: int
    """Place in its stream, from 1."""
    event: E
    occurred_at: datetime
    """When it happened in business (aware, UTC)."""
    recorded_at: datetime
    """When the system learned it (aware, UTC)."""
    actor: str
    """Employee id, or `system:<policy>`."""
    command_id: str
    correlation_id: str
    causation_id: str | None = None
    import_id: str | None = None
    rule: str | None = None
    """Id and version of the rule that decided, for automatic changes: `leads.duplicates@3`."""
    erased: bool = False
    """True when the person's key is destroyed and the personal fields read as None."""

    @property
    def topic(self) -> str:
        """The event's catalogue name."""
        return self.event.topic

    @property
    def event_id(self) -> str:
        """A UUID that is the same wherever this fact is read."""
        return event_id(self.context, self.stream_id, self.version)


_EVENT_NAMESPACE = UUID("c1d3a7a2-6f0e-5c8e-9a53-0f6f2b1e4d70").bytes


def event_id(context: str, stream_id: str, version: int) -> str:
    """Return the UUID (version 5, RFC 9562 section 5.5) of the fact at this place."""
    name = f"{context}/{stream_id}/{version}".encode()
    digest = hashlib.sha1(_EVENT_NAMESPACE + name, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
