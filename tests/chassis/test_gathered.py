"""Commands that come at the same time are decided and stored as one, each with its own fate."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chassis.application import gathered as module
from shared.chassis.application.gathered import Gathered
from shared.chassis.eventstore import EventLog
from shared.chassis.shapes import Answer, Command, Conflict, Refused, Taken
from shared.chassis.testing import issue
from tests.chassis.harbour import (
    BERTH,
    BuildBoat,
    CargoLoaded,
    Harbour,
    LaunchBoat,
    LeaveBerth,
    MoorBoat,
    Overloaded,
    built,
    do,
    load,
    said,
)

pytestmark = pytest.mark.capability("PLT-01", "PLT-10")

PATIENCE = 30


def until(condition: Callable[[], bool]) -> None:
    """Wait for what other threads are about to do."""
    pause = threading.Event()
    for _ in range(PATIENCE * 1000):
        if condition():
            return
        pause.wait(0.001)
    raise TimeoutError


class Crowd:
    """Threads whose commands come while the first of them is carried out, in a known order.

    A command is answered with its number of tons; one of 13 tons is refused, and one of 14 ends
    the thread that carries it out.
    """

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.threads: list[int] = []
        self.entered = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.gathered = Gathered(self.alone, self.together)
        self.gathered.PATIENCE = PATIENCE
        self._pool = ThreadPoolExecutor(80)

    def alone(self, command: Any) -> Answer:
        self._note([command])
        if command.tons == 13:
            raise Overloaded(aboard=0)
        return Answer(command.boat_id, 1, command.tons)

    def together(self, commands: Sequence[Command]) -> list[Answer | None]:
        self._note(commands)
        return [
            None if tons == 13 else Answer("gull", 2, tons)
            for tons in (command.tons for command in commands)  # type: ignore[attr-defined]
        ]

    def _note(self, commands: Sequence[Any]) -> None:
        self.asked.append([command.tons for command in commands])
        self.threads.append(threading.get_ident())
        self.entered.set()
        assert self.open.wait(PATIENCE)
        if any(command.tons == 14 for command in commands):
            raise SystemExit

    def carry_out(self, tons: int) -> Answer:
        (result,) = self.gathered.carry_out([issue(load(tons))])
        if isinstance(result, Exception):
            raise result
        return result

    @contextmanager
    def busy(self, tons: int = 0) -> Iterator[Future[Answer]]:
        """Keep one command in hand while the block lets others come."""
        self.entered.clear()
        self.open.clear()
        holder = self._pool.submit(self.carry_out, tons)
        assert self.entered.wait(PATIENCE)
        try:
            yield holder
        finally:
            self.open.set()

    def queued(self, tons: int) -> Future[Answer]:
        """Let a command come; return when it waits."""
        before = len(self.gathered._queue)
        future = self._pool.submit(self.carry_out, tons)
        until(lambda: len(self.gathered._queue) > before)
        return future

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.close()


def results(futures: Sequence[Future[Answer]]) -> list[object]:
    """Return the tons answered, or the kind of error."""
    return [
        type(error) if (error := future.exception(PATIENCE)) else future.result().position
        for future in futures
    ]


def test_who_comes_alone_is_served_at_once_in_its_own_thread(crowd: Crowd) -> None:
    assert [crowd.carry_out(tons).position for tons in (1, 2)] == [1, 2]
    assert crowd.asked == [[1], [2]]
    assert crowd.threads == [threading.get_ident()] * 2


def test_those_who_come_meanwhile_are_served_as_one(crowd: Crowd) -> None:
    with crowd.busy() as first:
        others = [crowd.queued(tons) for tons in (1, 2, 3)]
    assert results([first, *others]) == [0, 1, 2, 3]
    assert crowd.asked == [[0], [1, 2, 3]]


def test_who_cannot_be_served_with_others_is_served_alone(crowd: Crowd) -> None:
    with crowd.busy() as first:
        others = [crowd.queued(tons) for tons in (1, 13, 3)]
    assert results([first, *others]) == [0, 1, Overloaded, 3]
    assert crowd.asked == [[0], [1, 13, 3], [13]]


def test_a_refusal_is_told_to_who_is_refused_alone(crowd: Crowd) -> None:
    with crowd.busy(13) as first:
        others = [crowd.queued(1)]
    assert results([first, *others]) == [Overloaded, 1]
    assert crowd.carry_out(2).position == 2


def test_no_more_than_so_many_are_served_as_one(crowd: Crowd) -> None:
    with crowd.busy():
        others = [crowd.queued(1) for _ in range(Gathered.MOST + 5)]
    assert results(others) == [1] * len(others)
    assert [len(asked) for asked in crowd.asked] == [1, Gathered.MOST, 5]


def test_those_who_were_served_as_one_are_awaited_when_they_come_back(crowd: Crowd) -> None:
    crowd.gathered.GATHERING = PATIENCE
    with crowd.busy():
        others = [crowd.queued(1), crowd.queued(2)]
    results(others)
    crowd.gathered._until += PATIENCE  # as if serving them had taken long
    again = [crowd._pool.submit(crowd.carry_out, tons) for tons in (3, 4)]
    assert results(again) == [3, 4]
    assert sorted(crowd.asked[-1]) == [3, 4]


def test_who_does_not_come_back_is_not_awaited_for_long(crowd: Crowd) -> None:
    with crowd.busy():
        others = [crowd.queued(1), crowd.queued(2)]
    results(others)
    assert crowd.carry_out(3).position == 3
    assert crowd.asked[-1] == [3]
    assert crowd.gathered._expected == 1


def test_nobody_waits_long_for_one_who_takes_long(crowd: Crowd) -> None:
    crowd.gathered.PATIENCE = 0.01
    with crowd.busy() as first:
        other = crowd.queued(1)
        several = crowd._pool.submit(crowd.gathered.carry_out, [issue(load(2)), issue(load(3))])
        until(lambda: [1] in crowd.asked and [2, 3] in crowd.asked)
    assert results([first, other]) == [0, 1]
    assert [answer.position for answer in several.result()] == [2, 3]  # type: ignore[union-attr]
    assert crowd.gathered._queue == []


def test_others_are_served_when_who_serves_is_ended(crowd: Crowd) -> None:
    with crowd.busy() as first:
        others = [crowd.queued(tons) for tons in (14, 1, 2)]
    assert results([first, *others]) == [0, SystemExit, 1, 2]
    assert crowd.asked[:2] == [[0], [14, 1, 2]]
    assert crowd.carry_out(3).position == 3


def test_others_are_served_when_who_waits_is_ended(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = threading.Event()

    class Ended:
        """The lock of a thread that is ended while it waits for it."""

        def __init__(self) -> None:
            self.born = False

        def acquire(self, timeout: float = -1) -> bool:
            if not self.born:
                self.born = True
                return True
            assert ending.wait(PATIENCE)
            raise SystemExit

        def release(self) -> None:
            ending.set()

    with crowd.busy() as first:
        with monkeypatch.context() as patched:
            patched.setattr(module, "Lock", Ended)
            ended = crowd.queued(1)
        other = crowd.queued(2)
    assert results([first, ended, other]) == [0, SystemExit, 2]
    assert crowd.asked == [[0], [2]]


# The same by an application, over every kind of log.


class Held:
    """Keeps an application's first command in hand while others come."""

    def __init__(self, harbour: Harbour) -> None:
        self.harbour = harbour
        harbour._gathered.PATIENCE = PATIENCE
        self.entered, self.open = threading.Event(), threading.Event()

    def hold(self) -> None:
        self.entered.set()
        assert self.open.wait(PATIENCE)

    def at_once(self, *commands: Command) -> list[Answer | Refused]:
        """Let commands come at the same time; they are issued already."""
        built(self.harbour, "ferry")
        self.harbour.meanwhile.append(self.hold)
        with ThreadPoolExecutor(len(commands) + 1) as pool:
            pool.submit(do, self.harbour, load(1, "ferry"))
            assert self.entered.wait(PATIENCE)
            futures = []
            for command in commands:
                before = len(self.harbour._gathered._queue)
                futures.append(pool.submit(self._tried, command))
                until(lambda before=before: len(self.harbour._gathered._queue) > before)  # type: ignore[misc]
            self.open.set()
            return [future.result(PATIENCE) for future in futures]

    def _tried(self, command: Command) -> Answer | Refused:
        try:
            return self.harbour.handle(command)
        except Refused as refusal:
            return refusal


def at_once(harbour: Harbour, *commands: Command) -> list[Answer | Refused]:
    return Held(harbour).at_once(*(issue(command) for command in commands))


def counted(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that will have the number of facts of each append."""
    sizes: list[int] = []
    store = log.recorder.store  # type: ignore[attr-defined]

    def counting(append: Any) -> range:
        positions: range = store(append)
        sizes.append(len(append.events))
        return positions

    monkeypatch.setattr(log.recorder, "store", counting)
    return sizes


def test_commands_at_once_share_an_append(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(harbour, "gull", "tern")
    sizes = counted(harbour.log, monkeypatch)
    answers = at_once(harbour, load(1), load(2), load(0, "tern"), load(3, "tern"))
    assert sizes == [1, 1, 3]
    assert answers == [
        Answer("gull", 2, 5),
        Answer("gull", 3, 6),
        Answer("tern", 1, 6),
        Answer("tern", 2, 7),
    ]
    assert do(harbour, load(4)).version == 4


def test_who_is_refused_takes_nobody_along(harbour: Harbour) -> None:
    built(harbour)
    answers = at_once(harbour, load(60), load(60), load(40), BuildBoat(boat_id="gull"))
    assert [type(answer) for answer in answers] == [Answer, Overloaded, Answer, Taken]
    assert [e.tons for e in said(harbour) if isinstance(e, CargoLoaded)] == [1, 60, 40]


def test_what_one_looks_at_is_not_made_again_by_the_next(harbour: Harbour) -> None:
    built(harbour)
    do(harbour, load(1))
    answers = at_once(harbour, load(0), BuildBoat(boat_id="gull"), load(2))
    assert [type(answer) for answer in answers] == [Answer, Taken, Answer]
    assert harbour.log.version("gull") == 3
    again = harbour.bulk([issue(load(0)), issue(BuildBoat(boat_id="gull"))])
    assert [type(answer) for answer in again] == [Answer, Taken]


def test_those_who_are_overtaken_are_decided_again_as_one(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(harbour, "gull", "tern")
    do(harbour, load(0))
    do(Harbour(harbour.log), load(90))
    sizes = counted(harbour.log, monkeypatch)
    answers = at_once(harbour, load(5), load(5, "tern"), load(6, "tern"))
    assert [type(answer) for answer in answers] == [Answer] * 3
    assert sizes == [1, 1, 3]


def test_what_another_process_did_meanwhile_counts_for_all(harbour: Harbour) -> None:
    built(harbour, "gull", "tern")
    do(harbour, load(0))
    do(harbour, load(0, "tern"))
    do(Harbour(harbour.log), load(90))
    answers = at_once(harbour, load(20), load(5), load(20, "tern"))
    assert [type(answer) for answer in answers] == [Overloaded, Answer, Answer]
    assert harbour.log.version("gull") == 3
    assert harbour.log.version("tern") == 2


def test_a_command_sent_twice_at_once_is_carried_out_once(harbour: Harbour) -> None:
    built(harbour)
    command = issue(load(5), command_id="one")
    first, second, other = Held(harbour).at_once(command, command, issue(load(6)))
    assert first == second
    assert isinstance(other, Answer)
    assert harbour.log.version("gull") == 3


def test_one_that_expects_what_another_changed_is_stale(harbour: Harbour) -> None:
    built(harbour)
    _, stale, right = Held(harbour).at_once(
        issue(load(1)), issue(load(2), expected_version=1), issue(load(3), expected_version=2)
    )
    assert isinstance(stale, Conflict)
    assert isinstance(right, Answer)


def test_of_those_who_want_one_berth_one_gets_it(harbour: Harbour) -> None:
    boats = ["gull", "tern", "skua"]
    built(harbour, *boats)
    answers = at_once(harbour, *(MoorBoat(boat_id=boat, berth="north") for boat in boats))
    assert sorted(type(answer).__name__ for answer in answers) == ["Answer", "Taken", "Taken"]
    winner = next(answer.id for answer in answers if isinstance(answer, Answer))
    assert harbour.log.holder(BERTH, "north") == winner


commands = st.one_of(
    st.builds(BuildBoat, boat_id=st.sampled_from(["gull", "tern", "skua"])),
    st.builds(LaunchBoat, boat_id=st.sampled_from(["gull", "tern", "skua"])),
    st.builds(load, st.sampled_from([0, 40, 60]), st.sampled_from(["gull", "tern", "skua"])),
    st.builds(
        MoorBoat,
        boat_id=st.sampled_from(["gull", "tern"]),
        berth=st.sampled_from(["north", "south"]),
        evict=st.booleans(),
    ),
    st.builds(LeaveBerth, boat_id=st.sampled_from(["gull", "tern"])),
)


@given(
    before=st.lists(commands, max_size=4),
    some=st.lists(commands, min_size=2, max_size=4),
    elsewhere=st.lists(commands, max_size=2),
)
def test_commands_at_once_do_what_they_do_in_some_order(
    before: list[Command], some: list[Command], elsewhere: list[Command]
) -> None:
    def prepared() -> Harbour:
        harbour = built(Harbour(EventLog("harbour")), "gull", "tern")
        for command in before:
            tried(harbour, command)
        for command in elsewhere:
            tried(Harbour(harbour.log), command)
        return harbour

    together = prepared()
    found = [kind(result) for result in at_once(together, *some)]
    for order in permutations(range(len(some))):
        one_by_one = built(prepared(), "ferry")
        do(one_by_one, load(1, "ferry"))
        told = {turn: kind(tried(one_by_one, some[turn])) for turn in order}
        if [told[turn] for turn in range(len(some))] == found and shape(one_by_one) == shape(
            together
        ):
            return
    raise AssertionError(f"no order of {some} gives {found}")


def tried(harbour: Harbour, command: Command) -> Answer | Refused:
    try:
        return do(harbour, command)
    except Refused as refusal:
        return refusal


def kind(result: Answer | Refused) -> object:
    """Return what does not depend on the order in which others came."""
    return (result.id, result.version) if isinstance(result, Answer) else result.rule


def shape(harbour: Harbour) -> dict[str, list[Any]]:
    """Return what is said of each boat, in order."""
    facts = harbour.log.read(0, 1000)
    return {
        boat: [fact.event for fact in facts if fact.stream_id == boat]
        for boat in sorted({fact.stream_id for fact in facts})
    }
