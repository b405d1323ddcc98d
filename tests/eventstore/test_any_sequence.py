"""Whatever is done to a log, in any order, every recorder behaves like a simple model of it."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.chassis.database import Database
from shared.chassis.eventstore import (
    AnsweredCommand,
    AppendConflict,
    Claim,
    CommandRepeated,
    EventLog,
    PersonIsErased,
)
from shared.events.base import Event, Recorded
from tests.eventstore.conftest import KEK
from tests.eventstore.toys import ToyGiven, ToyMade, facts

pytestmark = pytest.mark.capability("PLT-01")

STREAMS = ["a", "b", "c"]
PEOPLE = [*STREAMS, "kid"]
KEYS = ["+86139", "+86138"]
COMMANDS = ["one", "two", "three", "four"]

streams, keys, commands = st.sampled_from(STREAMS), st.sampled_from(KEYS), st.sampled_from(COMMANDS)
words = st.none() | st.sampled_from(["王芳", "bear", ""])
events = st.builds(ToyMade, name=st.sampled_from(["熊", "cat"]), maker=words) | st.builds(
    ToyGiven, child_id=st.sampled_from(PEOPLE), wish=words, note=words
)


@dataclass(frozen=True)
class Attempt:
    """One append somebody tries, right or wrong."""

    parts: list[tuple[str, list[Event], int]]
    """Stream, events, and by how much its version is mistaken."""
    claims: list[tuple[str, str]]
    releases: list[tuple[str, str | None]]
    """Key, and on whose behalf; None means its holder's."""
    commands: list[str]
    reads: list[tuple[str, int]]
    """Stream, and by how much its version is mistaken."""


attempts = st.builds(
    Attempt,
    st.lists(
        st.tuples(
            streams, st.lists(events, max_size=3), st.sampled_from([0, 0, 0, 0, 0, 0, -1, 1])
        ),
        max_size=3,
    ),
    st.lists(st.tuples(keys, streams), max_size=2),
    st.lists(st.tuples(keys, st.none() | streams), max_size=2),
    st.lists(commands, max_size=2),
    st.lists(st.tuples(streams, st.sampled_from([0, 0, 0, 0, 0, 1])), max_size=1),
)


Outcome = type[Exception] | list[int]


@dataclass
class Model:
    """What a log must say."""

    log: list[Recorded[Event]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    answers: dict[str, AnsweredCommand] = field(default_factory=dict)
    people: dict[str, bool] = field(default_factory=dict)
    """Everybody who has a key, or had one: whether it is there still."""

    def copy(self) -> "Model":
        return Model(*(value.copy() for value in vars(self).values()))

    def outcome(self, appended: "Append") -> type[Exception] | None:
        """Carry out an append if it fits; return what must be raised otherwise."""
        after = self.copy()
        for fact in appended.facts:
            if (person := _person(fact)) and self.people.get(person) is False:
                return PersonIsErased
            if person:
                after.people[person] = True
        fits = all(self.versions.get(s, 0) == version for s, version in appended.reads.items())
        for position, fact in enumerate(appended.facts, len(self.log) + 1):
            fits &= fact.version == after.versions.get(fact.stream_id, 0) + 1
            after.versions[fact.stream_id] = fact.version
            after.log.append(fact._replace(position=position))
        for claim in appended.releases:
            fits &= after.holders.pop(claim.key, None) == claim.stream_id
        for claim in appended.claims:
            fits &= claim.key not in after.holders
            after.holders[claim.key] = claim.stream_id
        if not fits:
            return AppendConflict
        for answer in appended.answers:
            if answer.command_id in after.answers:
                return CommandRepeated
            after.answers[answer.command_id] = replace(
                answer, position=len(self.log) + answer.events
            )
        self.__dict__ = after.__dict__
        return None

    def met(self, appended: "Append", known: AbstractSet[str]) -> Outcome:
        """Carry out an append that was mapped when only some people had keys, if it fits."""
        new = {person for fact in appended.facts if (person := _person(fact))} - known
        if not new.isdisjoint(self.people):
            return AppendConflict
        before = len(self.log)
        return self.outcome(appended) or list(range(before + 1, len(self.log) + 1))

    def reads(self) -> list[Recorded[Event]]:
        return [self._today(fact) for fact in self.log]

    def _today(self, fact: Recorded[Event]) -> Recorded[Event]:
        person = _person(fact)
        if not person or self.people[person]:
            return fact
        redacted = dict.fromkeys(fact.event.personal_fields)
        return fact._replace(event=fact.event.model_copy(update=redacted), erased=True)


@dataclass
class Append:
    facts: list[Recorded[Event]]
    claims: list[Claim]
    releases: list[Claim]
    answers: list[AnsweredCommand]
    reads: dict[str, int]


def _person(fact: Recorded[Event]) -> str | None:
    """Return whose personal data a fact has, if it has any."""
    match fact.event:
        case ToyMade(maker=str()):
            return fact.stream_id
        case ToyGiven(child_id=child, wish=str()):
            return child
    return None


def _append(attempt: Attempt, model: Model) -> Append:
    versions = dict(model.versions)
    made: list[Recorded[Event]] = []
    for stream_id, some, mistaken in attempt.parts:
        after = versions.get(stream_id, 0)
        made += facts(stream_id, *some, after=max(0, after + mistaken))
        versions[stream_id] = after + len(some)
    return Append(
        made,
        [Claim("phone", key, stream_id) for key, stream_id in attempt.claims],
        [
            Claim("phone", key, whose or model.holders.get(key, "a"))
            for key, whose in attempt.releases
        ],
        [
            AnsweredCommand(name, f"about-{name}", 7, len(made), len(model.log) + len(made), {})
            for name in attempt.commands
        ],
        {
            stream_id: model.versions.get(stream_id, 0) + mistaken
            for stream_id, mistaken in attempt.reads
        },
    )


class AnySequence(RuleBasedStateMachine):
    """A log in memory beside its model."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.log = self.opened()

    def opened(self) -> EventLog:
        return EventLog("toys", None, KEK)

    def attempt(self, attempt: Attempt) -> None:
        append = _append(attempt, self.model)
        before = len(self.model.log)
        expected = self.model.outcome(append)
        positions: Sequence[int] = ()
        refusal: type[Exception] | None = None
        try:
            positions = self.append(append)
        except (AppendConflict, CommandRepeated, PersonIsErased) as error:
            refusal = type(error)
        assert refusal is expected
        assert list(positions) == list(range(before + 1, len(self.model.log) + 1))

    @rule(attempt=attempts)
    def append_once(self, attempt: Attempt) -> None:
        self.attempt(attempt)

    @rule(some=st.lists(attempts, min_size=2, max_size=3))
    def append_at_once(self, some: list[Attempt]) -> None:
        appends = [_append(attempt, self.model) for attempt in some]
        outcomes = self.at_once(appends)
        known = set(self.model.people)
        for order in permutations(range(len(some))):
            model = self.model.copy()
            if all(
                model.met(appends[turn], known) == outcomes[turn] for turn in order
            ) and self.answered(model):
                self.model = model
                return
        raise AssertionError(f"no order of {appends} gives {outcomes}")

    def answered(self, model: "Model") -> bool:
        """Whether every command is remembered as the model has it, with its place in the log."""
        return all(
            (stored and (stored.stream_id, stored.version, stored.position))
            == (known and (known.stream_id, known.version, known.position))
            for command in COMMANDS
            for stored, known in [(self.log.answer(command), model.answers.get(command))]
        )

    def at_once(self, appends: list[Append]) -> list[Outcome]:
        """Have several threads append at once."""
        with ThreadPoolExecutor(len(appends)) as pool:
            futures = [pool.submit(self.append, append) for append in appends]
        return [
            type(error)
            if isinstance(error := future.exception(), Exception)
            else [*future.result()]
            for future in futures
        ]

    def append(self, append: Append) -> Sequence[int]:
        return self.log.append(
            append.facts,
            claims=append.claims,
            releases=append.releases,
            answers=append.answers,
            reads=append.reads,
        )

    @rule(some=st.lists(attempts, max_size=3), fails=st.booleans())
    def append_in_a_transaction(self, some: list[Attempt], *, fails: bool) -> None:
        before = self.model.copy()
        try:
            with self.log.transaction():
                for attempt in some:
                    self.attempt(attempt)
                    self.says_what_the_model_says()
                if fails:
                    raise InterruptedError
        except InterruptedError:
            self.model = before

    @rule(person=st.sampled_from(PEOPLE))
    def erase(self, person: str) -> None:
        assert self.log.erase(person) is self.model.people.get(person, False)
        if person in self.model.people:
            self.model.people[person] = False

    @rule(after=st.integers(0, 30), limit=st.integers(1, 5))
    def read_a_run(self, after: int, limit: int) -> None:
        assert self.log.read(after, limit) == self.model.reads()[after : after + limit]

    @rule(stream_id=streams, after=st.integers(0, 8))
    def read_a_stream(self, stream_id: str, after: int) -> None:
        mine = [fact for fact in self.model.reads() if fact.stream_id == stream_id]
        assert self.log.stream(stream_id, after) == mine[after:]

    @invariant()
    def says_what_the_model_says(self) -> None:
        assert self.log.read(0, 1000) == self.model.reads()
        assert self.log.tip() == len(self.model.log)
        for stream_id in STREAMS:
            assert self.log.version(stream_id) == self.model.versions.get(stream_id, 0)
        for key in KEYS:
            assert self.log.holder("phone", key) == self.model.holders.get(key)
        assert self.answered(self.model)


class AnySequenceOnDisk(AnySequence):
    """A log on SQLite beside its model, closed and opened again now and then."""

    def __init__(self) -> None:
        self.folder = TemporaryDirectory()
        super().__init__()

    def opened(self) -> EventLog:
        path = Path(self.folder.name) / "toys.log.db"
        return EventLog("toys", Database.sqlite(path, durable=False), KEK)

    @precondition(lambda self: self.model.log)
    @rule()
    def open_anew(self) -> None:
        self.log.database.close()
        self.log = self.opened()

    def teardown(self) -> None:
        self.log.database.close()
        self.folder.cleanup()


class AnySequenceOnAServer(AnySequence):
    """A log on PostgreSQL beside its model, emptied before each sequence."""

    url = ""

    def opened(self) -> EventLog:
        log = EventLog("toys", Database.postgres(self.url), KEK)
        log.database.fetch("TRUNCATE events, claims, answers, subject_keys")
        return log

    def teardown(self) -> None:
        self.log.database.close()


@pytest.mark.parametrize("machine", [AnySequence, AnySequenceOnDisk])
def test_any_sequence_of_acts_leaves_what_a_simple_model_says(
    machine: type[AnySequence],
) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=15, stateful_step_count=20))


@pytest.mark.servers
def test_any_sequence_of_acts_on_a_server_leaves_what_a_simple_model_says(
    postgres_database: str,
) -> None:
    class Here(AnySequenceOnAServer):
        url = postgres_database

    run_state_machine_as_test(Here, settings=settings(max_examples=8, stateful_step_count=15))
