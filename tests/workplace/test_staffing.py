import pytest

from services.workplace.commands import (
    CreateUnit,
    DefineRole,
    EstablishRoles,
    GrantRole,
    HireEmployee,
)
from services.workplace.service import SERVICE
from services.workplace.staffing import StaffFileInvalid, command_id, staff_commands
from shared.chassis.service import open_service
from shared.chassis.shapes import Answer
from shared.chassis.testing import issue

pytestmark = pytest.mark.capability("WRK-01", "WRK-02")

FILE = """\
employees:
  - id: wang-fang
    name: 王芳
    unit: sales-east
    manager: li-wei
    joined_on: 2025-04-01
    roles: [sales_rep, scout]
  - id: li-wei
    name: 李伟
    email: li@example.cn
    phone: +8613912345678
    unit: sales-east
    roles: [sales_manager]
units:
  - {id: sales-east, name: 华东销售, parent: hq, head: li-wei}
  - {id: hq, name: 总部, kind: company}
roles:
  - {role: scout, title: Scout, rights: [leads.List*]}
"""


def violations(text: str) -> dict[str, str]:
    with pytest.raises(StaffFileInvalid) as refused:
        staff_commands(text)
    return {violation.field: violation.description for violation in refused.value.violations}


def test_a_staff_file_becomes_commands_in_an_order_that_works() -> None:
    commands = staff_commands(FILE)
    assert [type(command) for command in commands] == [
        EstablishRoles, DefineRole, CreateUnit, CreateUnit, HireEmployee, GrantRole, HireEmployee,
        GrantRole, GrantRole,
    ]  # fmt: skip
    service = open_service(SERVICE)
    assert service.application is not None
    for command in commands:
        answer = service.application.handle(issue(command, command_id=command_id(command)))
        assert isinstance(answer, Answer)
    tip = service.log.tip()
    for command in staff_commands(FILE):
        service.application.handle(issue(command, command_id=command_id(command)))
    assert service.log.tip() == tip


def test_an_empty_file_sets_up_the_built_in_roles() -> None:
    assert staff_commands("") == [EstablishRoles()]


def test_every_field_that_does_not_fit_is_named_with_its_line() -> None:
    found = violations(
        """\
units:
  - {id: hq, name: 总部, kind: castle}
employees:
  - id: li wei
    name: 李伟
    joined_on: 2025-02-30
    salary: 1
"""
    )
    assert list(found) == [
        "line 2: units.0.kind",
        "line 4: employees.0.id",
        "line 6: employees.0.joined_on",
        "line 7: employees.0.salary",
    ]


def test_every_contradiction_is_named_with_its_line() -> None:
    found = violations(
        """\
units:
  - {id: hq, name: HQ, parent: moon}
  - {id: hq, name: HQ, head: ghost}
employees:
  - id: li-wei
    name: 李伟
    unit: cellar
    manager: ghost
    email: nobody@
    roles: [king]
"""
    )
    assert found == {
        "line 3: units.1.id": "hq stands twice",
        "line 2: units.0.parent": "there is no unit moon",
        "line 3: units.1.head": "there is no employee ghost",
        "line 7: employees.0.unit": "there is no unit cellar",
        "line 8: employees.0.manager": "there is no employee ghost",
        "line 10: employees.0.roles.0": "there is no role king",
        "line 9: employees.0.email": found["line 9: employees.0.email"],
    }


def test_circles_are_named() -> None:
    found = violations(
        """\
units:
  - {id: a, name: A, parent: b}
  - {id: b, name: B, parent: a}
"""
    )
    assert list(found) == ["line 2: units"]
    assert found["line 2: units"] in {"go in circles: a → b → a", "go in circles: b → a → b"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("units: [", "line 1"),
        ("\tunits: 1", "line 1"),
        ("- 1", "line 1"),
        ("units: 7", "line 1: units"),
    ],
)
def test_what_is_no_staff_file_is_refused(text: str, place: str) -> None:
    assert list(violations(text)) == [place]
