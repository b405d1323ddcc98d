"""Appends that come at the same time share a commit and keep their own fate."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy.exc import OperationalError

from shared.chassis.eventstore import AnsweredCommand, AppendConflict, Claim, CommandRepeated
from shared.chassis.eventstore import together as module
from shared.chassis.eventstore.memory import MemoryRecorder
from shared.chassis.eventstore.recorder import Append
from shared.chassis.eventstore.together import Together

pytestmark = pytest.mark.capability("PLT-01")

PATIENCE = 30


class Store:
    """A recorder in memory that notes what it is asked to store, and can be made to wait."""

    def __init__(self) -> None:
        self.recorder = MemoryRecorder()
        self.asked: list[list[str]] = []
        self.threads: list[int] = []
        self.failures: list[BaseException] = []
        self.entered = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def __call__(self, append: Append) -> range:
        self.asked.append([str(event.originator_id) for event in append.events])
        self.threads.append(threading.get_ident())
        self.entered.set()
        assert self.open.wait(PATIENCE)
        if self.failures:
            raise self.failures.pop(0)
        return self.recorder.store(append)


class Crowd:
    """Threads that append while the first of them is being stored, in a known order."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.together = Together(store)
        self._pool = ThreadPoolExecutor(16)

    @contextmanager
    def busy(self, first: Append | None = None) -> Iterator[Future[range]]:
        """Keep the first append in the store while the block queues others."""
        self.store.entered.clear()
        self.store.open.clear()
        holder = self._pool.submit(self.together.store, first or made("first"))
        assert self.store.entered.wait(PATIENCE)
        try:
            yield holder
        finally:
            self.store.open.set()

    def queued(self, append: Append) -> Future[range]:
        """Let a thread append; return when it waits."""
        before = len(self.together._queue)
        future = self._pool.submit(self.together.store, append)
        until(lambda: len(self.together._queue) > before)
        return future

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd(Store())
    yield crowd
    crowd.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what other threads are about to do."""
    pause = threading.Event()
    for _ in range(PATIENCE * 1000):
        if condition():
            return
        pause.wait(0.001)
    raise TimeoutError


def events(stream_id: str, *versions: int) -> list[StoredEvent]:
    return [StoredEvent(stream_id, version, "toys.ToyMade.v1", b"{}") for version in versions]


def made(stream_id: str, *versions: int) -> Append:
    """Return an append of new facts of one stream, answering one command."""
    some = events(stream_id, *(versions or (1,)))
    return Append(some, answers=[AnsweredCommand(f"make-{stream_id}", stream_id, 1, len(some))])


def results(futures: Sequence[Future[range]]) -> list[object]:
    """Return the positions taken, or the kind of error."""
    return [
        type(error) if (error := future.exception(PATIENCE)) else list(future.result())
        for future in futures
    ]


def test_who_comes_alone_stores_at_once(crowd: Crowd) -> None:
    assert crowd.together.store(made("a")) == range(1, 2)
    assert crowd.together.store(made("b")) == range(2, 3)
    assert crowd.store.threads == [threading.get_ident()] * 2


def test_those_who_come_meanwhile_are_stored_in_one(crowd: Crowd) -> None:
    with crowd.busy() as first:
        others = [
            crowd.queued(made("a", 1, 2)),
            crowd.queued(Append([], answers=[AnsweredCommand("nothing", "a", 0)])),
            crowd.queued(made("b")),
        ]
    assert results([first, *others]) == [[1], [2, 3], [], [4]]
    assert others[1].result().stop == 4
    assert crowd.store.asked == [["first"], ["a", "a", "b"]]
    answers = crowd.store.recorder.select_answers(["make-a", "nothing", "make-b"])
    assert [answer.position for answer in answers.values()] == [3, 3, 4]


def test_who_is_refused_takes_nobody_along(crowd: Crowd) -> None:
    crowd.together.store(made("old", 1, 2))
    with crowd.busy():
        futures = [
            crowd.queued(made("a")),
            crowd.queued(Append(events("old", 2))),
            crowd.queued(Append(events("b", 1), answers=[AnsweredCommand("make-old", "b", 1)])),
            crowd.queued(made("c")),
        ]
    assert results(futures) == [[4], AppendConflict, CommandRepeated, [5]]


def test_of_those_who_meet_the_first_is_stored_and_the_others_are_told(crowd: Crowd) -> None:
    with crowd.busy():
        futures = [
            crowd.queued(made("a")),
            crowd.queued(Append(events("a", 1))),
            crowd.queued(Append(events("b", 1), reads={"a": 0})),
            crowd.queued(made("c")),
        ]
    assert results(futures) == [[2], AppendConflict, AppendConflict, [3]]
    assert crowd.store.asked == [["first"], ["a", "c"]]


def test_two_who_look_at_what_the_other_writes_are_not_both_stored(crowd: Crowd) -> None:
    with crowd.busy():
        futures = [
            crowd.queued(Append(events("a", 1), reads={"b": 0})),
            crowd.queued(Append(events("b", 1), reads={"a": 0})),
        ]
    assert results(futures) == [[2], AppendConflict]


@pytest.mark.parametrize("mistaken", [0, 1])
def test_two_who_saw_different_versions_are_told_apart(crowd: Crowd, mistaken: int) -> None:
    versions = [1, 1]
    versions[mistaken] = 0
    crowd.together.store(made("seen"))
    with crowd.busy():
        futures = [
            crowd.queued(Append(events(name, 1), reads={"seen": version}))
            for name, version in zip("ab", versions, strict=True)
        ]
    expected: list[object] = [[3], [3]]
    expected[mistaken] = AppendConflict
    assert results(futures) == expected


def test_a_key_given_up_by_one_may_be_taken_by_the_next(crowd: Crowd) -> None:
    crowd.together.store(Append(events("a", 1), claims=[Claim("phone", "1", "a")]))
    with crowd.busy():
        futures = [
            crowd.queued(Append(events("a", 2), releases=[Claim("phone", "1", "a")])),
            crowd.queued(Append(events("b", 1), claims=[Claim("phone", "1", "b")])),
        ]
    assert results(futures) == [[3], [4]]
    assert crowd.store.recorder.select_claim("phone", "1") == "b"


def test_many_facts_at_once_do_not_wait_for_each_other(crowd: Crowd) -> None:
    with crowd.busy():
        futures = [crowd.queued(made(name, *range(1, 301))) for name in "ab"]
    assert [len(list(future.result())) for future in futures] == [300, 300]
    assert [len(asked) for asked in crowd.store.asked] == [1, 300, 300]


def test_a_lost_connection_is_told_to_all_and_the_next_goes_on(crowd: Crowd) -> None:
    with crowd.busy() as first:
        futures = [crowd.queued(made("a")), crowd.queued(made("b"))]
        crowd.store.failures += [
            OperationalError("first", {}, Exception()),
            OperationalError("both", {}, Exception()),
        ]
    assert results([first, *futures]) == [OperationalError] * 3
    assert list(crowd.together.store(made("c"))) == [1]


def test_an_error_of_one_is_not_the_others(crowd: Crowd) -> None:
    with crowd.busy() as first:
        futures = [crowd.queued(made("a")), crowd.queued(made("b"))]
        crowd.store.failures += [ValueError("first"), ValueError("both"), ValueError("a")]
    assert results([first, *futures]) == [ValueError, ValueError, [1]]


def test_others_are_stored_when_who_stores_is_ended(crowd: Crowd) -> None:
    with crowd.busy() as first:
        futures = [crowd.queued(made(name)) for name in "abc"]
        crowd.store.failures += [SystemExit(), SystemExit()]
    assert results([first, futures[0]]) == [SystemExit, SystemExit]
    assert results(futures[1:]) == [[1], [2]]
    assert list(crowd.together.store(made("d"))) == [3]


def test_others_are_stored_when_who_waits_is_ended(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = threading.Event()

    class Ended:
        """The lock of a thread that is ended while it waits for it."""

        def __init__(self) -> None:
            self.acquire = self.born

        def born(self) -> None:
            self.acquire = self.end

        def end(self) -> None:
            assert ending.wait(PATIENCE)
            raise SystemExit

        def release(self) -> None:
            ending.set()

    with crowd.busy() as first:
        with monkeypatch.context() as patched:
            patched.setattr(module, "Lock", Ended)
            ended = crowd.queued(made("a"))
        other = crowd.queued(made("b"))
    assert results([first, ended, other]) == [[1], SystemExit, [2]]


def test_a_crowd_that_writes_all_the_time_loses_nothing(crowd: Crowd) -> None:
    def write(name: str) -> list[int]:
        return [
            position
            for version in range(1, 51)
            for position in crowd.together.store(Append(events(name, version)))
        ]

    with ThreadPoolExecutor(16) as pool:
        taken = [position for own in pool.map(write, "abcdefghijklmnop") for position in own]
    assert sorted(taken) == list(range(1, 801))


class Slow:
    """The guard of a group, which holds one thread up just after it has let go."""

    def __init__(self, guard: Any) -> None:
        self._guard = guard
        self.held: int | None = None
        self.out = threading.Event()
        self.go = threading.Event()

    def __enter__(self) -> None:
        self._guard.acquire()

    def __exit__(self, *_: object) -> None:
        self._guard.release()
        if threading.get_ident() == self.held and not self.out.is_set():
            self.out.set()
            assert self.go.wait(PATIENCE)


def test_who_is_made_the_leader_before_it_waits_leads(crowd: Crowd) -> None:
    together = crowd.together
    together._guard = guard = Slow(together._guard)  # type: ignore[assignment]

    def late() -> range:
        guard.held = threading.get_ident()
        return together.store(made("late"))

    with crowd.busy() as first:
        second = crowd._pool.submit(late)
        assert guard.out.wait(PATIENCE)
    assert len(first.result(PATIENCE)) == 1
    guard.go.set()
    assert len(second.result(PATIENCE)) == 1
    assert len(together.store(made("third"))) == 1
