"""Commands that meet are decided one after the other; a stale one is told where things stand."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial

import pytest

from shared.chassis.application import Work
from shared.chassis.shapes import Conflict, NotFound, Taken, Unavailable
from shared.chassis.testing import issue
from shared.events.base import Event
from tests.chassis.harbour import (
    Boat,
    BoatBuilt,
    BuildBoat,
    CargoLoaded,
    Harbour,
    LaunchBoat,
    Overloaded,
    built,
    do,
    load,
    said,
    write,
)

pytestmark = pytest.mark.capability("PLT-10")


@dataclass(frozen=True)
class Waybill:
    """What came on board, seen by another kind of aggregate on the boat's own stream."""

    loads: tuple[int, ...] = ()

    @staticmethod
    def evolve(state: "Waybill | None", event: Event) -> "Waybill | None":
        match event:
            case BoatBuilt():
                return Waybill()
            case CargoLoaded(tons=tons) if state is not None:
                return Waybill((*state.loads, tons))
        return state


def test_who_loses_a_race_decides_again_on_what_is_true_then(harbour: Harbour) -> None:
    built(harbour).meanwhile.append(lambda: do(harbour, load(60)))
    with pytest.raises(Overloaded) as refused:
        do(harbour, load(60))
    assert refused.value.details == {"aboard": 60}
    assert said(harbour)[1:] == [CargoLoaded(tons=60)]


def test_who_loses_a_race_and_may_still_act_acts(harbour: Harbour) -> None:
    built(harbour).meanwhile.append(lambda: do(harbour, load(60)))
    answer = do(harbour, load(30))
    assert (answer.version, answer.position) == (3, 3)
    assert said(harbour)[1:] == [CargoLoaded(tons=60), CargoLoaded(tons=30)]


def test_who_loses_every_race_may_try_again_later(harbour: Harbour) -> None:
    built(harbour)
    harbour.meanwhile = [partial(write, harbour, "gull", CargoLoaded(tons=0))] * 100
    with pytest.raises(Unavailable):
        do(harbour, load(1))
    harbour.meanwhile.clear()
    before = harbour.log.version("gull")
    assert do(harbour, load(1)).version == before + 1


def test_who_loses_many_races_is_let_in_alone(harbour: Harbour) -> None:
    built(harbour)
    with ThreadPoolExecutor(1) as pool:

        def rival_writes() -> None:
            wait([pool.submit(write, harbour, "gull", CargoLoaded(tons=0))], timeout=0.2)

        harbour.meanwhile = [rival_writes] * 20
        do(harbour, load(1))
    assert said(harbour).count(CargoLoaded(tons=1)) == 1


def test_no_update_is_lost_between_many_threads(harbour: Harbour) -> None:
    built(harbour)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: do(harbour, load(1)), range(80)))
    assert sorted(answer.version for answer in answers) == list(range(2, 82))
    with pytest.raises(Overloaded) as refused:
        do(harbour, load(21))
    assert refused.value.details == {"aboard": 80}


@pytest.mark.parametrize("looked", [True, False])
def test_one_decision_sees_one_version_of_a_stream(harbour: Harbour, *, looked: bool) -> None:
    built(harbour)

    def looks(work: Work) -> str:
        assert work.load(Waybill, "gull").loads == (60,)
        return "gull"

    def rival_loads() -> None:
        do(harbour, load(60))
        if looked:
            harbour.commit(issue(load(0)), looks)

    rivals = [rival_loads]
    seen: list[tuple[int, tuple[int, ...]]] = []

    def decide(work: Work) -> str:
        boat = work.load(Boat, "gull")
        if rivals:
            rivals.pop()()
        seen.append((boat.tons, work.load(Waybill, "gull").loads))
        work.record("gull", boat.load(load(40)))
        return "gull"

    assert harbour.commit(issue(load(40)), decide).version == 3
    assert seen == [(0, ()), (60, (60,))]


def test_what_a_decision_only_looked_at_is_still_so_when_it_is_stored(harbour: Harbour) -> None:
    built(harbour, "gull", "tern")
    rivals: list[Callable[[], object]] = [lambda: do(harbour, load(60))]

    def follow(work: Work) -> str:
        tons = work.load(Boat, "gull").tons
        if rivals:
            rivals.pop()()
        assert work.version("tern") == 1
        work.record("tern", [CargoLoaded(tons=tons)])
        return "tern"

    harbour.commit(issue(load(0)), follow)
    assert said(harbour)[-1] == CargoLoaded(tons=60)


def test_that_there_was_nothing_is_still_so_when_it_is_stored(harbour: Harbour) -> None:
    rivals: list[Callable[[], object]] = [lambda: built(harbour, "gull")]

    def unless_there(work: Work) -> str:
        there = work.find(Boat, "gull") is not None
        if rivals:
            rivals.pop()()
        if not there:
            work.record("tern", [BoatBuilt(name="the only one")])
        return "tern"

    harbour.commit(issue(load(0)), unless_there)
    assert len(said(harbour)) == 1


def test_a_limit_over_several_streams_holds_between_many_threads(harbour: Harbour) -> None:
    boats = ["gull", "tern", "auk", "skua"]
    built(harbour, *boats)

    def load_if_the_fleet_may(number: int) -> None:
        def decide(work: Work) -> str:
            if sum(work.load(Boat, boat).tons for boat in boats) < 5:
                work.record(boats[number % 4], [CargoLoaded(tons=1)])
            return boats[number % 4]

        harbour.commit(issue(load(1)), decide)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(load_if_the_fleet_may, range(24)))
    assert said(harbour)[4:] == [CargoLoaded(tons=1)] * 5


def test_a_stream_that_was_only_counted_is_appended_to_after_a_lost_race(harbour: Harbour) -> None:
    built(harbour)
    rivals: list[Callable[[], object]] = [lambda: do(harbour, load(60))]

    def decide(work: Work) -> str:
        work.version("gull")
        if rivals:
            rivals.pop()()
        work.record("gull", [CargoLoaded(tons=1)])
        return "gull"

    assert harbour.commit(issue(load(1)), decide).version == 3


def test_a_stale_version_is_refused_naming_the_current_one(harbour: Harbour) -> None:
    do(built(harbour), load(1))
    with pytest.raises(Conflict) as refused:
        do(harbour, load(1), expected_version=1)
    assert refused.value.current_version == 2
    assert do(harbour, load(1), expected_version=2).version == 3


def test_a_version_that_goes_stale_while_deciding_is_refused(harbour: Harbour) -> None:
    built(harbour).meanwhile.append(lambda: do(harbour, load(60)))
    with pytest.raises(Conflict) as refused:
        do(harbour, load(30), expected_version=1)
    assert refused.value.current_version == 2


def test_a_stale_version_is_refused_even_when_nothing_would_change(harbour: Harbour) -> None:
    do(built(harbour), load(1))
    with pytest.raises(Conflict) as refused:
        do(harbour, load(0), expected_version=1)
    assert refused.value.current_version == 2
    assert do(harbour, load(0), expected_version=2).version == 2


def test_what_does_not_exist_yet_is_at_version_zero(harbour: Harbour) -> None:
    with pytest.raises(Conflict) as refused:
        do(harbour, BuildBoat(boat_id="gull"), expected_version=3)
    assert refused.value.current_version == 0
    assert do(harbour, BuildBoat(boat_id="gull"), expected_version=0).version == 1


def test_who_expects_to_create_what_exists_is_told_its_version(harbour: Harbour) -> None:
    do(built(harbour), load(1))
    with pytest.raises(Conflict) as refused:
        do(harbour, BuildBoat(boat_id="gull"), expected_version=0)
    assert refused.value.current_version == 2


def test_an_id_is_given_once(harbour: Harbour) -> None:
    built(harbour)
    with pytest.raises(Taken) as refused:
        do(harbour, BuildBoat(boat_id="gull"))
    assert refused.value.holder == "gull"
    assert harbour.log.tip() == 1


def test_of_many_threads_that_create_one_thing_one_does(harbour: Harbour) -> None:
    def create(number: int) -> bool:
        try:
            do(harbour, BuildBoat(boat_id="gull", name=str(number)))
        except Taken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(16))) == 1
    assert harbour.log.tip() == 1


def test_there_is_nothing_under_the_id_of_another_kind(harbour: Harbour) -> None:
    write(harbour, "quay", CargoLoaded(tons=1))
    with pytest.raises(NotFound, match="there is no boat quay"):
        do(harbour, load(1, "quay"))
    assert do(harbour, LaunchBoat(boat_id="quay")).version == 2


def test_a_transaction_that_fails_is_forgotten(harbour: Harbour) -> None:
    built(harbour)
    with pytest.raises(InterruptedError), harbour.log.transaction():  # noqa: PT012
        assert do(harbour, load(60)).version == 2
        assert do(harbour, load(40)).version == 3
        raise InterruptedError
    assert said(harbour)[1:] == []
    assert do(harbour, load(60)).version == 2
    assert said(harbour)[1:] == [CargoLoaded(tons=60)]
