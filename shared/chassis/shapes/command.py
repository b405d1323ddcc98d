"""Commands: what somebody wants done, validated in one place, with the envelope of who and when."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from shared.chassis.shapes.ids import derived_id

__all__ = ["Actor", "Answer", "Command", "Envelope", "Request"]

_NUL = "\0"
_NUL_SHOWN = r"\x00"
"""How `repr` shows it, and a text that spells it: a quick look before the thorough one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who is asking: an employee with roles and a unit, or the system itself."""

    id: str
    name: str = ""
    roles: frozenset[str] = frozenset()
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Everything about a command that is not its wish.

    `command_id` makes the act idempotent; `occurred_at` is business time (may lie in the past),
    `recorded_at` the clock's; `expected_version` is the version the caller saw, if it said so.
    """

    command_id: str
    actor: Actor
    occurred_at: datetime
    recorded_at: datetime
    correlation_id: str
    causation_id: str | None = None
    expected_version: int | None = None
    import_id: str | None = None
    rule: str | None = None


class Request(BaseModel):
    """A command's or query's common ground: frozen, no unknown fields, trimmed text without NUL.

    Class arguments:
        http: the route, e.g. `POST /v1/leads/{lead_id}:claim`. None keeps it off the HTTP surface
            (gRPC and policies still reach it).
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, validate_default=False
    )

    http: ClassVar[str | None] = None

    @model_validator(mode="before")
    @classmethod
    def _text_can_be_stored(cls, values: Any) -> Any:
        """Refuse the character NUL wherever it stands, since PostgreSQL stores no text with it."""
        if not isinstance(values, dict) or _NUL_SHOWN not in repr(values):
            return values
        if places := list(_paths_of_nul(values)):
            wrong = PydanticCustomError("nul", "must not contain the character NUL")
            raise ValidationError.from_exception_data(
                cls.__name__,
                [InitErrorDetails(type=wrong, loc=place, input=None) for place in places],
            )
        return values

    def __init_subclass__(cls, *, http: str | None = None, **kwargs: Any) -> None:
        """Accept the class argument; `__pydantic_init_subclass__` acts on it."""
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(cls, *, http: str | None = None, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.http = http


class Command(Request):
    """A wish in the imperative. Its envelope comes by `issued`, never in the caller's payload."""

    # A plain slot: pydantic's private attributes cost several microseconds per command.
    __slots__ = ("_envelope",)

    def issued(self, envelope: Envelope) -> Self:
        """Return this command as issued by `envelope.actor` at `envelope.occurred_at`."""
        # Frozen models may share their fields; pydantic's own copy costs several times as much.
        copy = type(self).__new__(type(self))
        object.__setattr__(copy, "__dict__", self.__dict__)
        object.__setattr__(copy, "__pydantic_fields_set__", self.__pydantic_fields_set__)
        object.__setattr__(copy, "__pydantic_extra__", None)
        object.__setattr__(copy, "__pydantic_private__", None)
        object.__setattr__(copy, "_envelope", envelope)
        return copy

    @property
    def envelope(self) -> Envelope:
        """Who, when and why; raises LookupError when the command was never issued."""
        try:
            envelope: Envelope = self._envelope  # type: ignore[attr-defined]
        except AttributeError:
            raise LookupError(f"{type(self).__name__} was not issued") from None
        return envelope

    @property
    def at(self) -> datetime:
        """The business moment of the act (aware, UTC)."""
        return self.envelope.occurred_at

    @property
    def by(self) -> Actor:
        """Who acts."""
        return self.envelope.actor

    def new_id(self, kind: str = "") -> str:
        """Return the id of the entity this act creates: time-ordered, the same on every retry."""
        return derived_id(self.at, self.envelope.command_id, kind)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an accepted command gives back."""

    id: str
    """The entity the command was about or created."""
    version: int
    """Its version now."""
    position: int
    """The context's log position to wait for before reading."""
    outcome: dict[str, str] = field(default_factory=dict)
    """Further ids or words the caller needs, e.g. the account a conversion opened."""


def _paths_of_nul(container: Any) -> Iterator[tuple[str | int, ...]]:
    """Find the paths of texts and keys that contain NUL in a dictionary or list."""
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, item in items:
        if isinstance(item, str):
            if _NUL in item:
                yield (key,)
        elif isinstance(item, (dict, list, tuple)):
            for path in _paths_of_nul(item):
                yield (key, *path)
        if isinstance(key, str) and _NUL in key:
            yield (key,)
