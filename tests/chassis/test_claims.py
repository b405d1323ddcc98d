"""A claimed key has one holder, who may give it up or lose it by a decision."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.chassis.shapes import Taken
from tests.chassis.harbour import (
    BERTH,
    BoatLeft,
    BoatMoored,
    Harbour,
    LeaveBerth,
    MoorBoat,
    built,
    do,
    said,
)

pytestmark = pytest.mark.capability("PLT-01")


def moor(boat: str, berth: str = "north", *, evict: bool = False) -> MoorBoat:
    return MoorBoat(boat_id=boat, berth=berth, evict=evict)


def test_a_held_key_is_refused_naming_its_holder(harbour: Harbour) -> None:
    do(built(harbour, "gull", "tern"), moor("gull"))
    with pytest.raises(Taken) as refused:
        do(harbour, moor("tern"))
    assert (refused.value.holder, refused.value.details["scope"]) == ("gull", BERTH)
    assert harbour.log.holder(BERTH, "north") == "gull"


def test_a_released_key_is_free(harbour: Harbour) -> None:
    do(built(harbour, "gull", "tern"), moor("gull"))
    do(harbour, LeaveBerth(boat_id="gull"))
    assert harbour.log.holder(BERTH, "north") is None
    do(harbour, moor("tern"))
    assert harbour.log.holder(BERTH, "north") == "tern"


def test_one_command_may_move_a_key_to_another_holder(harbour: Harbour) -> None:
    do(built(harbour, "gull", "tern"), moor("gull"))
    do(harbour, moor("tern", evict=True))
    assert harbour.log.holder(BERTH, "north") == "tern"
    assert said(harbour)[-2:] == [BoatLeft(berth="north"), BoatMoored(berth="north")]
    do(harbour, LeaveBerth(boat_id="gull"))
    assert harbour.log.holder(BERTH, "north") == "tern"


def test_moving_on_gives_the_old_key_up(harbour: Harbour) -> None:
    do(built(harbour, "gull", "tern"), moor("gull", "north"))
    do(harbour, moor("gull", "south"))
    do(harbour, moor("tern", "north"))
    assert [harbour.log.holder(BERTH, b) for b in ("north", "south")] == ["tern", "gull"]


def test_a_refused_command_claims_and_releases_nothing(harbour: Harbour) -> None:
    do(built(harbour, "gull", "tern"), moor("gull", "north"))
    do(harbour, moor("tern", "south"))
    with pytest.raises(Taken):
        do(harbour, moor("tern", "north"))
    assert harbour.log.holder(BERTH, "south") == "tern"


def test_a_key_that_is_taken_while_deciding_is_refused_naming_the_winner(harbour: Harbour) -> None:
    built(harbour, "gull", "tern").meanwhile.append(lambda: do(harbour, moor("tern")))
    with pytest.raises(Taken) as refused:
        do(harbour, moor("gull"))
    assert refused.value.holder == "tern"


def test_a_key_that_is_given_up_while_deciding_is_not_given_up_twice(harbour: Harbour) -> None:
    do(built(harbour, "gull", "tern", "skua"), moor("gull"))
    harbour.meanwhile.append(lambda: do(harbour, moor("skua", evict=True)))
    do(harbour, moor("tern", evict=True))
    assert harbour.log.holder(BERTH, "north") == "tern"
    left = [fact.stream_id for fact in harbour.log.read(0) if isinstance(fact.event, BoatLeft)]
    assert left == ["gull", "skua"]


def test_of_many_threads_that_want_one_key_one_gets_it(harbour: Harbour) -> None:
    boats = [f"boat-{number}" for number in range(12)]
    built(harbour, *boats)

    def refused_by(boat: str) -> str | None:
        try:
            do(harbour, moor(boat))
        except Taken as taken:
            return taken.holder
        return None

    with ThreadPoolExecutor(6) as pool:
        refused = dict(zip(boats, pool.map(refused_by, boats), strict=True))
    winner = harbour.log.holder(BERTH, "north")
    assert [boat for boat in boats if refused[boat] is None] == [winner]
    assert {refused[boat] for boat in boats} == {None, winner}
