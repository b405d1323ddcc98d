"""What can be asked of the workplace."""

from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from services.workplace.domain.records import known_field
from shared.chassis.shapes import Command
from shared.events.values import EmployeeId, Label, NotificationId, Slug, UnitId
from shared.events.workplace import DataScope, FieldRight, UnitKind

__all__ = [
    "CancelLeave",
    "CarryOutDeparture",
    "CarryOutMove",
    "ChangeEmployee",
    "CloseUnit",
    "CreateUnit",
    "DefineRole",
    "EstablishRoles",
    "GrantRole",
    "HireEmployee",
    "LeaveCompany",
    "MoveEmployee",
    "MoveUnit",
    "Notify",
    "ReadNotification",
    "RenameUnit",
    "RetireRole",
    "RevokeRole",
    "ScheduleLeave",
]

Right = Annotated[
    str,
    StringConstraints(pattern=r"^(\*|(\*|[a-z_]+)\.[A-Za-z0-9*]+)$", max_length=100),
]
"""A pattern over `<context>.<Rpc>`: `leads.ClaimLead`, `leads.*`, `*.List*`, `*`."""
RestrictedField = Annotated[FieldRight, AfterValidator(known_field)]
MailAddress = Annotated[str, StringConstraints(min_length=3, max_length=320)]
PhoneNumber = Annotated[str, StringConstraints(min_length=4, max_length=40)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
"""BCP 47 tag, e.g. `zh-CN`."""
Zone = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""IANA name, e.g. `Asia/Shanghai`."""


class CreateUnit(Command, http="POST /v1/units"):
    """Set up a unit of the organisation."""

    unit_id: UnitId | None = None
    """Chosen by the caller; given by the system when left out."""
    name: Label
    kind: UnitKind = UnitKind.DEPARTMENT
    parent_id: UnitId | None = None
    head_id: EmployeeId | None = None
    region: Label | None = None


class RenameUnit(Command, http="POST /v1/units/{unit_id}:rename"):
    """Give a unit another name or head."""

    unit_id: UnitId
    name: Label | None = None
    head_id: EmployeeId | None = None


class MoveUnit(Command, http="POST /v1/units/{unit_id}:move"):
    """Place a unit, and what is below it, under another one."""

    unit_id: UnitId
    parent_id: UnitId | None = None
    """The top of the organisation when left out."""


class CloseUnit(Command, http="POST /v1/units/{unit_id}:close"):
    """Dissolve a unit; nobody can be moved into it any more."""

    unit_id: UnitId


class HireEmployee(Command, http="POST /v1/employees"):
    """Take somebody on."""

    employee_id: EmployeeId | None = None
    """Chosen by the caller; given by the system when left out."""
    name: Label
    email: MailAddress | None = None
    phone: PhoneNumber | None = None
    """In international form, e.g. `+86 139 1234 5678`."""
    language: Language | None = None
    time_zone: Zone | None = None
    number: Label | None = None
    """Staff number, unique."""
    unit_id: UnitId | None = None
    position: Label | None = None
    manager_id: EmployeeId | None = None
    joined_on: date | None = None
    """Today when left out."""
    source: Label | None = None
    external_id: Label | None = None
    """The employee's id in the source, taken in once."""


class ChangeEmployee(Command, http="POST /v1/employees/{employee_id}:change"):
    """Correct somebody's particulars; what is left out stays as it is."""

    employee_id: EmployeeId
    name: Label | None = None
    email: MailAddress | None = None
    phone: PhoneNumber | None = None
    language: Language | None = None
    time_zone: Zone | None = None


class MoveEmployee(Command, http="POST /v1/employees/{employee_id}:move"):
    """Give somebody another unit, position or manager; what is left out stays as it is."""

    employee_id: EmployeeId
    unit_id: UnitId | None = None
    position: Label | None = None
    manager_id: EmployeeId | None = None
    effective_on: date | None = None
    """Today when left out; a later day is waited for."""


class CarryOutMove(Command):
    """Carry out a move whose day has come."""

    employee_id: EmployeeId
    unit_id: UnitId | None = None
    position: Label | None = None
    manager_id: EmployeeId | None = None
    effective_on: date


class LeaveCompany(Command, http="POST /v1/employees/{employee_id}:leave"):
    """Let somebody go, with all their roles."""

    employee_id: EmployeeId
    left_on: date | None = None
    """Last day; today when left out, and a later one is waited for."""
    reason: Label | None = None


class CarryOutDeparture(Command):
    """Let somebody go whose last day has come."""

    employee_id: EmployeeId
    left_on: date
    reason: Label | None = None


class ScheduleLeave(Command, http="POST /v1/employees/{employee_id}/leaves"):
    """Note that somebody will be away."""

    employee_id: EmployeeId
    starts_on: date
    ends_on: date
    """Last day away."""
    kind: Label = "leave"


class CancelLeave(Command, http="POST /v1/employees/{employee_id}/leaves:cancel"):
    """Note that somebody will be at work after all."""

    employee_id: EmployeeId
    starts_on: date
    ends_on: date


class GrantRole(Command, http="POST /v1/employees/{employee_id}:grant"):
    """Give somebody a role."""

    employee_id: EmployeeId
    role: Slug


class RevokeRole(Command, http="POST /v1/employees/{employee_id}:revoke"):
    """Take a role from somebody."""

    employee_id: EmployeeId
    role: Slug


class DefineRole(Command, http="POST /v1/roles"):
    """Lay down what a role may do; a known role gets a new version."""

    role: Slug
    title: Label
    rights: Annotated[tuple[Right, ...], Field(max_length=300)]
    fields: Annotated[tuple[RestrictedField, ...], Field(max_length=300)] = ()
    """Exceptions; fields not named may be read and edited."""
    scope: DataScope = DataScope.ALL
    """Whose records the rights are about."""
    unit_ids: Annotated[tuple[UnitId, ...], Field(max_length=300)] = ()
    """The units of the scope `units`."""

    @model_validator(mode="after")
    def _scope_fits(self) -> Self:
        if (self.scope is DataScope.UNITS) != bool(self.unit_ids):
            raise ValueError("unit_ids are given with the scope `units`, and only with it")
        return self


class RetireRole(Command, http="POST /v1/roles/{role}:retire"):
    """Let a role give no rights any more."""

    role: Slug


class EstablishRoles(Command):
    """Lay down the built-in roles that nobody has defined yet."""


class Notify(Command):
    """Tell an employee of something they should know."""

    notification_id: NotificationId
    recipient_id: EmployeeId
    kind: Slug
    about_kind: Slug
    about_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
    title: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    details: dict[str, str] = Field(default_factory=dict, max_length=20)


class ReadNotification(Command, http="POST /v1/notifications/{notification_id}:read"):
    """Mark a message in your inbox as read."""

    notification_id: NotificationId
