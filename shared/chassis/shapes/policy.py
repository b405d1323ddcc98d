"""Policies: "whenever X, then Y", as pure functions from a recorded fact to reactions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.chassis.shapes.command import Command
from shared.chassis.shapes.ids import derived_id
from shared.events.base import Event, Recorded

__all__ = ["Cancel", "Later", "Policy", "Reaction", "derived", "whenever"]


@dataclass(frozen=True, slots=True)
class Later:
    """Issue `command` at the business moment `at` unless `key` is cancelled or set anew before."""

    at: datetime
    command: Command
    key: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Forget the deadline `key`, if there is one."""

    key: str


Reaction = Command | Later | Cancel


@dataclass(frozen=True, slots=True)
class Policy:
    """A named reaction with the event classes it waits for."""

    name: str
    events: tuple[type[Event], ...]
    react: Callable[[Recorded[Any]], Sequence[Reaction]]
    version: int = 1
    """Raised when it decides differently: what it does names the version that decided."""

    @property
    def contexts(self) -> frozenset[str]:
        """The contexts whose logs this policy reads."""
        return frozenset(event.context() for event in self.events)

    def __call__(self, recorded: Recorded[Any]) -> Sequence[Reaction]:
        """React to one fact; facts of other classes give no reaction."""
        return self.react(recorded) if isinstance(recorded.event, self.events) else ()


def whenever(
    *events: type[Event],
    version: int = 1,
) -> Callable[[Callable[[Recorded[Any]], Sequence[Reaction]]], Policy]:
    """Make a policy, named after the function, that reacts to these event classes."""

    def make(react: Callable[[Recorded[Any]], Sequence[Reaction]]) -> Policy:
        return Policy(react.__name__, events, react, version)

    return make


def derived(recorded: Recorded[Any], name: str) -> str:
    """Return the id of what a reaction to this fact creates; the same on redelivery."""
    return derived_id(recorded.occurred_at, recorded.event_id, name)
