"""The engine writes the rows that the folds say, however the facts are cut into batches."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from shared.chassis import tracking
from shared.chassis.projections import Projector
from shared.chassis.projections.rows import rows_of
from shared.chassis.shapes import Key, Row
from shared.chassis.testing import recorded
from shared.events.base import Event
from tests.chassis.harbour import BoatBuilt, BoatLeft, BoatMoored, BoatSunk, CargoLoaded
from tests.chassis.quay import HISTORIES, PROJECTIONS, Boats, Loads, Quay, Visits
from tests.servers.ground import Ground

pytestmark = pytest.mark.capability("PLT-03")


@pytest.fixture
def quay(ground: Ground) -> Iterator[Quay]:
    opened = Quay(database=ground.database())
    yield opened
    opened.close()


@settings(max_examples=50)
@given(HISTORIES, st.lists(st.integers(1, 6), min_size=25, max_size=25))
def test_rows_are_what_the_folds_say_however_facts_are_cut(
    ground: Ground, history: Sequence[tuple[str, Event]], cuts: Sequence[int]
) -> None:
    quay = Quay(database=ground.database())
    quay.write(*history)
    projector, after = Projector(PROJECTIONS), 0
    for size in cuts:
        batch = quay.log.read(after, size)
        after += len(batch)
        with quay.views.transaction() as connection:
            for projection in PROJECTIONS:
                projector.apply(connection, projection, batch)
    for projection in PROJECTIONS:
        assert quay.rows(projection) == quay.told(projection)
    quay.close()


def test_a_row_that_ends_and_begins_within_a_batch_is_the_new_one(quay: Quay) -> None:
    quay.write(("gull", CargoLoaded(tons=3)), ("gull", BoatSunk()), ("gull", CargoLoaded(tons=5)))
    quay.follow()
    assert quay.rows(Boats)["gull",]["loads"] == [5]


def test_a_row_that_ends_is_gone(quay: Quay) -> None:
    quay.write(("gull", BoatMoored(berth="north")))
    quay.follow()
    assert set(quay.rows(Visits)) == {("north", "gull"), ("north", "anybody")}
    quay.write(("gull", BoatLeft(berth="north")))
    quay.follow()
    assert quay.rows(Visits) == {}


def test_a_key_that_is_named_twice_is_folded_once(quay: Quay) -> None:
    class Twice(Boats):
        table = Boats.table

        @staticmethod
        def keys(recorded: Any) -> Sequence[Key]:
            return [(recorded.stream_id,), (recorded.stream_id,)]

    with quay.views.transaction() as connection:
        Projector([Twice]).apply(connection, Twice, [recorded(CargoLoaded(tons=7), "gull")])
    assert quay.rows(Boats)["gull",]["loads"] == [7]


def test_facts_of_other_kinds_are_passed_over(quay: Quay) -> None:
    quay.write(("gull", BoatBuilt(name="Möwe")), ("gull", BoatMoored(berth="north")))
    quay.follow()
    assert quay.rows(Loads) == {}
    with quay.views.read() as connection:
        known = tracking.positions(connection)
    assert {known[projection.name, "harbour"] for projection in PROJECTIONS} == {2}


def test_a_row_that_stays_as_it_was_is_not_written(quay: Quay) -> None:
    """A fold may answer with the row it was given; the database then keeps its pages."""
    quay.write(("gull", BoatBuilt(name="Möwe")))
    quay.follow()
    with quay.views.transaction() as connection:
        before = written(connection)
        rows_of(Boats.table, connection).write(connection, [])
        Projector([Still]).apply(connection, Still, quay.log.read(0))
        assert written(connection) == before


def written(connection: Connection) -> Any:
    """Return what changes whenever the row of the one boat is written."""
    if connection.dialect.name == "sqlite":
        return connection.exec_driver_sql("SELECT total_changes()").scalar_one()
    return connection.exec_driver_sql("SELECT ctid::text FROM boats").scalar_one()


class Still(Boats):
    table = Boats.table

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Any) -> Row | None:
        return row
