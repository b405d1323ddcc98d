"""Applications: load, decide, record. One public method per command."""

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, ClassVar, TypeVar, get_type_hints

from shared.chassis.application.gathered import Gathered
from shared.chassis.application.work import StateCache, Work
from shared.chassis.clock import Clock, SystemClock
from shared.chassis.database import OUTAGE, Database
from shared.chassis.eventstore import AnsweredCommand, AppendConflict, CommandRepeated, EventLog
from shared.chassis.shapes.aggregate import Aggregate
from shared.chassis.shapes.command import Answer, Command
from shared.chassis.shapes.errors import Conflict, Refused, Taken, Unavailable
from shared.events.base import Event

__all__ = ["Application", "snake"]

A = TypeVar("A", bound=Aggregate)
T = TypeVar("T")
Decide = Callable[[Work], str]

_RACES = 4
_ATTEMPTS = 6
_OVERTAKEN = "others change the same records all the time; try again"


class Application:
    """A context's commands. Subclasses have one public method per command, named after it.

    Args:
        log: the context's log.
        views: the context's read models, for decisions that must look something up there.
        clock: tells when a fact is recorded.
    """

    context: ClassVar[str]

    def __init__(
        self, log: EventLog, views: Database | None = None, clock: Clock | None = None
    ) -> None:
        self.log = log
        self.views = views
        self.clock = clock or SystemClock()
        self.cache = StateCache()
        self._batch = threading.local()
        self._gathered = Gathered(self._carried_out, self._carried_out_together)
        self._methods: dict[type[Command], Callable[[Any], Answer]] = {
            command: getattr(self, snake(name)) for name, command in self.commands().items()
        }

    @classmethod
    def commands(cls) -> dict[str, type[Command]]:
        """Return the commands by rpc name, read from the annotations of the public methods."""
        found: dict[str, type[Command]] = {}
        for name in dir(cls):
            method = getattr(cls, name)
            if name.startswith("_") or not callable(method) or name in Application.__dict__:
                continue
            kinds = [
                hint
                for parameter, hint in get_type_hints(method).items()
                if parameter == "command" and isinstance(hint, type) and issubclass(hint, Command)
            ]
            if kinds and snake(kinds[0].__name__) == name:
                found[kinds[0].__name__] = kinds[0]
        return found

    def handle(self, command: Command) -> Answer:
        """Carry out an issued command by the method of its name.

        Commands that come at the same time are stored as one, each accepted or refused on its own.

        Raises:
            Refused: with the rule; nothing was stored.
        """
        if self.log.in_transaction:
            return self._carried_out(command)
        (result,) = self.handle_all([command])
        if isinstance(result, Exception):
            raise result
        return result

    def handle_all(self, commands: Sequence[Command]) -> list[Answer | Exception]:
        """Carry out commands that came at the same time, each accepted or refused on its own.

        Unlike `bulk` it promises no order, and what one of them asks for may be stored when
        another fails.

        Returns:
            For each its answer, or what `handle` would have raised.
        """
        return self._gathered.carry_out(commands)

    def _carried_out(self, command: Command) -> Answer:
        return self._methods[type(command)](command)

    def change(
        self,
        kind: type[A],
        stream_id: str,
        decide: Callable[[A], Sequence[Event]],
        command: Command,
    ) -> Answer:
        """Load one aggregate, decide, record what it says."""

        def one(work: Work) -> str:
            work.record(stream_id, decide(work.load(kind, stream_id)))
            return stream_id

        return self.commit(command, one)

    def commit(
        self,
        command: Command,
        decide: Decide,
        outcome: Callable[[], dict[str, str]] = dict,
    ) -> Answer:
        """Decide over any number of streams and store the result whole.

        An accepted command is remembered by its id and answered alike when it comes again; a
        refused one is not remembered and is decided anew.

        Args:
            command: an issued command.
            decide: reads and records through the `Work` and returns the id the answer is about. It
                may run several times: when another command was faster, it decides again.
            outcome: further words for the answer, asked after the last decision.

        Raises:
            Refused: by a decision.
            Conflict: `expected_version` no longer holds.
            Taken: a new stream's id exists already.
            Unavailable: too many other commands were faster.
        """
        batch: _Batch | None = getattr(self._batch, "current", None)
        if batch is not None:
            return batch.decide(command, decide, outcome)
        return self._reached(lambda: self._commit(command, decide, outcome))

    def _commit(
        self, command: Command, decide: Decide, outcome: Callable[[], dict[str, str]]
    ) -> Answer:
        trusting = not self.log.in_transaction
        for attempt in range(_ATTEMPTS):
            with self._alone(wanted=attempt >= _RACES):
                answer = self._attempt(command, decide, outcome, trusting=trusting and attempt == 0)
                if answer:
                    return answer
        raise Unavailable(_OVERTAKEN)

    def _alone(self, *, wanted: bool) -> AbstractContextManager[Any]:
        """Have others wait while somebody decides who lost many races."""
        return self.log.alone() if wanted else nullcontext()

    def _reached(self, act: Callable[[], T]) -> T:
        """Act, and once more when the connection was lost, for that may have been long ago.

        What was stored without our hearing of it is found by its command id.
        """
        for last in (False, True):
            try:
                return act()
            except OUTAGE as error:
                if self.log.in_transaction:
                    raise
                if last:
                    raise Unavailable("the database does not answer; try again") from error
        raise AssertionError

    def _attempt(
        self,
        command: Command,
        decide: Decide,
        outcome: Callable[[], dict[str, str]],
        *,
        trusting: bool,
    ) -> Answer | None:
        """Decide and store once; return None when that is to be done again.

        Args:
            command: see `commit`.
            decide: see `commit`.
            outcome: see `commit`.
            trusting: decide on what was seen last, which nearly always is how things stand and
                spares looking. What is stored is checked with the append; a refusal is not
                believed before it is decided again on what stands in the log.
        """
        work = Work(self.log, self.cache, command.envelope, trusting=trusting)
        try:
            answered = _decided(work, decide, outcome)
            if (unproved := work.unproved()) and any(self.log.holders(unproved).values()):
                return None
            takes, gives = work.claims()
            positions = self.log.append(
                work.facts,
                claims=takes,
                releases=gives,
                answers=[answered],
                reads=work.reads(),
                trusting=trusting,
            )
            work.keep()
        except (Refused, AppendConflict, CommandRepeated) as failure:
            if first := self.log.answer(command.envelope.command_id):
                return _answer(first)
            if trusting:
                return None
            if isinstance(failure, Refused):
                raise
            _refuse_taken(self.log.existing(work.created_blindly()))
            return None
        return replace(_answer(answered), position=positions.stop - 1)

    def bulk(
        self, commands: Sequence[Command], streams: Collection[str] = ()
    ) -> list[Answer | Refused]:
        """Carry out many commands and store them whole, each accepted or refused on its own.

        Later commands see what earlier ones of the same batch recorded.

        Args:
            commands: issued ones.
            streams: of this context, which they probably concern: they are read at once.

        Returns:
            For each command its answer, or the refusal with nothing of it stored.

        Raises:
            Unavailable: the database does not answer, or others were faster all the time.
        """
        return self._reached(lambda: self._bulk(commands, streams)) if commands else []

    def _bulk(
        self, commands: Sequence[Command], streams: Collection[str]
    ) -> list[Answer | Refused]:
        taken: set[str] = set()
        for attempt in range(_ATTEMPTS):
            with self._alone(wanted=attempt > 0):
                batch = _Batch(self, commands, taken, streams)
                with self._deciding(batch):
                    results = [self._result(command) for command in commands]
                if found := self.log.existing(batch.created):
                    taken |= found
                    continue
                try:
                    tip = batch.store()
                except (AppendConflict, CommandRepeated):
                    continue
            return [batch.placed(*each, tip) for each in zip(commands, results, strict=True)]
        raise Unavailable(_OVERTAKEN)

    def _carried_out_together(
        self, commands: Sequence[Command]
    ) -> Sequence[Answer | Exception | None]:
        """Carry commands out as one: on what was seen last, else on what stands in the log.

        Returns:
            For each its answer or refusal, or None when it has to be carried out alone, which also
            tells why.
        """
        nothing = [None] * len(commands)
        if len({command.envelope.command_id for command in commands}) < len(commands):
            return nothing  # which of them comes first decides what the others are answered
        try:
            if (answers := self._hoped_together(commands)) is not None:
                return answers
            return self.bulk(commands)
        except Unavailable as error:
            return [error] * len(commands)
        except Exception:  # noqa: BLE001 - told to whom it concerns when each is carried out alone
            return nothing

    def _hoped_together(self, commands: Sequence[Command]) -> Sequence[Answer | None] | None:
        """Carry commands out on what was seen last; None when that is not how things stand.

        Those that are refused have no answer: a refusal that rests on what was seen last proves
        nothing.
        """
        try:
            batch = _Batch(self, commands, trusting=True)
            with self._deciding(batch):
                results = [self._hoped(command) for command in commands]
            if batch.is_disproved():
                return None
            tip = batch.store()
        except (AppendConflict, CommandRepeated, *OUTAGE):
            return None
        return [batch.placed(*each, tip) for each in zip(commands, results, strict=True)]

    def _hoped(self, command: Command) -> Answer | None:
        try:
            return self._carried_out(command)
        except Exception:  # noqa: BLE001 - nothing is believed that rests on what was seen last
            return None

    @contextmanager
    def _deciding(self, batch: "_Batch") -> Iterator[None]:
        """Have what this thread commits join a batch."""
        self._batch.current = batch
        try:
            yield
        finally:
            self._batch.current = None

    def foresee(self, work: Work, commands: Sequence[Command]) -> None:
        """Look up at once what the decisions on several commands will ask; by default nothing.

        Args:
            work: of the batch, whose members find what is looked up here (`Work.look_up`) or left
                for them in `Work.foreseen`.
            commands: those that are about to be decided.
        """

    def _result(self, command: Command) -> Answer | Refused:
        try:
            return self._carried_out(command)
        except Refused as refusal:
            return refusal


class _Batch:
    """Commands decided one after another over a shared `Work`, stored together.

    Args:
        application: decides them.
        commands: at least one.
        taken: ids of streams that are known to exist, which members must not make.
        streams: read ahead.
        trusting: see `Application._attempt`; a refusal is not to be believed.
    """

    def __init__(
        self,
        application: Application,
        commands: Sequence[Command],
        taken: Collection[str] = (),
        streams: Collection[str] = (),
        *,
        trusting: bool = False,
    ) -> None:
        self.log = application.log
        self.created: set[str] = set()
        """Streams made by members that did not look whether they exist."""
        self._taken = taken
        self._trusting = trusting
        self.cache = application.cache
        self.answers: dict[str, AnsweredCommand] = {}
        self.earlier: Mapping[str, AnsweredCommand] = {}
        if not trusting:
            self.earlier = self.log.answers([c.envelope.command_id for c in commands])
        self.work = Work(self.log, self.cache, commands[0].envelope, trusting=trusting)
        self.work.read_ahead(streams)
        application.foresee(
            self.work, [c for c in commands if c.envelope.command_id not in self.earlier]
        )

    def decide(
        self, command: Command, decide: Decide, outcome: Callable[[], dict[str, str]]
    ) -> Answer:
        command_id = command.envelope.command_id
        if known := self.answers.get(command_id) or self.earlier.get(command_id):
            return _answer(known)
        member = Work(self.log, self.cache, command.envelope, self.work, trusting=self._trusting)
        answered = _decided(member, decide, outcome, before=len(self.work.facts))
        blind = member.created_blindly()
        _refuse_taken(member.taken_before() or blind.intersection(self._taken))
        self.created |= blind
        self.work.absorb(member)
        self.answers[command_id] = answered
        return _answer(answered)

    def store(self) -> int:
        """Append what was decided; return the position before it."""
        takes, gives = self.work.claims()
        positions = self.log.append(
            self.work.facts,
            claims=takes,
            releases=gives,
            answers=list(self.answers.values()),
            reads=self.work.reads(),
            trusting=self._trusting,
        )
        if self._trusting:
            self.work.keep()
        return positions.start - 1

    def is_disproved(self) -> bool:
        """Whether a key that was taken to be free, and is not claimed, is held."""
        unproved = self.work.unproved()
        return bool(unproved) and any(self.log.holders(unproved).values())

    def placed(self, command: Command, result: T, tip: int) -> T:
        """Return a member's answer with the position it has since `tip`, and others as they are."""
        stored = self.answers.get(command.envelope.command_id)
        if stored is None or not isinstance(result, Answer):
            return result
        return replace(result, position=tip + stored.events)


def snake(name: str) -> str:
    """Return `QualifyLead` as `qualify_lead`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _decided(
    work: Work, decide: Decide, outcome: Callable[[], dict[str, str]], before: int = 0
) -> AnsweredCommand:
    """Decide; `before` counts the facts that earlier members of the batch recorded."""
    subject = decide(work)
    expected = work.envelope.expected_version
    version = work.version(subject)
    if expected is not None and (current := work.loaded_version(subject)) != expected:
        raise Conflict(
            f"{subject} is at version {current}, not {expected}", current_version=current
        )
    return AnsweredCommand(
        work.envelope.command_id,
        subject,
        version,
        events=before + len(work.facts),
        outcome=outcome(),
    )


def _answer(answered: AnsweredCommand) -> Answer:
    return Answer(answered.stream_id, answered.version, answered.position, dict(answered.outcome))


def _refuse_taken(stream_ids: Collection[str]) -> None:
    for stream_id in sorted(stream_ids):
        raise Taken(f"{stream_id} exists already", holder=stream_id)
