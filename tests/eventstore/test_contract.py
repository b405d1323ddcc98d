"""What every recorder promises."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from eventsourcing.persistence import IntegrityError

from shared.chassis.database import Database
from shared.chassis.eventstore import (
    AnsweredCommand,
    AppendConflict,
    Claim,
    CommandRepeated,
    CorruptLog,
    EventLog,
    PersonIsErased,
)
from tests.eventstore.toys import ToyGiven, ToyMade, append, facts

pytestmark = pytest.mark.capability("PLT-01")


def test_what_was_appended_is_read_back_in_order(log: EventLog) -> None:
    made, given = ToyMade(name="熊", maker="王芳"), ToyGiven(child_id="kid", wish="球", note=None)
    append(log, "a", made, given)
    append(log, "b", ToyMade())
    read = log.read(0)
    assert [(f.position, f.stream_id, f.version) for f in read] == [
        (1, "a", 1),
        (2, "a", 2),
        (3, "b", 1),
    ]
    assert read[0].event == ToyMade(name="熊", maker="王芳")
    assert read[1].event == ToyGiven(child_id="kid", wish="球", note=None)
    assert log.tip() == 3


def test_reading_starts_after_a_position_and_stops_at_the_limit(log: EventLog) -> None:
    append(log, "a", *(ToyMade(name=str(n)) for n in range(10)))
    assert [f.position for f in log.read(3, 4)] == [4, 5, 6, 7]
    assert log.read(10) == []


def test_rare_topics_are_found_however_far_apart(log: EventLog) -> None:
    rare = ToyGiven(child_id="kid", wish="球", note=None)
    many = [ToyMade()] * 6000
    append(log, "a", rare, *many, rare, *many, rare, ToyMade())
    topics = [ToyGiven.topic]
    assert [f.position for f in log.read(0, topics=topics)] == [1, 6002, 12003]
    assert [f.position for f in log.read(0, 2, topics=topics)] == [1, 6002]
    assert [f.position for f in log.read(1, upto=12002, topics=topics)] == [6002]
    assert [f.position for f in log.read(12002, 1, topics=topics)] == [12003]
    assert log.read(12003, topics=topics) == []
    assert log.read(0, upto=10**6, topics=[ToyMade.topic])[-1].position == 257


def test_a_stream_is_read_from_a_version_on(log: EventLog) -> None:
    append(log, "a", ToyMade(), ToyMade(), ToyMade())
    append(log, "b", ToyMade())
    assert [f.version for f in log.stream("a", 1)] == [2, 3]
    assert log.stream("nobody") == []
    assert (log.version("a"), log.version("nobody")) == (3, 0)


def test_a_taken_version_is_refused_and_nothing_is_stored(log: EventLog) -> None:
    append(log, "a", ToyMade())
    with pytest.raises(AppendConflict):
        log.append([*facts("b", ToyMade()), *facts("a", ToyMade())])
    assert log.tip() == 1
    assert log.stream("b") == []


def test_what_was_only_read_must_not_have_moved_on(log: EventLog) -> None:
    append(log, "a", ToyMade(), ToyMade())
    log.append(facts("b", ToyMade()), reads={"a": 2, "nobody": 0})
    for reads in ({"a": 1}, {"a": 3}, {"a": 2, "b": 0}, {"nobody": 1}):
        with pytest.raises(AppendConflict):
            log.append(facts("c", ToyMade()), reads=reads)
    assert log.tip() == 3


def test_an_append_may_only_make_sure_of_something(log: EventLog) -> None:
    append(log, "a", ToyMade())
    positions = log.append([], reads={"a": 1}, answers=[AnsweredCommand("one", "a", 1)])
    assert (list(positions), positions.stop) == ([], 2)
    assert getattr(log.answer("one"), "position", None) == 1


def test_a_version_is_not_left_out(log: EventLog) -> None:
    append(log, "a", ToyMade())
    for mistaken in (
        facts("a", ToyMade(), after=2),
        facts("new", ToyMade(), after=1),
        [*facts("a", ToyMade(), after=1), *facts("a", ToyMade(), after=3)],
    ):
        with pytest.raises(AppendConflict):
            log.append(mistaken)
    assert log.tip() == 1


def test_conflicts_are_the_librarys_integrity_errors() -> None:
    assert issubclass(AppendConflict, IntegrityError)
    assert issubclass(CommandRepeated, IntegrityError)


def test_several_streams_are_appended_whole(log: EventLog) -> None:
    positions = log.append([*facts("a", ToyMade(), ToyMade()), *facts("b", ToyMade())])
    assert list(positions) == [1, 2, 3]


def test_a_claimed_key_has_one_holder_within_its_scope(log: EventLog) -> None:
    log.append(facts("a", ToyMade()), claims=[Claim("phone", "+8613900000000", "a")])
    with pytest.raises(AppendConflict):
        log.append(facts("b", ToyMade()), claims=[Claim("phone", "+8613900000000", "b")])
    log.append(facts("b", ToyMade()), claims=[Claim("fax", "+8613900000000", "b")])
    assert log.holder("phone", "+8613900000000") == "a"
    assert log.holder("fax", "+8613900000000") == "b"
    assert log.holder("phone", "+8613911111111") is None
    assert log.tip() == 2


def test_many_keys_are_looked_up_at_once(log: EventLog) -> None:
    claims = [Claim(scope, str(number), f"s{number}") for scope in "ab" for number in range(300)]
    log.append(facts("s0", ToyMade()), claims=claims)
    asked = [(scope, str(number)) for scope in "abc" for number in range(400)]
    held = {(claim.scope, claim.key): claim.stream_id for claim in claims}
    assert log.holders(asked) == {place: held.get(place) for place in asked}
    assert log.holders([]) == {}


def test_a_released_key_can_be_claimed_in_the_same_append(log: EventLog) -> None:
    log.append(facts("a", ToyMade()), claims=[Claim("phone", "1", "a")])
    log.append(
        facts("b", ToyMade()),
        releases=[Claim("phone", "1", "a")],
        claims=[Claim("phone", "1", "b")],
    )
    assert log.holder("phone", "1") == "b"


def test_releasing_what_another_holds_is_a_conflict(log: EventLog) -> None:
    log.append(facts("a", ToyMade()), claims=[Claim("phone", "1", "a")])
    with pytest.raises(AppendConflict):
        log.append(facts("b", ToyMade()), releases=[Claim("phone", "1", "b")])
    assert log.holder("phone", "1") == "a"


def test_a_repeated_command_is_told_so_and_nothing_is_stored(log: EventLog) -> None:
    first = AnsweredCommand("command-1", "a", 1, events=1, outcome={"account": "x"})
    log.append(facts("a", ToyMade()), answers=[first])
    with pytest.raises(CommandRepeated):
        log.append(
            facts("b", ToyMade()),
            answers=[AnsweredCommand("command-1", "b", 1)],
            claims=[Claim("phone", "1", "b")],
        )
    stored = log.answer("command-1")
    assert stored is not None
    assert (stored.stream_id, stored.version, stored.position) == ("a", 1, 1)
    assert stored.outcome == {"account": "x"}
    assert log.tip() == 1
    assert log.holder("phone", "1") is None
    assert log.answer("command-2") is None


def test_an_answer_knows_its_place_in_a_bulk_append(log: EventLog) -> None:
    append(log, "z", ToyMade())
    log.append(
        [*facts("a", ToyMade()), *facts("b", ToyMade(), ToyMade())],
        answers=[
            AnsweredCommand("one", "a", 1, events=1),
            AnsweredCommand("two", "b", 2, events=3),
        ],
    )
    assert [getattr(log.answer(c), "position", None) for c in ("one", "two")] == [2, 4]


def test_appends_of_a_transaction_stand_or_fall_together(log: EventLog) -> None:
    with pytest.raises(RuntimeError), log.transaction():  # noqa: PT012 - a transaction is a block
        append(log, "a", ToyMade())
        append(log, "a", ToyMade(), after=1)
        assert log.tip() == 2
        raise RuntimeError
    assert (log.tip(), log.stream("a")) == (0, [])
    assert list(append(log, "a", ToyMade())) == [1]


def test_a_conflict_inside_a_transaction_leaves_what_was_there(log: EventLog) -> None:
    with log.transaction():
        append(log, "a", ToyMade())
        with pytest.raises(AppendConflict):
            log.append([*facts("b", ToyMade()), *facts("a", ToyMade())])
    assert [f.stream_id for f in log.read(0)] == ["a"]


def test_racing_threads_leave_no_gap_and_lose_nothing(log: EventLog) -> None:
    counters = {name: count() for name in "abcdefgh"}

    def write(name: str) -> int:
        written = 0
        while written < 25:
            append(log, name, ToyMade(name=str(next(counters[name]))), after=written)
            written += 1
        return written

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, counters)) == 200
    read = log.read(0, 1000)
    assert [f.position for f in read] == list(range(1, 201))
    for name in counters:
        assert [f.version for f in read if f.stream_id == name] == list(range(1, 26))


def test_a_person_taken_to_be_new_who_has_a_key_is_a_conflict(log: EventLog) -> None:
    log.append(facts("toy-1", ToyGiven(child_id="child-1", wish="a kite", note=None)))
    with pytest.raises(AppendConflict):
        log.append(facts("child-1", ToyMade(maker="王芳")), trusting=True)
    log.append(facts("child-1", ToyMade(maker="王芳")))
    log.append(facts("child-2", ToyMade(maker="李雷")), trusting=True)
    assert [fact.event.maker for fact in log.read(1)] == ["王芳", "李雷"]  # type: ignore[attr-defined]


def test_of_two_threads_that_claim_one_key_one_wins(log: EventLog) -> None:
    def claim(name: str) -> bool:
        try:
            log.append(facts(name, ToyMade()), claims=[Claim("phone", "1", name)])
        except AppendConflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(claim, [f"s{n}" for n in range(16)]))
    assert sum(won) == 1
    assert log.tip() == 1


@pytest.mark.capability("PLT-12")
def test_personal_data_is_sealed_with_a_key_per_person(log: EventLog) -> None:
    made, given = ToyMade(name="bear", maker="王芳"), ToyGiven(child_id="kid", wish="球", note="n")
    append(log, "a", made, given)
    for notification in log.recorder.select_notifications(None, 10):
        assert "王芳".encode() not in notification.state
        assert "球".encode() not in notification.state
        assert b"\\u7403" not in notification.state
    assert len(log.recorder.select_keys(["a", "kid"])) == 2  # type: ignore[attr-defined]


@pytest.mark.capability("PLT-12")
def test_a_destroyed_key_leaves_the_fact_and_redacts_the_person(log: EventLog) -> None:
    append(log, "a", ToyMade(name="bear", maker="王芳"))
    append(log, "b", ToyMade(name="cat", maker="李雷"))
    assert log.erase("a")
    assert not log.erase("a")
    gone, kept = log.read(0)
    assert (gone.event, gone.erased) == (ToyMade(name="bear", maker=None), True)
    assert (kept.event, kept.erased) == (ToyMade(name="cat", maker="李雷"), False)
    with pytest.raises(PersonIsErased):
        append(log, "a", ToyMade(maker="王芳"), after=1)


@pytest.mark.capability("PLT-12")
def test_sealed_data_moved_elsewhere_does_not_open(log: EventLog) -> None:
    append(log, "a", ToyMade(maker="王芳"))
    (stored,) = log.recorder.select_events("a")
    moved = type(stored)("a", 2, stored.topic, stored.state, 2)  # type: ignore[call-arg]
    log.recorder.insert_events([moved])
    with pytest.raises(CorruptLog, match="position 2"):
        log.read(1)


def test_claimed_keys_are_not_stored_in_the_clear(log: EventLog) -> None:
    log.append(facts("a", ToyMade()), claims=[Claim("phone", "+8613900000000", "a")])
    assert log.recorder.select_claim("phone", "+8613900000000") is None  # type: ignore[attr-defined]


def test_the_librarys_subscription_yields_what_comes(log: EventLog) -> None:
    append(log, "a", ToyMade(), ToyMade())
    with log.recorder.subscribe(gt=1) as subscription:
        assert next(subscription).id == 2
        append(log, "b", ToyMade())
        assert next(subscription).id == 3
        subscription.stop()
        assert list(subscription) == []


def test_unreadable_bytes_are_named_by_place(log: EventLog) -> None:
    append(log, "a", ToyMade())
    (stored,) = log.recorder.select_events("a")
    broken = type(stored)("a", 2, stored.topic, b"\xff", 2)  # type: ignore[call-arg]
    log.recorder.insert_events([broken])
    with pytest.raises(CorruptLog, match=r"toys log, position 2, a version 2"):
        log.read(0)


def test_another_installations_key_is_told_apart_from_corruption(
    tmp_path: Path,
) -> None:
    path = tmp_path / "toys.log.db"
    append(EventLog("toys", Database.sqlite(path), bytes(32)), "a", ToyMade(maker="王芳"))
    with pytest.raises(CorruptLog, match="key-encryption key does not open"):
        EventLog("toys", Database.sqlite(path), b"x" * 32).read(0)
