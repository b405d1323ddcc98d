"""Given, when, then: what a context's tests are written in.

    scenario(Leads).given(LEAD, lead_captured()).when(QualifyLead(lead_id=LEAD)).then(...)

The application runs for real over a log in memory.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Self, TypeVar

from sqlalchemy import Connection

from shared.chassis.application import Application
from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog
from shared.chassis.projections.projector import Projector
from shared.chassis.shapes.command import Actor, Answer, Command, Envelope
from shared.chassis.shapes.errors import Refused
from shared.chassis.shapes.ids import fresh_id
from shared.chassis.shapes.projection import Key, Projection, Row
from shared.events.base import Event, Recorded

__all__ = ["NOON", "TESTER", "Scenario", "folded", "issue", "recorded", "scenario"]

App = TypeVar("App", bound=Application)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday, when nothing else is said."""
TESTER = Actor(id="tester", name="Tester", roles=frozenset({"administrator"}))


def issue(
    command: Command,
    *,
    at: datetime = NOON,
    by: Actor = TESTER,
    command_id: str | None = None,
    expected_version: int | None = None,
    import_id: str | None = None,
) -> Command:
    """Return the command as issued by `by` at `at`."""
    command_id = command_id or fresh_id()
    return command.issued(
        Envelope(
            command_id=command_id,
            actor=by,
            occurred_at=at,
            recorded_at=at,
            correlation_id=command_id,
            expected_version=expected_version,
            import_id=import_id,
        )
    )


def recorded(
    event: Event,
    stream_id: str = "stream-1",
    *,
    version: int = 1,
    position: int = 1,
    at: datetime = NOON,
    recorded_at: datetime | None = None,
    by: str = "tester",
    erased: bool = False,
) -> Recorded[Any]:
    """Return the fact as a consumer receives it."""
    return Recorded(
        event.context(),
        position,
        stream_id,
        version,
        event,
        at,
        recorded_at or at,
        by,
        f"command-{stream_id}-{version}",
        f"correlation-{stream_id}",
        erased=erased,
    )


def folded(projection: type[Projection], facts: Sequence[Recorded[Any]]) -> dict[Key, Row]:
    """Return the rows that a read model has after these facts, by key."""
    rows: dict[Key, Row | None] = {}
    for fact in facts:
        if isinstance(fact.event, projection.events):
            for key in dict.fromkeys(projection.keys(fact)):
                rows[key] = projection.fold(key, rows.get(key), fact)
    return {key: row for key, row in rows.items() if row is not None}


class Scenario(Generic[App]):
    """One application with a history, a command, and what came of it."""

    def __init__(self, kind: type[App], projections: Sequence[type[Projection]] = ()) -> None:
        self.log = EventLog(kind.context)
        self.views = Database.sqlite(None)
        self.projector = Projector(projections)
        with self.views.transaction() as connection:
            self.projector.prepare(connection)
        self.application = kind(self.log, self.views)
        self.answer: Answer | None = None
        self.refusal: Refused | None = None
        self._before = 0

    def given(
        self, stream_id: str, *events: Event, at: datetime = NOON, by: str = "tester"
    ) -> Self:
        """Put facts into a stream's history."""
        version = self.log.version(stream_id)
        self.log.append(
            [
                Recorded(
                    self.log.context, 0, stream_id, number, event, at, at, by, fresh_id(), "given"
                )
                for number, event in enumerate(events, version + 1)
            ]
        )
        return self

    def known(self, *facts: Recorded[Any]) -> Self:
        """Let the context's read models know facts, its own or other contexts'."""
        with self.views.transaction() as connection:
            for projection in self.projector.projections.values():
                self.projector.apply(connection, projection, facts)
        return self

    def after(self, *commands: Command, at: datetime = NOON, by: Actor = TESTER) -> Self:
        """Carry out earlier commands; each must be accepted."""
        for number, command in enumerate(commands):
            self.answer = self.application.handle(
                issue(command, at=at + timedelta(microseconds=number), by=by)
            )
        return self

    def when(
        self,
        command: Command,
        *,
        at: datetime = NOON,
        by: Actor = TESTER,
        command_id: str | None = None,
        expected_version: int | None = None,
        import_id: str | None = None,
    ) -> Self:
        """Issue the command the scenario is about."""
        self._before = self.log.tip()
        self.answer = self.refusal = None
        issued = issue(
            command,
            at=at,
            by=by,
            command_id=command_id,
            expected_version=expected_version,
            import_id=import_id,
        )
        try:
            self.answer = self.application.handle(issued)
        except Refused as refusal:
            self.refusal = refusal
        return self

    @property
    def news(self) -> list[Recorded[Event]]:
        """The facts recorded by the last `when`."""
        return self.log.read(self._before, 10_000)

    def then(self, *events: Event) -> Self:
        """Expect exactly these facts."""
        assert self.refusal is None, f"refused: {self.refusal!r}"
        assert [fact.event for fact in self.news] == list(events)
        return self

    def then_kinds(self, *kinds: type[Event]) -> Self:
        """Expect facts of exactly these classes, in order."""
        assert self.refusal is None, f"refused: {self.refusal!r}"
        assert [type(fact.event) for fact in self.news] == list(kinds)
        return self

    def then_nothing(self) -> Self:
        """Expect the command to be accepted and to change nothing."""
        return self.then()

    def then_refused(self, rule: type[Refused], **details: Any) -> Self:
        """Expect a refusal by this rule, with at least these details, and nothing stored."""
        assert isinstance(self.refusal, rule), f"not refused by {rule.__name__}: {self.refusal!r}"
        for name, value in details.items():
            assert self.refusal.details.get(name) == value, self.refusal.details
        assert not self.news, "something was stored"
        return self

    def read(self) -> Connection:
        """Return an open connection to the views, for asking questions."""
        return self.views.engine.connect()


def scenario(kind: type[App], projections: Sequence[type[Projection]] = ()) -> Scenario[App]:
    """Begin a scenario for an application, with the read models its decisions look at."""
    return Scenario(kind, projections)
