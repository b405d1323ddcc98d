"""Staff files: a company's units, roles and people in YAML, read into commands.

    units:
      - {id: hq, name: 总部, kind: company}
      - {id: sales-east, name: 华东销售, parent: hq, head: li-wei}
    roles:
      - {role: key_accounts, title: Key accounts, rights: [leads.*, accounts.*], scope: unit}
    employees:
      - {id: li-wei, name: 李伟, email: li@example.cn, unit: sales-east, roles: [sales_manager]}
      - {id: wang-fang, name: 王芳, unit: sales-east, manager: li-wei, roles: [sales_rep]}

The order within the file does not matter.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any
from uuid import UUID, uuid5

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.workplace.commands import (
    CreateUnit,
    DefineRole,
    EstablishRoles,
    GrantRole,
    HireEmployee,
    Right,
)
from services.workplace.domain.particulars import checked
from services.workplace.domain.role import BUILT_IN
from shared.chassis.shapes import Command, FieldViolation, Invalid
from shared.events.values import EmployeeId, Label, Slug, UnitId
from shared.events.workplace import DataScope, FieldRight, UnitKind

__all__ = ["StaffFileInvalid", "command_id", "staff_commands"]

_NAMESPACE = UUID("5d0f4c1e-7a55-5b0b-9f5c-2f8f1f6f7a10")


class StaffFileInvalid(Invalid):
    """The staff file cannot be used; every violation names its line and field."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class _Unit(_Part):
    id: UnitId
    name: Label
    kind: UnitKind = UnitKind.DEPARTMENT
    parent: UnitId | None = None
    head: EmployeeId | None = None
    region: Label | None = None


class _Role(_Part):
    role: Slug
    title: Label
    rights: tuple[Right, ...]
    fields: tuple[FieldRight, ...] = ()
    scope: DataScope = DataScope.ALL
    unit_ids: tuple[UnitId, ...] = ()


class _Employee(_Part):
    id: EmployeeId
    name: Label
    email: Annotated[str, StringConstraints(max_length=320)] | None = None
    phone: Annotated[str, StringConstraints(max_length=40)] | None = None
    language: str | None = None
    time_zone: str | None = None
    number: Label | None = None
    unit: UnitId | None = None
    position: Label | None = None
    manager: EmployeeId | None = None
    joined_on: date | None = None
    roles: tuple[Slug, ...] = ()


class _StaffFile(_Part):
    units: tuple[_Unit, ...] = ()
    roles: tuple[_Role, ...] = ()
    employees: Annotated[tuple[_Employee, ...], Field(max_length=100_000)] = ()


def staff_commands(text: str) -> list[Command]:
    """Return the commands that set up what a staff file says, in an order that can be carried out.

    Args:
        text: the file, YAML.

    Raises:
        StaffFileInvalid: names the line and field of everything that does not fit.
    """
    document, lines = _parsed(text)
    try:
        staff = _StaffFile.model_validate(document or {})
    except ValidationError as error:
        raise StaffFileInvalid(
            [_violation(lines, e["loc"], e["msg"]) for e in error.errors()]
        ) from error
    if found := [_violation(lines, place, text) for place, text in _contradictions(staff)]:
        raise StaffFileInvalid(found)
    return list(_commands(staff))


def command_id(command: Command) -> str:
    """Return the id under which a staff file's command is issued, so that a repeat adds nothing."""
    return str(uuid5(_NAMESPACE, f"{type(command).__name__}{command.model_dump_json()}"))


class _Loader(yaml.SafeLoader):
    """Leaves dates and numbers as they are written, so that `+8613912345678` stays a phone."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in known if tag.rpartition(":")[2] in {"null", "bool"}]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _parsed(text: str) -> tuple[Any, dict[tuple[Any, ...], int]]:
    """Return the document, and the line of everything in it by path."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        document = loader.construct_document(node) if node else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "file"
        problem = getattr(error, "problem", None) or "is not YAML"
        raise StaffFileInvalid([FieldViolation(place, str(problem))]) from error
    lines: dict[tuple[Any, ...], int] = {}
    pending: list[tuple[tuple[Any, ...], Any]] = [((), node)] if node else []
    while pending:
        path, node = pending.pop()
        lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            pending += [((*path, key.value), value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            pending += [((*path, index), value) for index, value in enumerate(node.value)]
    return document, lines


def _violation(
    lines: dict[tuple[Any, ...], int], path: tuple[Any, ...], description: str
) -> FieldViolation:
    known = next((path[:n] for n in range(len(path), -1, -1) if path[:n] in lines), ())
    field = ".".join(map(str, path))
    return FieldViolation(f"line {lines.get(known, 1)}: {field}".rstrip(": "), description)


def _contradictions(staff: _StaffFile) -> Iterator[tuple[tuple[Any, ...], str]]:
    units, people = [u.id for u in staff.units], [e.id for e in staff.employees]
    roles = [r.role for r in staff.roles]
    for section, key, ids in (("units", "id", units), ("roles", "role", roles),
                              ("employees", "id", people)):  # fmt: skip
        yield from (
            ((section, index, key), f"{one} stands twice")
            for index, one in enumerate(ids)
            if one in ids[:index]
        )
    for index, wanted in enumerate(staff.roles):
        try:
            DefineRole(**dict(wanted))
        except ValidationError as error:
            yield from ((("roles", index, *e["loc"]), e["msg"]) for e in error.errors())
    for index, unit in enumerate(staff.units):
        if unit.parent is not None and unit.parent not in units:
            yield ("units", index, "parent"), f"there is no unit {unit.parent}"
        if unit.head is not None and unit.head not in people:
            yield ("units", index, "head"), f"there is no employee {unit.head}"
    for index, employee in enumerate(staff.employees):
        if employee.unit is not None and employee.unit not in units:
            yield ("employees", index, "unit"), f"there is no unit {employee.unit}"
        if employee.manager is not None and employee.manager not in people:
            yield ("employees", index, "manager"), f"there is no employee {employee.manager}"
        for place, role in enumerate(employee.roles):
            if role not in roles and role not in BUILT_IN:
                yield ("employees", index, "roles", place), f"there is no role {role}"
        yield from _odd_particulars(index, employee)
    for section, links in (("units", {u.id: u.parent for u in staff.units}),
                           ("employees", {e.id: e.manager for e in staff.employees})):  # fmt: skip
        try:
            _above_first(links)
        except CycleError as error:
            yield (section,), f"go in circles: {' → '.join(error.args[1])}"


def _odd_particulars(index: int, employee: _Employee) -> Iterator[tuple[tuple[Any, ...], str]]:
    try:
        checked(employee.email, employee.phone, employee.time_zone)
    except Invalid as refusal:
        for violation in refusal.violations:
            yield ("employees", index, violation.field), violation.description


def _above_first(links: dict[str, str | None]) -> list[str]:
    """Return the ids so that whatever is above comes before; raise CycleError."""
    sorter = TopologicalSorter({one: [above] if above else [] for one, above in links.items()})
    return list(sorter.static_order())


def _commands(staff: _StaffFile) -> Iterator[Command]:
    yield EstablishRoles()
    for role in staff.roles:
        yield DefineRole(**dict(role))
    units = {unit.id: unit for unit in staff.units}
    for unit in _sorted(units, {u.id: u.parent for u in staff.units}):
        yield CreateUnit(
            unit_id=unit.id, name=unit.name, kind=unit.kind, parent_id=unit.parent,
            head_id=unit.head, region=unit.region,
        )  # fmt: skip
    people = {employee.id: employee for employee in staff.employees}
    for employee in _sorted(people, {e.id: e.manager for e in staff.employees}):
        yield HireEmployee(
            employee_id=employee.id,
            unit_id=employee.unit,
            manager_id=employee.manager,
            **employee.model_dump(exclude={"id", "unit", "manager", "roles"}),
        )
        for granted in employee.roles:
            yield GrantRole(employee_id=employee.id, role=granted)


def _sorted(entries: dict[str, Any], links: dict[str, str | None]) -> Sequence[Any]:
    return [entries[one] for one in _above_first(links)]
