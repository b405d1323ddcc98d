"""A process decides on what it saw last; whatever others did since then still counts."""

import pytest

from shared.chassis.shapes import Conflict, NotFound
from tests.chassis.harbour import (
    AlreadyAfloat,
    BoatBuilt,
    BoatMoored,
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

pytestmark = pytest.mark.capability("PLT-10")


@pytest.fixture
def other(harbour: Harbour) -> Harbour:
    """Another process over the same log."""
    return Harbour(harbour.log)


def test_what_another_process_did_is_decided_upon(harbour: Harbour, other: Harbour) -> None:
    do(built(harbour), load(1))
    do(other, load(60))
    answer = do(harbour, load(30))
    assert (answer.version, answer.position) == (4, 4)
    do(other, load(5))
    assert [event for event in said(harbour) if isinstance(event, CargoLoaded)] == [
        CargoLoaded(tons=tons) for tons in (1, 60, 30, 5)
    ]


def test_a_refusal_tells_how_things_stand_now(harbour: Harbour, other: Harbour) -> None:
    do(built(harbour), load(50))
    do(other, load(40))
    with pytest.raises(Overloaded) as refused:
        do(harbour, load(60))
    assert refused.value.details == {"aboard": 90}


def test_what_no_longer_forbids_a_command_does_not_refuse_it(
    harbour: Harbour, other: Harbour
) -> None:
    do(built(harbour, "gull", "tern"), MoorBoat(boat_id="gull", berth="north"))
    do(harbour, LoadCargo(boat_id="gull", tons=0))
    do(other, LeaveBerth(boat_id="gull"))
    do(harbour, MoorBoat(boat_id="gull", berth="north"))
    assert said(harbour)[-1] == BoatMoored(berth="north")


def test_what_did_not_exist_when_it_was_looked_for_is_found(
    harbour: Harbour, other: Harbour
) -> None:
    with pytest.raises(NotFound):
        do(harbour, load(1))
    do(other, BuildBoat(boat_id="gull"))
    assert do(harbour, load(1)).version == 2


def test_what_exists_by_now_is_not_made_again(harbour: Harbour, other: Harbour) -> None:
    with pytest.raises(NotFound):
        do(harbour, load(1))
    do(other, LaunchBoat(boat_id="gull"))
    with pytest.raises(AlreadyAfloat):
        do(harbour, LaunchBoat(boat_id="gull"))
    assert said(harbour) == [BoatBuilt(name="new")]


def test_an_expected_version_is_held_against_the_log(harbour: Harbour, other: Harbour) -> None:
    do(built(harbour), load(1))
    do(other, load(1))
    with pytest.raises(Conflict) as refused:
        do(harbour, load(1), expected_version=2)
    assert refused.value.details["current_version"] == 3
    assert do(harbour, load(1), expected_version=3).version == 4


def test_a_command_that_changes_nothing_is_answered_with_the_version_there_is(
    harbour: Harbour, other: Harbour
) -> None:
    do(built(harbour), load(1))
    do(other, load(1))
    assert do(harbour, load(0)).version == 3
