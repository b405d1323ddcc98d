from datetime import date

import pytest

from annals.staff import Ambiguous, Staff, Stranger
from shared.chassis.testing import recorded
from shared.events.workplace import (
    EmployeeJoined,
    EmployeeLeft,
    EmployeeMoved,
    EmployeeProfileChanged,
    RoleGranted,
    RoleRevoked,
    UnitCreated,
    UnitMoved,
)


def joined(id: str, name: str, number: str | None = None) -> object:
    event = EmployeeJoined(name=name, number=number, joined_on=date(2026, 1, 1))
    return recorded(event, id)


def staff(*facts: object) -> Staff:
    return Staff(facts)  # type: ignore[arg-type]


def test_a_member_is_found_by_id_number_name_or_mail() -> None:
    found = staff(
        recorded(
            EmployeeJoined(
                name="王小明", email="Wang@example.com", number="7", joined_on=date(2026, 1, 1)
            ),
            "e-1",
        )
    )
    for name in ("e-1", "7", "王小明", "wang@EXAMPLE.com"):
        assert found.member(name).id == "e-1"


def test_roles_and_unit_are_those_of_today() -> None:
    found = staff(
        recorded(UnitCreated(name="Company"), "company"),
        recorded(UnitCreated(name="South"), "south"),
        recorded(UnitMoved(parent_id="company", effective_on=date(2026, 2, 1)), "south"),
        joined("e-1", "Ada"),
        recorded(RoleGranted(role="rep"), "e-1"),
        recorded(RoleGranted(role="lead-admin"), "e-1"),
        recorded(RoleRevoked(role="rep"), "e-1"),
        recorded(EmployeeMoved(unit_id="south", effective_on=date(2026, 2, 1)), "e-1"),
        recorded(EmployeeProfileChanged(name="Ada Okafor", changed=("name",)), "e-1"),
    )
    member = found.member("Ada Okafor")
    assert member.roles == {"lead-admin"}
    assert found.path(member.unit_id) == "company/south"


def test_a_move_learnt_of_late_does_not_undo_a_later_one() -> None:
    found = staff(
        joined("e-1", "Ada"),
        recorded(EmployeeMoved(unit_id="south", effective_on=date(2026, 3, 1)), "e-1"),
        recorded(EmployeeMoved(unit_id="east", effective_on=date(2026, 2, 1)), "e-1"),
    )
    assert found.member("Ada").unit_id == "south"


def test_whoever_left_is_no_longer_on_the_staff() -> None:
    gone = recorded(EmployeeLeft(left_on=date(2026, 3, 1)), "e-1")
    with pytest.raises(Stranger):
        staff(joined("e-1", "Ada"), gone).member("Ada")


def test_namesakes_are_told_apart_by_id() -> None:
    namesakes = staff(joined("e-1", "Ada"), joined("e-2", "Ada"))
    with pytest.raises(Ambiguous, match="e-1, e-2"):
        namesakes.member("Ada")
    assert namesakes.member("e-2").id == "e-2"
