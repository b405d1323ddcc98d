"""Refusals: why a command or query can be turned down, each a rule a person can act on.

The API layer gives every kind one gRPC and one HTTP status (`shared/chassis/api/errors.py`).
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

__all__ = [
    "BrokenRule",
    "Conflict",
    "FieldViolation",
    "Forbidden",
    "Invalid",
    "LimitReached",
    "NotFound",
    "Refused",
    "Taken",
    "TookTooLong",
    "Unauthenticated",
    "Unavailable",
]


class Refused(Exception):
    """A request turned down whole; nothing was stored.

    Args:
        message: one sentence for a person.
        details: facts a program can use (JSON values).
    """

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    @property
    def rule(self) -> str:
        """The name of the broken rule: the class name."""
        return type(self).__name__


class FieldViolation(NamedTuple):
    """One field that does not fit: a dotted path and what is wrong with it."""

    field: str
    description: str


class Invalid(Refused):
    """The request does not have the shape or values it must have; names every field."""

    def __init__(self, violations: Sequence[FieldViolation], message: str = "") -> None:
        super().__init__(message or "; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = tuple(violations)

    @classmethod
    def one(cls, field: str, description: str) -> "Invalid":
        """Return the refusal of a single field."""
        return cls([FieldViolation(field, description)])


class NotFound(Refused):
    """There is no such thing."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"there is no {kind} {id}", kind=kind, id=id)


class Taken(Refused):
    """A value that must be unique belongs to something else; names the holder."""

    def __init__(self, message: str, *, holder: str, **details: Any) -> None:
        super().__init__(message, holder=holder, **details)
        self.holder = holder


class BrokenRule(Refused):
    """A business rule forbids it. Subclasses are the rules, named as sentences."""

    sentence: ClassVar[str] = ""
    """The rule in words, used as message when none is given."""

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message or self.sentence or type(self).__doc__ or self.rule, **details)


class LimitReached(BrokenRule):
    """A quota or limit is used up; maps to RESOURCE_EXHAUSTED."""


class Conflict(Refused):
    """The record has moved on since the caller read it; names the current version."""

    def __init__(self, message: str, *, current_version: int) -> None:
        super().__init__(message, current_version=current_version)
        self.current_version = current_version


class Unauthenticated(Refused):
    """Nobody, or nobody provable, is asking."""


class Forbidden(Refused):
    """The caller lacks the right; names it."""

    def __init__(self, right: str) -> None:
        super().__init__(f"this needs the right {right}", right=right)


class Unavailable(Refused):
    """Not now: the caller may try again."""


class TookTooLong(Refused):
    """The time an answer may take is over; asking for less may help."""
