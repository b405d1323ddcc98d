"""Services: what a context is made of, and the same opened on its databases."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Table

from shared.chassis import tracking
from shared.chassis.api.rights import Postings, RoleRights, UnitTree
from shared.chassis.application import Application
from shared.chassis.clock import Clock, SystemClock
from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog
from shared.chassis.projections.past import Hindsight
from shared.chassis.projections.projector import Projector
from shared.chassis.reading import Reading
from shared.chassis.shapes.command import Actor, Answer, Request
from shared.chassis.shapes.errors import Forbidden, Unavailable
from shared.chassis.shapes.guard import EVERYTHING, Cut, Guard, Sight
from shared.chassis.shapes.policy import Policy
from shared.chassis.shapes.projection import Projection
from shared.chassis.shapes.query import Query, Question, Reader
from shared.chassis.shapes.telling import TELLS

__all__ = ["Method", "OpenService", "Service", "open_service"]

_PATIENCE = 2.0
_PAUSE = 0.004
_CUTS = 512


class Method(NamedTuple):
    """One rpc: its name, what it takes and what it gives."""

    name: str
    request: type[Request]
    response: Any


@dataclass(frozen=True)
class Service:
    """What a bounded context is made of. A value: nothing is opened or connected.

    Args:
        name: the context.
        description: one sentence for the API page.
        application: its commands; None for a context that only reads.
        policies: whenever X, then Y.
        projections: its read models; who may do what joins them by itself.
        questions: functions `(query: Q, reader: Reader) -> View`, named after their query class.
        guards: whose the rows are that questions read; who may not see all sees no other table.
    """

    name: str
    description: str = ""
    application: type[Application] | None = None
    policies: tuple[Policy, ...] = ()
    projections: tuple[type[Projection], ...] = ()
    questions: tuple[Callable[[Any, Reader], Any], ...] = ()
    guards: tuple[Guard, ...] = ()

    def __post_init__(self) -> None:
        missing = (one for one in (RoleRights, Postings, UnitTree) if one not in self.projections)
        object.__setattr__(self, "projections", (*self.projections, *missing))

    @cached_property
    def asked(self) -> Mapping[str, Question]:
        """The questions by rpc name."""
        found = [Question.of(function) for function in self.questions]
        return {question.query.__name__: question for question in found}

    @cached_property
    def guarded(self) -> Mapping[Table, Guard]:
        """The guards by table."""
        return {guard.table: guard for guard in self.guards}

    def requests(self) -> dict[str, Method]:
        """Return every rpc of the service by name: commands, then questions."""
        commands = self.application.commands() if self.application else {}
        methods = {name: Method(name, command, Answer) for name, command in commands.items()}
        for name, question in self.asked.items():
            methods[name] = Method(name, question.query, question.view)
        return methods

    def listens(self) -> frozenset[str]:
        """Return the contexts whose facts the service needs."""
        return frozenset().union(
            *(policy.contexts for policy in self.policies),
            *(projection.contexts() for projection in self.projections),
        )


@dataclass
class OpenService:
    """A service on its databases."""

    service: Service
    log: EventLog
    log_database: Database
    views_database: Database
    clock: Clock
    application: Application | None = None
    projector: Projector = field(init=False)
    hindsight: Hindsight = field(init=False)
    _cuts: dict[tuple[Actor, Sight], Cut] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.projector = Projector(self.service.projections)
        self.hindsight = Hindsight(self.service.projections)
        with self.views_database.transaction() as connection:
            tracking.create(connection)
            self.projector.prepare(connection)
        with self.log_database.transaction() as connection:
            tracking.create(connection)
        self.log.prepare()

    @property
    def name(self) -> str:
        """The context's name."""
        return self.service.name

    def ask(
        self,
        question: Question,
        query: Query,
        actor: Actor,
        sight: Sight = EVERYTHING,
        *,
        as_text: bool = False,
    ) -> Any:
        """Answer a query from one consistent read of the views.

        Args:
            question: which.
            query: its fields.
            actor: who asks.
            sight: what of the rows they may see.
            as_text: whether the answer may be the text of its JSON, in bytes.

        Raises:
            Unavailable: the views have not reached `query.min_position` in time.
            Refused: by the question, e.g. `NotFound`.
        """
        if query.min_position is not None:
            context, _, position = query.min_position.partition(":")
            self.wait(context, int(position))
        now = self.clock.now()
        tells = as_text and self.views_database.dialect == TELLS and not sight.hides
        with Reading(self.views_database) as reading:
            if sight.is_whole:
                return question.answer(
                    query, Reader(reading, actor, now, self.hindsight, None, tells)
                )
            cut = self.cut(actor, sight)
            reader = Reader(reading, actor, now, self.hindsight, cut, tells)
            with cut.doing_without():
                try:
                    return question.answer(query, reader)
                except (ValidationError, TypeError, AttributeError):
                    if not cut.restricted:
                        raise
                    raise Forbidden(", ".join(cut.restricted)) from None

    def cut(self, reader: Actor, sight: Sight) -> Cut:
        """Return what somebody may see; kept, because making statements of it takes time."""
        found = self._cuts.get((reader, sight))
        if found is None:
            if len(self._cuts) >= _CUTS:
                self._cuts.clear()
            found = self._cuts[reader, sight] = Cut(self.service.guarded, reader, sight)
        return found

    def wait(self, context: str, position: int) -> None:
        """Wait until the views know a context's log up to a position.

        Raises:
            Unavailable: they have not reached it in time.
        """
        wanted = [p.name for p in self.service.projections if context in p.contexts()]
        give_up = time.monotonic() + _PATIENCE
        while True:
            with self.views_database.read() as connection:
                known = tracking.positions(connection)
            if all(known.get((name, context), 0) >= position for name in wanted):
                return
            if time.monotonic() > give_up:
                raise Unavailable(
                    f"the read models have not reached {context}:{position} yet; try again"
                )
            time.sleep(_PAUSE)

    def close(self) -> None:
        """Close both databases."""
        self.log_database.close()
        self.views_database.close()


def open_service(
    service: Service,
    data: Path | None = None,
    clock: Clock | None = None,
    *,
    key_encryption_keys: Sequence[bytes] = (bytes(32),),
    durable: bool = True,
    database: Database | None = None,
) -> OpenService:
    """Open a service: on one database that holds all it has, or on its two SQLite files.

    Args:
        service: what it is made of.
        data: the installation's data folder; None keeps both databases in memory.
        clock: tells when facts are recorded; the machine's when None.
        key_encryption_keys: 32 bytes each; the first wraps the data subjects' keys, all open them.
        durable: sync every commit of the log to disk.
        database: where log and views are kept instead.
    """
    if database is not None:
        log_database = views_database = database
    elif data is None:
        log_database, views_database = Database.sqlite(None), Database.sqlite(None)
    else:
        data.mkdir(parents=True, exist_ok=True)
        log_database = Database.sqlite(data / f"{service.name}.log.db", durable=durable)
        views_database = Database.sqlite(data / f"{service.name}.views.db", durable=False)
    clock = clock or SystemClock()
    first, *others = key_encryption_keys
    log = EventLog(service.name, log_database, first, others)
    application = service.application(log, views_database, clock) if service.application else None
    return OpenService(service, log, log_database, views_database, clock, application)
