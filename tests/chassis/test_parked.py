"""A row that cannot be folded waits, in order, while all others go on; on every database."""

from collections.abc import Iterator

import pytest

from tests.chassis.harbour import BoatBuilt, CargoLoaded
from tests.chassis.quay import Boats, Loads, Quay
from tests.servers.ground import Ground

POISON = 13


@pytest.fixture
def quay(ground: Ground) -> Iterator[Quay]:
    """A harbour in which one boat's cargo cannot be folded for the time being."""
    opened = Quay(database=ground.database())
    Boats.poisonous.add(POISON)
    opened.write(
        ("gull", BoatBuilt(name="Möwe")),
        ("gull", CargoLoaded(tons=POISON)),
        ("tern", BoatBuilt(name="海鸥")),
        ("gull", CargoLoaded(tons=5)),
        ("tern", CargoLoaded(tons=7)),
    )
    opened.follow()
    yield opened
    Boats.poisonous.clear()
    opened.close()


def test_only_the_row_that_fails_waits(quay: Quay) -> None:
    rows = quay.rows(Boats)
    assert (rows["gull",]["loads"], rows["tern",]["loads"]) == ([], [7])
    assert len(quay.rows(Loads)) == 3
    assert [(letter.lane, letter.position) for letter in quay.parked()] == [
        ("gull", 2),
        ("gull", 4),
    ]


def test_what_waits_is_applied_in_order_once_it_can_be(quay: Quay) -> None:
    assert quay.subscription.retry("boats", "gull") == 0
    Boats.poisonous.clear()
    assert quay.subscription.retry("boats", "gull") == 2
    assert quay.parked() == []
    assert quay.rows(Boats) == quay.told(Boats)


def test_what_is_skipped_lets_the_rest_of_its_row_go_on(quay: Quay) -> None:
    assert quay.subscription.skip("boats", "gull", "cargo of another harbour") == 1
    assert quay.parked() == []
    assert quay.rows(Boats)["gull",]["loads"] == [5]


def test_a_rebuild_leaves_nothing_waiting(quay: Quay) -> None:
    Boats.poisonous.clear()
    quay.rebuild(Boats)
    assert quay.parked() == []
    assert quay.rows(Boats) == quay.told(Boats)
