"""What PostgreSQL adds: writers side by side, connections that break, servers that restart."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait

import psycopg
import pytest

from shared.chassis.database import OUTAGE, Database
from shared.chassis.eventstore import (
    AnsweredCommand,
    AppendConflict,
    Claim,
    CommandRepeated,
    EventLog,
)
from tests.eventstore.conftest import opened
from tests.eventstore.toys import ToyMade, append, facts
from tests.servers.private import PrivatePostgres

pytestmark = [pytest.mark.capability("PLT-01"), pytest.mark.servers]

WRITERS = 8
EACH = 1000


@pytest.fixture
def log(postgres_database: str) -> Iterator[EventLog]:
    with opened(Database.postgres(postgres_database)) as log:
        yield log


@pytest.fixture
def other(postgres_database: str, log: EventLog) -> Iterator[EventLog]:
    """Return the same log as another process has it."""
    with opened(Database.postgres(postgres_database)) as other:
        yield other


def test_nobody_sees_a_position_before_those_below_it(log: EventLog, other: EventLog) -> None:
    append(log, "a", ToyMade())
    with ThreadPoolExecutor(1) as pool:
        with log.transaction():
            append(log, "held", ToyMade())
            later = pool.submit(append, other, "later", ToyMade())
            wait([later], timeout=0.3)
            assert [fact.position for fact in other.read(0)] == [1]
        assert list(later.result()) == [3]
    assert [fact.stream_id for fact in other.read(0)] == ["a", "held", "later"]


def test_a_transaction_given_up_leaves_no_gap_to_those_who_waited(
    log: EventLog, other: EventLog
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(InterruptedError), log.transaction():  # noqa: PT012
            append(log, "held", ToyMade(), ToyMade())
            later = pool.submit(append, other, "later", ToyMade())
            wait([later], timeout=0.3)
            raise InterruptedError
        assert list(later.result()) == [1]


def test_a_reader_that_follows_never_meets_a_gap(log: EventLog, other: EventLog) -> None:
    def write(name: str) -> None:
        for version in range(40):
            with log.transaction():
                append(log, name, ToyMade(), after=version)
                log.version(name)

    seen: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, name) for name in "abcd"]
        while not all(done.done() for done in writing) or seen[-1:] != [160]:
            seen += [fact.position for fact in other.read(seen[-1] if seen else 0)]
    assert seen == list(range(1, 161))


def _write(url: str, name: str) -> int:
    with opened(Database.postgres(url)) as log, ThreadPoolExecutor(2) as pool:
        halves = [f"{name}-{half}" for half in "xy"]
        return sum(pool.map(_write_one, [log] * 2, halves))


def _write_one(log: EventLog, name: str) -> int:
    lost = 0
    for number in range(EACH // 2):
        append(log, name, ToyMade(name=str(number)), after=number)
        if number % 10 == 0:
            try:
                append(log, "shared", ToyMade(name=name), after=log.version("shared"))
            except AppendConflict:
                lost += 1
    return lost


@pytest.mark.slow
def test_eight_processes_leave_no_gap_and_lose_nothing(
    postgres_database: str, log: EventLog
) -> None:
    names = [f"writer-{number}" for number in range(WRITERS)]
    with ProcessPoolExecutor(WRITERS, multiprocessing.get_context("spawn")) as pool:
        lost = sum(pool.map(_write, [postgres_database] * WRITERS, names))
    streams: dict[str, list[str]] = {}
    position = 0
    while run := log.read(position, 1000):
        for fact in run:
            position += 1
            assert fact.position == position
            streams.setdefault(fact.stream_id, []).append(getattr(fact.event, "name", ""))
            assert fact.version == len(streams[fact.stream_id])
    shared = streams.pop("shared")
    assert len(shared) == WRITERS * EACH // 10 - lost
    assert streams == {
        f"{name}-{half}": [str(number) for number in range(EACH // 2)]
        for name in names
        for half in "xy"
    }


def test_a_claim_waits_for_the_transaction_that_took_it_first(
    log: EventLog, other: EventLog
) -> None:
    def claim() -> object:
        return other.append(facts("b", ToyMade()), claims=[Claim("phone", "1", "b")])

    with ThreadPoolExecutor(1) as pool:
        with log.transaction():
            log.append(facts("a", ToyMade()), claims=[Claim("phone", "1", "a")])
            waiting = pool.submit(claim)
            wait([waiting], timeout=0.3)
            assert not waiting.done()
        with pytest.raises(AppendConflict):
            waiting.result()
    assert (other.holder("phone", "1"), other.tip()) == ("a", 1)


def test_a_claim_is_free_again_when_the_transaction_that_took_it_is_given_up(
    log: EventLog, other: EventLog
) -> None:
    def claim() -> object:
        return other.append(facts("b", ToyMade()), claims=[Claim("phone", "1", "b")])

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(InterruptedError), log.transaction():  # noqa: PT012
            log.append(facts("a", ToyMade()), claims=[Claim("phone", "1", "a")])
            waiting = pool.submit(claim)
            wait([waiting], timeout=0.3)
            raise InterruptedError
        waiting.result()
    assert (other.holder("phone", "1"), other.tip()) == ("b", 1)


def test_what_was_read_is_checked_after_those_who_were_first(
    log: EventLog, other: EventLog
) -> None:
    append(log, "a", ToyMade())
    with ThreadPoolExecutor(1) as pool:
        with log.transaction():
            append(log, "a", ToyMade(), after=1)
            waiting = pool.submit(other.append, facts("b", ToyMade()), reads={"a": 1})
            wait([waiting], timeout=0.3)
        with pytest.raises(AppendConflict, match="a is at version 2"):
            waiting.result()


def test_a_repeat_waits_for_the_first_answer(log: EventLog, other: EventLog) -> None:
    answers = [AnsweredCommand("one", "a", 1)]
    with ThreadPoolExecutor(1) as pool:
        with log.transaction():
            log.append(facts("a", ToyMade()), answers=answers)
            waiting = pool.submit(other.append, facts("b", ToyMade()), answers=answers)
            wait([waiting], timeout=0.3)
        with pytest.raises(CommandRepeated):
            waiting.result()


def test_who_is_let_in_alone_keeps_others_waiting(log: EventLog, other: EventLog) -> None:
    with ThreadPoolExecutor(1) as pool:
        with log.alone():
            waiting = pool.submit(append, other, "b", ToyMade())
            wait([waiting], timeout=0.3)
            assert list(append(log, "a", ToyMade())) == [1]
        assert list(waiting.result()) == [2]


def test_logs_opened_at_once_make_their_tables_once(postgres_database: str) -> None:
    def first_append(name: str) -> None:
        with opened(Database.postgres(postgres_database)) as log:
            append(log, name, ToyMade())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(first_append, "abcd"))
    with opened(Database.postgres(postgres_database)) as log:
        assert log.tip() == 4


def test_a_long_batch_is_one_append(log: EventLog) -> None:
    made = [fact for n in range(3000) for fact in facts(f"s{n}", ToyMade(maker="王芳"))]
    positions = log.append(
        made,
        claims=[Claim("phone", str(n), f"s{n}") for n in range(3000)],
        answers=[AnsweredCommand(f"c{n}", f"s{n}", 1, n + 1) for n in range(3000)],
    )
    assert positions == range(1, 3001)
    assert getattr(log.answer("c2999"), "position", None) == 3000
    assert [fact.event for fact in log.read(2998)] == [ToyMade(maker="王芳")] * 2


def _end_sessions(url: str) -> None:
    """End all sessions on the database but our own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid != pg_backend_pid()"
        )


def test_ended_sessions_are_replaced_unnoticed(postgres_database: str, log: EventLog) -> None:
    append(log, "a", ToyMade())
    _end_sessions(postgres_database)
    assert log.tip() == 1
    _end_sessions(postgres_database)
    append(log, "a", ToyMade(), after=1)
    _end_sessions(postgres_database)
    with log.transaction():
        append(log, "a", ToyMade(), after=2)
    _end_sessions(postgres_database)
    with log.database.read():
        assert log.tip() == 3


def test_a_session_ended_in_the_middle_stores_nothing(
    postgres_database: str, log: EventLog
) -> None:
    with pytest.raises(OUTAGE), log.transaction():  # noqa: PT012
        append(log, "a", ToyMade())
        _end_sessions(postgres_database)
        append(log, "b", ToyMade())
    assert log.tip() == 0
    assert list(append(log, "c", ToyMade())) == [1]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_server_that_comes_back_has_what_was_stored(
    private_postgres: PrivatePostgres, how: str
) -> None:
    with opened(Database.postgres(private_postgres.url)) as log:
        before = log.tip()
        append(log, f"before-{how}", ToyMade())
        getattr(private_postgres, how)()
        with pytest.raises(OUTAGE):
            append(log, "lost", ToyMade())
        with pytest.raises(OUTAGE):
            log.tip()
        private_postgres.start()
        assert log.tip() == before + 1
        assert list(append(log, f"after-{how}", ToyMade())) == [before + 2]
