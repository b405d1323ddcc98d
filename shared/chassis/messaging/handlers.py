"""What is done with facts that arrive: rows are folded, policies react."""

from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from sqlalchemy import Connection

from shared.chassis.clock import Clock
from shared.chassis.messaging.deadlines import POLICIES, Deadlines, Decider, Plan
from shared.chassis.shapes import (
    Actor,
    Answer,
    Command,
    Envelope,
    Key,
    Policy,
    Projection,
    Refused,
    derived_id,
)
from shared.events.base import Event, Recorded

__all__ = ["Bulk", "Folder", "Handler", "PoliciesHandler", "ViewsHandler"]

Fact = Recorded[Any]


class Handler(Protocol):
    """One consumer of facts, with a tracked position of its own per context.

    A fact falls into lanes: what must be applied in order and, when it fails, waits in order.
    """

    name: str
    contexts: frozenset[str]
    topics: frozenset[str]
    version: int | None
    """Of the read model, whose rows only this version may make."""

    def lanes(self, fact: Fact) -> list[str]:
        """Return the lanes of a fact; none when it is of no concern."""
        ...

    def apply(self, connection: Connection, facts: Sequence[Fact], held: AbstractSet[str]) -> None:
        """Apply facts in order, in the caller's transaction, in every lane that is not held."""
        ...

    def apply_lane(self, connection: Connection, fact: Fact, lane: str) -> None:
        """Apply one fact in one lane."""
        ...


class Folder(Protocol):
    """What folds a batch into a read model's rows (`shared.chassis.projections.Projector`)."""

    def apply(
        self, connection: Connection, projection: type[Projection], batch: Sequence[Fact]
    ) -> None:
        """Fold the batch and write the changed rows; no tracking, no commit."""
        ...


class ViewsHandler:
    """Folds facts into one read model; a lane is a row.

    Args:
        projection: the read model.
        folder: the engine that folds and writes.
    """

    def __init__(self, projection: type[Projection], folder: Folder) -> None:
        self.name = projection.name
        self.contexts = projection.contexts()
        self.topics = frozenset(event.topic for event in projection.events)
        self.version: int | None = projection.version
        self._projection = projection
        self._folder = folder

    def lanes(self, fact: Fact) -> list[str]:
        """Return the keys of the rows the fact touches."""
        if not isinstance(fact.event, self._projection.events):
            return []
        return list(dict.fromkeys(map(_lane, self._projection.keys(fact))))

    def apply(self, connection: Connection, facts: Sequence[Fact], held: AbstractSet[str]) -> None:
        """Fold the facts this read model knows; rows that are held stay as they are."""
        projection = self._projection
        folds = projection.folds
        batch = [fact for fact in facts if type(fact.event) in folds]
        if not batch:
            return
        if held:
            projection = _narrowed(projection, lambda lane: lane not in held)
        self._folder.apply(connection, projection, batch)

    def apply_lane(self, connection: Connection, fact: Fact, lane: str) -> None:
        """Fold one fact into one row."""
        projection = _narrowed(self._projection, lambda other: other == lane)
        self._folder.apply(connection, projection, [fact])


class Bulk(Decider, Protocol):
    """What policies need of an application."""

    def bulk(
        self, commands: Sequence[Command], streams: Collection[str] = ()
    ) -> list[Answer | Refused]:
        """Decide issued commands in one transaction, each accepted or refused on its own."""
        ...


class PoliciesHandler:
    """Lets a service's policies react; a lane is a stream as seen by one policy.

    Commands are issued by `system:<policy>` at the business moment of the fact, with ids derived
    from context, policy, fact and place: delivering twice decides once. Their facts are appended in
    the transaction that advances the tracked position.

    Args:
        policies: the service's policies.
        application: decides their commands.
        deadlines: keeps what they plan for later.
        clock: tells when reactions are recorded.
    """

    name = POLICIES
    version: int | None = None

    def __init__(
        self, policies: Iterable[Policy], application: Bulk, deadlines: Deadlines, clock: Clock
    ) -> None:
        self._policies = {policy.name: policy for policy in policies}
        self._application = application
        self._deadlines = deadlines
        self._clock = clock
        every = self._policies.values()
        self.contexts = frozenset(context for policy in every for context in policy.contexts)
        self.topics = frozenset(event.topic for policy in every for event in policy.events)

    def lanes(self, fact: Fact) -> list[str]:
        """Return one lane per policy that waits for such a fact."""
        return [f"{policy.name}/{fact.stream_id}" for policy in self._waiting(fact.event)]

    def apply(self, connection: Connection, facts: Sequence[Fact], held: AbstractSet[str]) -> None:
        """React to the facts; raises the first refusal, for then a lane has to be parked."""
        self._react(
            connection,
            [
                (policy, fact)
                for fact in facts
                for policy in self._waiting(fact.event)
                if f"{policy.name}/{fact.stream_id}" not in held
            ],
        )

    def apply_lane(self, connection: Connection, fact: Fact, lane: str) -> None:
        """Let one policy react to one fact."""
        self._react(connection, [(self._policies[lane.partition("/")[0]], fact)])

    def _waiting(self, event: Event) -> list[Policy]:
        return [p for p in self._policies.values() if isinstance(event, p.events)]

    def _react(self, connection: Connection, occasions: Iterable[tuple[Policy, Fact]]) -> None:
        commands: list[Command] = []
        plans: list[Plan] = []
        streams: set[str] = set()
        for policy, fact in occasions:
            for place, reaction in enumerate(policy(fact)):
                if isinstance(reaction, Command):
                    commands.append(reaction.issued(self._envelope(policy, fact, place)))
                    if fact.context == self._application.log.context:
                        streams.add(fact.stream_id)
                else:
                    plans.append(Plan(policy.name, reaction, fact, self._rule(policy)))
        self._deadlines.plan(connection, plans)
        for answer in self._application.bulk(commands, streams):
            if isinstance(answer, Refused):
                raise answer

    def _envelope(self, policy: Policy, fact: Fact, place: int) -> Envelope:
        context = self._application.log.context
        return Envelope(
            command_id=derived_id(
                fact.occurred_at, "reaction", context, policy.name, fact.event_id, str(place)
            ),
            actor=Actor(id=f"system:{policy.name}", name=policy.name),
            occurred_at=fact.occurred_at,
            recorded_at=self._clock.now(),
            correlation_id=fact.correlation_id,
            causation_id=fact.event_id,
            rule=self._rule(policy),
        )

    def _rule(self, policy: Policy) -> str:
        return f"{self._application.log.context}.{policy.name}@{policy.version}"


def _lane(key: Key) -> str:
    return "/".join(map(str, key))


def _narrowed(projection: type[Projection], wanted: Callable[[str], bool]) -> type[Projection]:
    """Return the projection as if it had only the rows whose lane is wanted."""

    def keys(recorded: Fact) -> Iterable[Key]:
        return [key for key in projection.keys(recorded) if wanted(_lane(key))]

    return type(projection.__name__, (projection,), {"keys": staticmethod(keys)})
