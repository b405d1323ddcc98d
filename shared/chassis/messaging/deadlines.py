"""Deadlines: commands that wait for their moment, kept beside the log they will be recorded in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import orjson
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    func,
    inspect,
    select,
)

from shared.chassis import tracking
from shared.chassis.clock import Clock
from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog
from shared.chassis.messaging import parking
from shared.chassis.messaging.failures import OUTAGE, describe
from shared.chassis.messaging.watch import Watch
from shared.chassis.projections.rows import rows_of
from shared.chassis.shapes import (
    Actor,
    Answer,
    Cancel,
    Command,
    Envelope,
    Instant,
    Later,
    derived_id,
)
from shared.events.base import Recorded

__all__ = ["CONSUMER", "POLICIES", "Deadlines", "Decider", "Plan", "due"]

CONSUMER = "deadlines"
"""The name under which deadlines that could not be kept are parked."""
POLICIES = "policies"
"""The consumer whose reactions set and cancel deadlines."""

_metadata = MetaData()
deadlines = Table(
    "deadlines",
    _metadata,
    Column("policy", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("command", String, nullable=False),
    Column("payload", Text, nullable=False),
    Column("correlation_id", String, nullable=False),
    Column("causation_id", String, nullable=False),
    Column("rule", String, nullable=False),
)


_FORGET = deadlines.delete().where(
    deadlines.c.policy == bindparam("of_policy"), deadlines.c.key == bindparam("of_key")
)


class Plan(NamedTuple):
    """What a policy wants done about a deadline, and the fact that made it want it."""

    policy: str
    reaction: Later | Cancel
    fact: Recorded[Any]
    rule: str
    """The policy with its context and version: `leads.recycle_idle_lead@1`."""


def due(database: Database, now: datetime) -> int:
    """Return how many deadlines in this log database have come by `now`."""
    with database.read() as connection:
        if not inspect(connection).has_table(deadlines.name):
            return 0
        query = select(func.count()).select_from(deadlines).where(deadlines.c.at <= now)
        return connection.execute(query).scalar_one()


class Decider(Protocol):
    """What deadlines and policies need of an application."""

    log: EventLog

    @classmethod
    def commands(cls) -> Mapping[str, type[Command]]:
        """Return the commands it decides, by class name."""
        ...

    def handle(self, command: Command) -> Answer:
        """Decide an issued command."""
        ...


@dataclass(frozen=True, slots=True)
class _Due:
    moment: datetime
    tip: int


class Deadlines:
    """A service's deadlines, in its log's database, unique per (policy, key).

    Args:
        application: decides the commands; its log's database keeps the deadlines.
        clock: tells what is due and when it was learnt.
    """

    BATCH = 50
    """Deadlines kept per transaction."""
    LOOK_EVERY = 0.1
    """Seconds between two looks at a database that does not tell when it changed."""

    def __init__(self, application: Decider, clock: Clock) -> None:
        self._application = application
        self._log = application.log
        self._clock = clock
        self._commands = application.commands()
        self._watch = Watch(self.database, self.LOOK_EVERY)
        self._next: datetime | None = None
        self._due: _Due | None = None
        with self.database.transaction() as connection:
            tracking.create(connection)
            parking.create(connection)
            _metadata.create_all(connection)

    @property
    def database(self) -> Database:
        """Where the deadlines stand."""
        return self._log.database

    def plan(self, connection: Connection, plans: Sequence[Plan]) -> None:
        """Set and cancel deadlines; of several plans for one policy and key the last one counts.

        Raises:
            LookupError: the application has no such command.
        """
        last = {(plan.policy, plan.reaction.key): plan for plan in plans}
        if not last:
            return
        rows = [
            (place, self._row(plan, plan.reaction) if isinstance(plan.reaction, Later) else None)
            for place, plan in last.items()
        ]
        rows_of(deadlines, connection).write(connection, rows)

    def next(self) -> datetime | None:
        """Return the earliest deadline's moment."""
        ((earliest,),) = self.database.fetch("SELECT min(at) FROM deadlines")
        return datetime.fromisoformat(earliest) if isinstance(earliest, str) else earliest

    def due(self, now: datetime) -> int:
        """Return how many deadlines have come by `now`."""
        return due(self.database, now)

    def poll(self) -> int:
        """Keep what is due; to be called every few milliseconds.

        What is found due waits until the policies have seen every fact recorded before, so that a
        fact which cancels a deadline in time does so even when its delivery is late.

        Returns:
            How many deadlines were kept or parked.
        """
        if self._watch.changed():
            self._next = self.next()
        now = self._clock.now()
        if self._next is None or self._next > now:
            self._due = None
            return 0
        if self._due is None:
            self._due = _Due(now, self._log.tip())
        if not self._policies_reached(self._due.tip):
            return 0
        kept = self.keep(self._due.moment)
        if kept < self.BATCH:
            self._due, self._next = None, self.next()
        return kept

    def keep(self, now: datetime) -> int:
        """Issue the commands due by `now`, a batch in one transaction, earliest first.

        A command that is refused or fails is parked; a failing database raises and keeps all.
        """
        with self.database.transaction() as connection:
            batch = (
                connection.execute(
                    select(deadlines)
                    .where(deadlines.c.at <= now)
                    .order_by(deadlines.c.at, deadlines.c.policy, deadlines.c.key)
                    .limit(self.BATCH)
                    .with_for_update(skip_locked=True)
                )
                .mappings()
                .all()
            )
            for row in map(dict, batch):
                connection.execute(_FORGET, {"of_policy": row["policy"], "of_key": row["key"]})
                self._keep_or_park(connection, row)
        return len(batch)

    def redo(self, letter: parking.Letter) -> None:
        """Issue the command of a parked deadline again, inside the caller's transaction."""
        if letter.body is None:
            raise LookupError(f"letter {letter.number} holds no deadline")
        row = orjson.loads(letter.body)
        self._issue({**row, "at": datetime.fromisoformat(row["at"])})

    def close(self) -> None:
        """Let go of the file that is watched."""
        self._watch.close()

    def _row(self, plan: Plan, later: Later) -> dict[str, Any]:
        name = type(later.command).__name__
        if name not in self._commands:
            raise LookupError(f"{plan.policy} sets a deadline for {name}, which nobody decides")
        return {
            "policy": plan.policy,
            "key": later.key,
            "at": later.at,
            "command": name,
            "payload": later.command.model_dump_json(),
            "correlation_id": plan.fact.correlation_id,
            "causation_id": plan.fact.event_id,
            "rule": plan.rule,
        }

    def _policies_reached(self, tip: int) -> bool:
        with self.database.read() as connection:
            reached = tracking.positions(connection)
        own = (POLICIES, self._log.context)
        return own not in reached or reached[own] >= tip

    def _keep_or_park(self, connection: Connection, row: Mapping[str, Any]) -> None:
        try:
            with self.database.part():
                self._issue(row)
        except OUTAGE:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be lost
            parking.park(
                connection,
                consumer=CONSUMER,
                lane=f"{row['policy']}/{row['key']}",
                kind=parking.Kind.DEADLINE,
                error=describe(error),
                at=self._clock.now(),
                body=orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS),
            )

    def _issue(self, row: Mapping[str, Any]) -> None:
        command = self._commands[row["command"]].model_validate_json(row["payload"])
        names: Sequence[str] = (
            "deadline", self._log.context, row["policy"], row["key"], row["causation_id"],
        )  # fmt: skip
        self._application.handle(
            command.issued(
                Envelope(
                    command_id=derived_id(row["at"], *names),
                    actor=Actor(id=f"system:{row['policy']}", name=row["policy"]),
                    occurred_at=row["at"],
                    recorded_at=self._clock.now(),
                    correlation_id=row["correlation_id"],
                    causation_id=row["causation_id"],
                    rule=row["rule"],
                )
            )
        )
