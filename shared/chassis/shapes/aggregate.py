"""Aggregates: frozen states folded from their own events."""

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from shared.events.base import Event

__all__ = ["Aggregate", "fold"]

A = TypeVar("A", bound="Aggregate")


class Aggregate(Protocol):
    """A frozen dataclass whose methods decide (`command → [event]`) and whose `evolve` folds.

    `evolve` receives None before the first event and returns the state unchanged for events that
    are not its own, so that a stream of another kind folds to None: "there is no such thing here".
    """

    @staticmethod
    def evolve(state: Any, event: Event) -> Any:
        """Return the state after `event`."""
        ...


def fold(kind: type[A], events: Iterable[Event]) -> A | None:
    """Return the state of `kind` after `events`, None when they are none of its own."""
    state: A | None = None
    for event in events:
        state = kind.evolve(state, event)
    return state
