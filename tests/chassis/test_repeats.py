"""A repeated command id is answered as it was the first time."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.chassis.shapes import Conflict
from tests.chassis.harbour import (
    AlreadyAfloat,
    BuildBoat,
    CargoLoaded,
    Harbour,
    LaunchBoat,
    Overloaded,
    built,
    do,
    load,
    said,
)

pytestmark = pytest.mark.capability("PLT-09")


def test_a_repeat_gets_the_first_answer_and_changes_nothing(harbour: Harbour) -> None:
    first = do(harbour, BuildBoat(boat_id="gull", name="Albatros"), command_id="one")
    do(harbour, load(10))
    assert do(harbour, BuildBoat(boat_id="gull", name="Albatros"), command_id="one") == first
    assert (first.id, first.version, first.position) == ("gull", 1, 1)
    assert first.outcome == {"name": "Albatros"}
    assert harbour.log.tip() == 2


def test_the_first_wish_counts_whatever_the_repeat_says(harbour: Harbour) -> None:
    first = do(built(harbour), load(10), command_id="one")
    assert do(harbour, load(20), command_id="one", expected_version=99) == first
    assert said(harbour)[1:] == [CargoLoaded(tons=10)]


def test_a_repeat_of_what_changed_nothing_changes_nothing_later(harbour: Harbour) -> None:
    first = do(built(harbour), load(0), command_id="one")
    assert (first.version, first.position) == (1, 1)
    assert do(harbour, load(5), command_id="one") == first


def test_a_refused_command_may_be_issued_again(harbour: Harbour) -> None:
    do(built(harbour), load(90))
    with pytest.raises(Overloaded):
        do(harbour, load(20), command_id="one")
    assert do(harbour, load(10), command_id="one").version == 3


def test_a_stale_command_may_be_issued_again(harbour: Harbour) -> None:
    built(harbour)
    with pytest.raises(Conflict):
        do(harbour, load(20), command_id="one", expected_version=7)
    assert do(harbour, load(20), command_id="one", expected_version=1).version == 2


def test_threads_that_repeat_one_command_get_one_answer(harbour: Harbour) -> None:
    built(harbour)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: do(harbour, load(n), command_id="one"), range(1, 17)))
    assert len({(answer.version, answer.position) for answer in answers}) == 1
    assert harbour.log.tip() == 2


def test_a_repeat_that_overtakes_while_it_is_decided_gives_its_answer(harbour: Harbour) -> None:
    harbour.before.append(lambda: do(harbour, LaunchBoat(boat_id="gull"), command_id="one"))
    assert do(harbour, LaunchBoat(boat_id="gull"), command_id="one").version == 1
    with pytest.raises(AlreadyAfloat):
        do(harbour, LaunchBoat(boat_id="gull"), command_id="two")


def test_a_repeat_that_overtakes_and_changes_nothing_gives_its_answer(harbour: Harbour) -> None:
    built(harbour).meanwhile.append(lambda: do(harbour, load(0), command_id="one"))
    assert do(harbour, load(0), command_id="one").version == 1


def test_a_repeat_that_creates_blindly_gets_its_own_answer(harbour: Harbour) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: do(harbour, BuildBoat(boat_id="gull"), command_id="one"), range(16))
        )
    assert {answer.version for answer in answers} == {1}
    assert harbour.log.tip() == 1
