"""Many commands in one transaction do what they would have done one after the other."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chassis.application import Work
from shared.chassis.eventstore import EventLog
from shared.chassis.shapes import Answer, Command, Conflict, Refused, Taken
from shared.chassis.testing import NOON, issue
from tests.chassis.harbour import (
    BERTH,
    BoatBuilt,
    BuildBoat,
    CargoLoaded,
    Harbour,
    LaunchBoat,
    LeaveBerth,
    LoadCargo,
    MoorBoat,
    Overloaded,
    built,
    do,
    load,
    said,
)

pytestmark = pytest.mark.capability("PLT-09", "PLT-10")


def bulk(harbour: Harbour, *commands: Command) -> list[Answer | Refused]:
    return harbour.bulk([issue(command) for command in commands])


def test_each_is_answered_or_refused_on_its_own(harbour: Harbour) -> None:
    built(harbour, "tern")
    results = bulk(
        harbour,
        BuildBoat(boat_id="gull", name="Albatros"),
        load(60),
        load(60),
        BuildBoat(boat_id="tern"),
        load(0),
        load(40),
    )
    assert [type(result) for result in results] == [
        Answer,
        Answer,
        Overloaded,
        Taken,
        Answer,
        Answer,
    ]
    assert results[0] == Answer("gull", 1, 2, {"name": "Albatros"})
    assert results[1] == Answer("gull", 2, 3)
    assert results[4] == Answer("gull", 2, 3)
    assert results[5] == Answer("gull", 3, 4)
    assert said(harbour)[1:] == [
        BoatBuilt(name="Albatros"),
        CargoLoaded(tons=60),
        CargoLoaded(tons=40),
    ]


def test_nothing_to_do_is_fine(harbour: Harbour) -> None:
    assert harbour.bulk([]) == []


def test_the_same_new_id_twice_is_refused_the_second_time(harbour: Harbour) -> None:
    first, second = bulk(harbour, BuildBoat(boat_id="gull"), BuildBoat(boat_id="gull"))
    assert isinstance(first, Answer)
    assert isinstance(second, Taken)
    assert second.holder == "gull"


def test_a_repeated_command_id_gets_one_answer_within_and_across_batches(harbour: Harbour) -> None:
    commands = [
        issue(BuildBoat(boat_id="gull"), command_id="one"),
        issue(load(5), command_id="two"),
        issue(load(5), command_id="two"),
    ]
    first = harbour.bulk(commands)
    assert first[1] == first[2] == Answer("gull", 2, 2)
    assert harbour.bulk(commands) == first
    assert do(harbour, load(7), command_id="two") == first[1]
    assert harbour.log.tip() == 2


def test_a_refused_members_id_may_come_again(harbour: Harbour) -> None:
    refused, accepted = harbour.bulk(
        [
            issue(load(5), command_id="one"),
            issue(BuildBoat(boat_id="gull")),
        ]
    )
    assert isinstance(refused, Refused)
    assert isinstance(accepted, Answer)
    assert do(harbour, load(5), command_id="one").version == 2


def test_a_key_claimed_by_one_member_is_taken_for_the_next(harbour: Harbour) -> None:
    built(harbour, "gull", "tern")
    results = bulk(
        harbour,
        MoorBoat(boat_id="gull", berth="north"),
        MoorBoat(boat_id="tern", berth="north"),
        LeaveBerth(boat_id="gull"),
        MoorBoat(boat_id="tern", berth="north"),
    )
    assert [isinstance(result, Answer) for result in results] == [True, False, True, True]
    assert isinstance(results[1], Taken)
    assert results[1].holder == "gull"
    assert harbour.log.holder(BERTH, "north") == "tern"


def test_a_member_that_expects_what_an_earlier_one_changed_is_stale(harbour: Harbour) -> None:
    built(harbour)
    stale, right = harbour.bulk(
        [
            issue(load(1)),
            issue(load(2), expected_version=1),
            issue(load(3), expected_version=2),
        ]
    )[1:]
    assert isinstance(stale, Conflict)
    assert stale.current_version == 2
    assert right == Answer("gull", 3, 3)


def test_a_member_that_recreates_what_an_earlier_one_made_is_told_its_version(
    harbour: Harbour,
) -> None:
    results = harbour.bulk(
        [
            issue(BuildBoat(boat_id="gull")),
            issue(load(1)),
            issue(BuildBoat(boat_id="gull"), expected_version=0),
        ]
    )
    assert isinstance(results[-1], Conflict)
    assert results[-1].current_version == 2


def test_batches_and_single_commands_at_once_lose_nothing(harbour: Harbour) -> None:
    built(harbour)

    def work(number: int) -> int:
        if number % 2:
            return do(harbour, load(1)).version
        results = bulk(harbour, *[load(1)] * 3)
        return sum(isinstance(result, Answer) for result in results)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(24)))
    assert harbour.log.version("gull") == 1 + 12 + 36


def test_an_error_that_is_no_refusal_takes_the_whole_batch_back(harbour: Harbour) -> None:
    built(harbour)

    def broken(work: Work) -> str:
        work.record("gull", [CargoLoaded(tons=1)])
        raise ZeroDivisionError

    harbour._methods[LaunchBoat] = lambda command: harbour.commit(command, broken)
    with pytest.raises(ZeroDivisionError):
        bulk(harbour, load(60), BuildBoat(boat_id="tern"), LaunchBoat(boat_id="skua"))
    assert harbour.log.tip() == 1
    assert do(harbour, load(1)).version == 2
    assert do(harbour, BuildBoat(boat_id="tern")).version == 1


def test_facts_say_when_why_and_on_whose_word(harbour: Harbour) -> None:
    earlier = NOON - timedelta(days=400)

    def decide(work: Work) -> str:
        work.record("gull", [BoatBuilt(name="a")], at=earlier, rule="harbour.birth@2")
        work.record("gull", [CargoLoaded(tons=1)])
        return "gull"

    harbour.commit(issue(load(1), command_id="one", import_id="book-7"), decide)
    born, filled = harbour.log.read(0)
    assert (born.occurred_at, born.recorded_at, born.rule) == (earlier, NOON, "harbour.birth@2")
    assert (filled.occurred_at, filled.rule) == (NOON, None)
    assert {(f.actor, f.command_id, f.import_id) for f in (born, filled)} == {
        ("tester", "one", "book-7")
    }


def test_streams_that_are_named_are_read_at_once(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(harbour, "gull", "tern")
    elsewhere = Harbour(harbour.log)
    singly: list[str] = []

    def stream(log: EventLog, stream_id: str, after: int = 0) -> list[Any]:
        singly.append(stream_id)
        return log.streams([stream_id])[stream_id][after:]

    monkeypatch.setattr(EventLog, "stream", stream)
    commands = [issue(LoadCargo(boat_id=boat, tons=60)) for boat in ("gull", "tern", "tern")]
    results = elsewhere.bulk(commands, ["gull", "tern"])
    assert [type(result) for result in results] == [Answer, Answer, Overloaded]
    assert singly == []


def test_what_a_transaction_reads_after_it_wrote_is_not_remembered(harbour: Harbour) -> None:
    built(harbour, "gull")
    with pytest.raises(InterruptedError), harbour.log.transaction():  # noqa: PT012
        assert isinstance(bulk(harbour, load(60))[0], Answer)
        assert isinstance(bulk(harbour, load(60))[0], Overloaded)
        raise InterruptedError
    assert isinstance(bulk(harbour, load(60))[0], Answer)


boats = st.sampled_from(["gull", "tern"])
berths = st.sampled_from(["north", "south"])
wishes = st.one_of(
    st.builds(BuildBoat, boat_id=boats),
    st.builds(LaunchBoat, boat_id=boats),
    st.builds(LoadCargo, boat_id=boats, tons=st.sampled_from([0, 1, 60])),
    st.builds(MoorBoat, boat_id=boats, berth=berths, evict=st.booleans()),
    st.builds(LeaveBerth, boat_id=boats),
)
issued = st.lists(
    st.tuples(
        wishes, st.none() | st.sampled_from(["one", "two"]), st.none() | st.sampled_from([0, 1, 2])
    ),
    max_size=12,
)


@given(
    issued,
    st.lists(st.integers(1, 5), min_size=12, max_size=12),
    st.sets(st.sampled_from(["gull", "tern", "skua"])),
)
def test_any_batches_do_what_single_commands_do(
    wanted: Sequence[tuple[Command, str | None, int | None]], sizes: Sequence[int], ahead: set[str]
) -> None:
    commands = [
        issue(command, command_id=command_id or f"own-{number}", expected_version=version)
        for number, (command, command_id, version) in enumerate(wanted)
    ]
    one, many = Harbour(EventLog("harbour")), Harbour(EventLog("harbour"))
    singly = [_result(one, command) for command in commands]
    batched = [
        _comparable(result) for batch in _cut(commands, sizes) for result in many.bulk(batch, ahead)
    ]
    assert batched == singly
    assert many.log.read(0, 1000) == one.log.read(0, 1000)
    for berth in ("north", "south"):
        assert many.log.holder(BERTH, berth) == one.log.holder(BERTH, berth)


def _result(harbour: Harbour, command: Command) -> Any:
    try:
        return _comparable(harbour.handle(command))
    except Refused as refused:
        return _comparable(refused)


def _comparable(result: Answer | Refused) -> Any:
    return result if isinstance(result, Answer) else (type(result), result.details)


def _cut(commands: Sequence[Command], sizes: Sequence[int]) -> Iterator[Sequence[Command]]:
    start = 0
    for size in sizes:
        yield commands[start : start + size]
        start += size
