"""The staff list."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import JSON, Column, Date, Index, Integer, MetaData, String, Table, select

from services.workplace.projections.units import path_of
from shared.chassis.shapes import (
    Key,
    ListQuery,
    NotFound,
    Page,
    Projection,
    Query,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.events.base import Event, Recorded
from shared.events.values import EmployeeId
from shared.events.workplace import (
    DepartureScheduled,
    EmployeeJoined,
    EmployeeLeft,
    EmployeeMoved,
    EmployeeProfileChanged,
    LeaveCancelled,
    LeaveScheduled,
    MoveScheduled,
    RoleGranted,
    RoleRevoked,
)

__all__ = ["Employees", "GetEmployee", "ListEmployees", "get_employee", "list_employees"]

employees = Table(
    "employees",
    MetaData(),
    Column("employee_id", String, primary_key=True),
    Column("number", String),
    Column("name", String),
    Column("email", String),
    Column("phone", String),
    Column("language", String),
    Column("time_zone", String),
    Column("status", String, nullable=False),
    Column("unit_id", String),
    Column("position", String),
    Column("manager_id", String),
    Column("roles", JSON, nullable=False),
    Column("joined_on", Date, nullable=False),
    Column("left_on", Date),
    Column("postings", JSON, nullable=False),
    Column("next_posting", JSON),
    Column("leaves", JSON, nullable=False),
    Column("source", String),
    Column("external_id", String),
    Column("version", Integer, nullable=False),
    Index("employees_by_name", "name"),
    Index("employees_by_unit", "unit_id", "status"),
)

_PROFILE = ("name", "email", "phone", "language", "time_zone")
_POSTING = ("unit_id", "position", "manager_id")


class Employees(Projection):
    """Everybody who works or worked for us."""

    version = 2
    table = employees
    events = (
        EmployeeJoined,
        EmployeeProfileChanged,
        MoveScheduled,
        EmployeeMoved,
        DepartureScheduled,
        EmployeeLeft,
        LeaveScheduled,
        LeaveCancelled,
        RoleGranted,
        RoleRevoked,
    )

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per employee."""
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep what the last facts say."""
        event = recorded.event
        if isinstance(event, EmployeeJoined):
            return _joined(key, recorded)
        if row is None:
            return None
        return {**row, **_news(row, event), "version": recorded.version}


def _joined(key: Key, recorded: Recorded[EmployeeJoined]) -> Row:
    event = recorded.event
    first = _posting(event, event.joined_on)
    return {
        **{name: getattr(event, name) for name in (*_PROFILE, *_POSTING)},
        "employee_id": key[0],
        "number": event.number,
        "status": "active",
        "roles": [],
        "joined_on": event.joined_on,
        "left_on": None,
        "postings": [first],
        "next_posting": None,
        "leaves": [],
        "source": event.source,
        "external_id": event.external_id,
        "version": recorded.version,
    }


def _news(row: Row, event: Event) -> Mapping[str, Any]:
    match event:
        case EmployeeProfileChanged():
            return {name: getattr(event, name) for name in _PROFILE}
        case MoveScheduled():
            return {"next_posting": _posting(event, event.effective_on)}
        case EmployeeMoved():
            return _moved(row, _posting(event, event.effective_on))
        case DepartureScheduled(left_on=left_on):
            return {"left_on": left_on}
        case EmployeeLeft(left_on=left_on):
            return {"status": "left", "left_on": left_on, "roles": [], "next_posting": None}
        case LeaveScheduled():
            leave = event.model_dump(mode="json")
            return {"leaves": sorted([*row["leaves"], leave], key=lambda one: one["starts_on"])}
        case LeaveCancelled(starts_on=starts_on):
            day = starts_on.isoformat()
            return {"leaves": [one for one in row["leaves"] if one["starts_on"] != day]}
        case RoleGranted(role=role):
            return {"roles": sorted({*row["roles"], role})}
        case RoleRevoked(role=role):
            return {"roles": [one for one in row["roles"] if one != role]}
    return {}


def _moved(row: Row, posting: dict[str, Any]) -> Mapping[str, Any]:
    postings = sorted([*row["postings"], posting], key=lambda one: str(one["effective_on"]))
    current = {name: postings[-1][name] for name in _POSTING}
    pending = row["next_posting"]
    if pending is not None and posting | _named(pending) == posting:
        pending = None
    return {**current, "postings": postings, "next_posting": pending}


def _named(posting: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a planned move names; the rest stays as it is."""
    return {name: value for name, value in posting.items() if value is not None}


def _posting(
    event: EmployeeJoined | MoveScheduled | EmployeeMoved, effective_on: date
) -> dict[str, Any]:
    place = {name: getattr(event, name) for name in _POSTING}
    return {"effective_on": effective_on.isoformat(), **place}


class PostingView(View):
    """Where somebody stands in the organisation from a day on."""

    effective_on: date
    unit_id: str | None
    position: str | None
    manager_id: str | None


class LeaveView(View):
    """Days on which somebody is away."""

    starts_on: date
    ends_on: date
    kind: str


class EmployeeRow(View):
    """Somebody who works or worked for us."""

    employee_id: str
    number: str | None
    name: str | None
    email: str | None
    phone: str | None
    language: str | None
    time_zone: str | None
    status: str
    """active or left."""
    unit_id: str | None
    position: str | None
    manager_id: str | None
    roles: list[str]
    joined_on: date
    left_on: date | None
    """Last day; may lie ahead."""
    version: int


class EmployeeView(EmployeeRow):
    """Somebody with their place in the organisation and its history."""

    unit_path: list[str]
    """Ids of the units from the top down to the employee's own."""
    postings: list[PostingView]
    next_posting: PostingView | None
    leaves: list[LeaveView]
    source: str | None
    external_id: str | None


class GetEmployee(Query, http="GET /v1/employees/{employee_id}"):
    """Read who an employee is, where they stand and what they may do."""

    employee_id: EmployeeId


class ListEmployees(ListQuery, http="GET /v1/employees"):
    """List employees by name."""


def get_employee(query: GetEmployee, reader: Reader) -> EmployeeView:
    found = select(employees).where(employees.c.employee_id == query.employee_id)
    row = reader.connection.execute(found).mappings().first()
    if row is None:
        raise NotFound("employee", query.employee_id)
    planned = row["next_posting"]
    return EmployeeView.model_validate(
        {
            **row,
            "unit_path": path_of(row["unit_id"], reader),
            "next_posting": planned and {**row, **_named(planned)},
        }
    )


def list_employees(query: ListEmployees, reader: Reader) -> Page[EmployeeRow]:
    return listed(query, reader, employees, EmployeeRow, order_by="name")
