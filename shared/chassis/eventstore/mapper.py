"""Facts to stored bytes and back: the envelope, the payload, and the sealed personal part."""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, cast

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eventsourcing.persistence import JSONTranscoder, Mapper, Notification, StoredEvent

from shared.chassis.eventstore.vault import ERASED, Erased, SealBroken, Vault, seal, unseal
from shared.chassis.shapes.errors import BrokenRule
from shared.events.base import Event, Recorded, read_event

__all__ = ["CorruptLog", "FactMapper", "RawFact"]

T = TypeVar("T")
State = dict[str, Any]


class CorruptLog(Exception):
    """Stored bytes that cannot be read back as the fact they were."""


class RawFact(NamedTuple):
    """A fact as it was stored, for those who pass it on and need not know its event class.

    The fields are those of `Recorded`, but for topic and payload, which are not upcast, and for the
    moments, which are ISO 8601 texts.
    """

    context: str
    position: int
    stream_id: str
    version: int
    topic: str
    data: dict[str, Any]
    """The payload with its personal fields, or without them where `erased`."""
    occurred_at: str
    recorded_at: str
    actor: str
    command_id: str
    correlation_id: str
    causation_id: str | None = None
    import_id: str | None = None
    rule: str | None = None
    erased: bool = False


class FactMapper(Mapper[str]):
    """Maps `Recorded` facts to `StoredEvent`s and back.

    The state is one JSON object: the envelope's fields, `data` (the payload without personal
    fields) and, where the fact has personal data, `subject` and `sealed` (base64 of nonce and
    AES-GCM ciphertext, bound to context, stream and version).
    """

    def __init__(self, context: str, vault: Vault) -> None:
        super().__init__(transcoder=JSONTranscoder())
        self.context = context
        self.vault = vault

    def stored(
        self, facts: Sequence[Recorded[Event]], *, trusting: bool = False
    ) -> tuple[list[StoredEvent], dict[str, bytes]]:
        """Return the bytes to store, and the wrapped keys of people met for the first time.

        Args:
            facts: their positions are not known yet.
            trusting: take those whose stream begins here to be met for the first time.

        Raises:
            PersonIsErased: a fact has personal data of somebody whose key is destroyed.
        """
        people = {_subject(fact) for fact in facts if _is_personal(fact.event)}
        if trusting:
            people -= {fact.stream_id for fact in facts if fact.version == 1}
        keys = self.vault.keys(people)
        new_keys: dict[str, bytes] = {}
        return [self.to_stored_event(fact, keys, new_keys) for fact in facts], new_keys

    def to_stored_event(  # type: ignore[override]
        self,
        domain_event: Recorded[Event],
        keys: dict[str, AESGCM | Erased],
        new_keys: dict[str, bytes],
    ) -> StoredEvent:
        """Return the bytes of one fact.

        Args:
            domain_event: the fact, its position not yet known.
            keys: of the people who have or had one; those met for the first time join them.
            new_keys: receives the wrapped keys of those, to be stored with the fact.
        """
        fact, event = domain_event, domain_event.event
        data: dict[str, Any] = event.model_dump(mode="json", exclude_none=True)
        state: dict[str, Any] = {
            "occurred_at": fact.occurred_at,
            "recorded_at": fact.recorded_at,
            "actor": fact.actor,
            "command_id": fact.command_id,
            "correlation_id": fact.correlation_id,
        }
        if fact.causation_id:
            state["causation_id"] = fact.causation_id
        if fact.import_id:
            state["import_id"] = fact.import_id
        if fact.rule:
            state["rule"] = fact.rule
        personal = {name: data.pop(name) for name in event.personal_fields if name in data}
        if personal:
            subject = _subject(fact)
            if subject not in keys:
                keys[subject], new_keys[subject] = self.vault.new()
            key = keys[subject]
            if not isinstance(key, AESGCM):
                raise PersonIsErased(subject)
            sealed = seal(key, orjson.dumps(personal), self._place(fact.stream_id, fact.version))
            state["subject"] = subject
            state["sealed"] = base64.b64encode(sealed).decode()
        state["data"] = data
        return StoredEvent(fact.stream_id, fact.version, event.topic, orjson.dumps(state))

    def to_domain_event(self, stored_event: StoredEvent) -> Recorded[Event]:  # type: ignore[override]
        """Return one fact; see `facts`."""
        return self.facts([stored_event])[0]

    def facts(self, stored_events: Sequence[StoredEvent]) -> list[Recorded[Event]]:
        """Return the facts as they read today: upcast, unsealed or redacted.

        Raises:
            CorruptLog: the bytes are not what was stored.
            UnknownTopic: this release does not know a topic.
        """
        return self._opened(stored_events, self._fact)

    def raw(self, stored_events: Sequence[StoredEvent]) -> list[RawFact]:
        """Return the facts as they were stored, whether or not this release knows their topics.

        Raises:
            CorruptLog: the bytes are not what was stored.
        """
        return self._opened(stored_events, self._raw)

    def recorded_at(self, stored: StoredEvent) -> datetime:
        """Return when a fact was recorded, whether or not this release can read it."""
        return datetime.fromisoformat(self._state(stored)["recorded_at"])

    def _state(self, stored: StoredEvent) -> dict[str, Any]:
        try:
            state = orjson.loads(stored.state)
        except ValueError as error:
            raise self._corrupt(stored, error) from error
        if not isinstance(state, dict) or not isinstance(state.get("data"), dict):
            raise self._corrupt(stored, TypeError())
        return state

    def _opened(
        self, stored_events: Sequence[StoredEvent], made: Callable[[StoredEvent, State, bool], T]
    ) -> list[T]:
        """Make something of each: of its bytes, its opened state, and whether it is redacted."""
        states = [self._state(stored) for stored in stored_events]
        try:
            keys = self.vault.keys({s["subject"] for s in states if "sealed" in s})
        except SealBroken as error:
            raise CorruptLog(f"{self.context} log: {error}") from error
        opened = []
        for stored, state in zip(stored_events, states, strict=True):
            try:
                opened.append(made(stored, state, self._unseal(stored, state, keys)))
            except (ValueError, KeyError, TypeError, SealBroken) as error:
                raise self._corrupt(stored, error) from error
        return opened

    def _unseal(self, stored: StoredEvent, state: State, keys: Mapping[str, Any]) -> bool:
        """Put the personal fields back into the payload; say whether they are gone."""
        sealed = state.get("sealed")
        if not sealed:
            return False
        key = keys.get(state["subject"])
        if key is ERASED:
            return True
        if not isinstance(key, AESGCM):
            raise SealBroken(f"no key for the person of {stored.originator_id}")
        place = self._place(cast(str, stored.originator_id), stored.originator_version)
        state["data"].update(orjson.loads(unseal(key, base64.b64decode(sealed), place)))
        return False

    def _fact(self, stored: StoredEvent, state: State, erased: bool) -> Recorded[Event]:  # noqa: FBT001 - see `_opened`
        return Recorded(
            self.context,
            _position(stored),
            cast(str, stored.originator_id),
            stored.originator_version,
            read_event(stored.topic, state["data"]),
            datetime.fromisoformat(state["occurred_at"]),
            datetime.fromisoformat(state["recorded_at"]),
            state["actor"],
            state["command_id"],
            state["correlation_id"],
            state.get("causation_id"),
            state.get("import_id"),
            state.get("rule"),
            erased,
        )

    def _raw(self, stored: StoredEvent, state: State, erased: bool) -> RawFact:  # noqa: FBT001 - see `_opened`
        return RawFact(
            self.context,
            _position(stored),
            cast(str, stored.originator_id),
            stored.originator_version,
            stored.topic,
            state["data"],
            state["occurred_at"],
            state["recorded_at"],
            state["actor"],
            state["command_id"],
            state["correlation_id"],
            state.get("causation_id"),
            state.get("import_id"),
            state.get("rule"),
            erased,
        )

    def _corrupt(self, stored: StoredEvent, error: Exception) -> CorruptLog:
        return CorruptLog(
            f"{self.context} log, position {_position(stored)}, {stored.originator_id} version "
            f"{stored.originator_version} ({stored.topic}): {type(error).__name__}"
        )

    def _place(self, stream_id: str, version: int) -> bytes:
        return f"{self.context}/{stream_id}/{version}".encode()


def _position(stored: StoredEvent) -> int:
    return stored.id if isinstance(stored, Notification) else 0


def _is_personal(event: Event) -> bool:
    """Whether a fact says anything of a person."""
    return any(getattr(event, name) is not None for name in event.personal_fields)


def _subject(fact: Recorded[Event]) -> str:
    """Return the person a fact with personal data concerns."""
    named = fact.event.subject_field
    return (named and getattr(fact.event, named)) or fact.stream_id


class PersonIsErased(BrokenRule):
    """Nothing personal can be said any more about somebody whose key is destroyed."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"the person {subject} is erased", subject=subject)
