"""Facts about our own people: units, staff, roles, and what their inboxes told them."""

from datetime import date
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from shared.events.base import Event, Personal
from shared.events.values import Email, EmployeeId, Label, Phone, Slug, UnitId, Value

__all__ = [
    "DataScope",
    "DepartureScheduled",
    "EmployeeFact",
    "EmployeeJoined",
    "EmployeeLeft",
    "EmployeeMoved",
    "EmployeeProfileChanged",
    "EmployeeProfileFact",
    "FieldAccess",
    "FieldRight",
    "LeaveCancelled",
    "LeaveScheduled",
    "MoveScheduled",
    "NotificationFact",
    "NotificationRead",
    "NotificationSent",
    "RoleDefined",
    "RoleGranted",
    "RoleRetired",
    "RoleRevoked",
    "UnitClosed",
    "UnitCreated",
    "UnitFact",
    "UnitKind",
    "UnitMoved",
    "UnitRenamed",
]


class UnitKind(StrEnum):
    """What a unit is in the organisation."""

    COMPANY = "company"
    DEPARTMENT = "department"
    SALES_GROUP = "sales_group"


class UnitFact(Event):
    """A fact about one unit of the organisation."""

    stream_kind: ClassVar[str] = "unit"


class UnitCreated(UnitFact, topic="workplace.UnitCreated.v1"):
    """A unit was set up."""

    name: str
    kind: UnitKind = UnitKind.DEPARTMENT
    parent_id: UnitId | None = None
    head_id: EmployeeId | None = None
    region: Label | None = None


class UnitRenamed(UnitFact, topic="workplace.UnitRenamed.v1"):
    """The unit's name or head changed."""

    name: str
    head_id: EmployeeId | None = None


class UnitMoved(UnitFact, topic="workplace.UnitMoved.v1"):
    """The unit was placed under another one."""

    parent_id: UnitId | None = None
    previous_parent_id: UnitId | None = None
    effective_on: date


class UnitClosed(UnitFact, topic="workplace.UnitClosed.v1"):
    """The unit was dissolved."""

    effective_on: date


class EmployeeFact(Event):
    """A fact about one employee."""

    stream_kind: ClassVar[str] = "employee"


class EmployeeProfileFact(EmployeeFact):
    """A fact that says who the employee is, as it stands afterwards."""

    name: Personal[str] = None
    email: Personal[Email] = None
    phone: Personal[Phone] = None
    language: str | None = None
    """BCP 47 tag, e.g. `zh-CN`."""
    time_zone: str | None = None
    """IANA name, e.g. `Asia/Shanghai`."""


class EmployeeJoined(EmployeeProfileFact, topic="workplace.EmployeeJoined.v1"):
    """Somebody started to work for us."""

    number: str | None = None
    unit_id: UnitId | None = None
    position: Label | None = None
    manager_id: EmployeeId | None = None
    joined_on: date
    source: str | None = None
    """The system a historic record was imported from."""
    external_id: str | None = None
    """Their id there."""


class EmployeeProfileChanged(EmployeeProfileFact, topic="workplace.EmployeeProfileChanged.v1"):
    """The employee's particulars were corrected."""

    changed: tuple[str, ...]
    """Names of the fields that differ from before."""


class MoveScheduled(EmployeeFact, topic="workplace.MoveScheduled.v1"):
    """The employee will get another unit, position or manager; what is not named stays as it is."""

    unit_id: UnitId | None = None
    position: Label | None = None
    manager_id: EmployeeId | None = None
    effective_on: date


class EmployeeMoved(EmployeeFact, topic="workplace.EmployeeMoved.v1"):
    """The employee got another unit, position or manager."""

    unit_id: UnitId | None = None
    position: Label | None = None
    manager_id: EmployeeId | None = None
    previous_unit_id: UnitId | None = None
    effective_on: date


class DepartureScheduled(EmployeeFact, topic="workplace.DepartureScheduled.v1"):
    """The employee will stop working for us."""

    left_on: date
    reason: Label | None = None


class EmployeeLeft(EmployeeFact, topic="workplace.EmployeeLeft.v1"):
    """The employee stopped working for us."""

    left_on: date
    reason: Label | None = None


class LeaveScheduled(EmployeeFact, topic="workplace.LeaveScheduled.v1"):
    """The employee will be away."""

    starts_on: date
    ends_on: date
    """Last day away."""
    kind: Label = "leave"


class LeaveCancelled(EmployeeFact, topic="workplace.LeaveCancelled.v1"):
    """The employee will be at work after all."""

    starts_on: date
    ends_on: date


class DataScope(StrEnum):
    """Whose records a role lets its holder see, besides those of their own teams and pools."""

    SELF = "self"
    UNIT = "unit"
    """Of everybody in the holder's unit."""
    UNIT_AND_BELOW = "unit_and_below"
    UNITS = "units"
    """Of everybody in units that the role names, and below them."""
    ALL = "all"


class FieldAccess(StrEnum):
    """What a role may do with a field."""

    NONE = "none"
    MASKED = "masked"
    READ = "read"
    EDIT = "edit"


class FieldRight(Value):
    """A role's access to one field of one kind of record."""

    record: Slug
    field: str
    access: FieldAccess


class RoleDefined(Event, topic="workplace.RoleDefined.v1"):
    """It was laid down what a role may do; the role's name is its stream."""

    stream_kind: ClassVar[str] = "role"

    role: Slug
    role_version: int
    title: str
    rights: tuple[str, ...]
    """Patterns over `<context>.<Rpc>`: `leads.ClaimLead`, `leads.*`, `*`."""
    fields: tuple[FieldRight, ...] = ()
    """Exceptions; fields not named may be read and edited."""
    scope: DataScope = DataScope.ALL
    """Whose records the rights are about."""
    unit_ids: tuple[UnitId, ...] = ()
    """The units of the scope `units`."""


class RoleRetired(Event, topic="workplace.RoleRetired.v1"):
    """The role gives no rights any more."""

    stream_kind: ClassVar[str] = "role"

    role: Slug


class RoleGranted(EmployeeFact, topic="workplace.RoleGranted.v1"):
    """The employee was given a role."""

    role: Slug


class RoleRevoked(EmployeeFact, topic="workplace.RoleRevoked.v1"):
    """The employee lost a role."""

    role: Slug


class NotificationFact(Event):
    """A fact about one message in an employee's inbox."""

    stream_kind: ClassVar[str] = "notification"

    recipient_id: EmployeeId


class NotificationSent(NotificationFact, topic="workplace.NotificationSent.v1", subject="about_id"):
    """An employee was told of something they should know."""

    kind: Slug
    """What it tells, e.g. `lead_assigned`; chooses the wording in the reader's language."""
    about_kind: Slug
    """The kind of record it is about, e.g. `lead`."""
    about_id: str
    title: Personal[str] = None
    body: Personal[str] = None
    details: dict[str, str] = Field(default_factory=dict)
    """Values for the wording that are nobody's personal data."""


class NotificationRead(NotificationFact, topic="workplace.NotificationRead.v1"):
    """The employee has seen the message."""
