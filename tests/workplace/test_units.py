import pytest

from services.workplace.application import WorkplaceApplication
from services.workplace.commands import CloseUnit, CreateUnit, MoveUnit, RenameUnit
from services.workplace.domain.unit import UnitIsClosed, UnitTreeGoesInCircles
from shared.chassis.shapes import NotFound, Taken
from shared.chassis.testing import scenario
from shared.events.workplace import UnitMoved, UnitRenamed
from tests.workplace.builders import TODAY, UNIT, unit_closed, unit_created

pytestmark = pytest.mark.capability("WRK-01")


def test_a_unit_is_set_up_under_another() -> None:
    (
        scenario(WorkplaceApplication)
        .given(UNIT, unit_created())
        .when(CreateUnit(unit_id="unit-2", name="上海", parent_id=UNIT))
        .then(unit_created(name="上海", parent_id=UNIT))
        .when(CreateUnit(unit_id="unit-2", name="上海", parent_id=UNIT))
        .then_refused(Taken, holder="unit-2")
        .when(CreateUnit(name="北京", parent_id="nowhere"))
        .then_refused(NotFound, id="nowhere")
    )


def test_a_unit_gets_another_name_or_head() -> None:
    (
        scenario(WorkplaceApplication)
        .given(UNIT, unit_created())
        .when(RenameUnit(unit_id=UNIT, head_id="emp-li"))
        .then(UnitRenamed(name="华东销售", head_id="emp-li"))
        .when(RenameUnit(unit_id=UNIT, name="华东销售"))
        .then_nothing()
    )


def test_a_unit_moves_but_never_under_its_own() -> None:
    tree = (
        scenario(WorkplaceApplication)
        .given("top", unit_created())
        .given("middle", unit_created(parent_id="top"))
        .given("bottom", unit_created(parent_id="middle"))
    )
    (
        tree.when(MoveUnit(unit_id="top", parent_id="bottom"))
        .then_refused(UnitTreeGoesInCircles, parent_id="bottom")
        .when(MoveUnit(unit_id="top", parent_id="top"))
        .then_refused(UnitTreeGoesInCircles)
        .when(MoveUnit(unit_id="bottom", parent_id="top"))
        .then(UnitMoved(parent_id="top", previous_parent_id="middle", effective_on=TODAY))
        .when(MoveUnit(unit_id="bottom", parent_id="top"))
        .then_nothing()
        .when(MoveUnit(unit_id="bottom"))
        .then(UnitMoved(previous_parent_id="top", effective_on=TODAY))
    )


def test_a_closed_unit_is_left_alone() -> None:
    (
        scenario(WorkplaceApplication)
        .given(UNIT, unit_created())
        .when(CloseUnit(unit_id=UNIT))
        .then(unit_closed())
        .when(CloseUnit(unit_id=UNIT))
        .then_nothing()
        .when(RenameUnit(unit_id=UNIT, name="x"))
        .then_refused(UnitIsClosed)
        .when(CreateUnit(name="x", parent_id=UNIT))
        .then_refused(UnitIsClosed)
    )
