"""The organisation chart."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, select

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
from shared.events.base import Recorded
from shared.events.values import UnitId
from shared.events.workplace import UnitClosed, UnitCreated, UnitMoved, UnitRenamed

__all__ = ["GetUnit", "ListUnits", "Units", "get_unit", "list_units", "path_of"]

units = Table(
    "units",
    MetaData(),
    Column("unit_id", String, primary_key=True),
    Column("name", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("parent_id", String, index=True),
    Column("head_id", String),
    Column("region", String),
    Column("is_closed", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)


class Units(Projection):
    """Every unit with its place in the organisation."""

    table = units
    events = (UnitCreated, UnitRenamed, UnitMoved, UnitClosed)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per unit."""
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep what the last facts say."""
        version = {"version": recorded.version}
        match recorded.event:
            case UnitCreated() as created:
                stated = created.model_dump(mode="json")
                return {"unit_id": key[0], **stated, "is_closed": False, **version}
            case _ if row is None:
                return None
            case UnitRenamed(name=name, head_id=head_id):
                return {**row, "name": name, "head_id": head_id, **version}
            case UnitMoved(parent_id=parent_id):
                return {**row, "parent_id": parent_id, **version}
            case UnitClosed():
                return {**row, "is_closed": True, **version}
        return row


class UnitRow(View):
    """A unit of the organisation."""

    unit_id: str
    name: str
    kind: str
    parent_id: str | None
    head_id: str | None
    region: str | None
    is_closed: bool
    version: int


class UnitView(UnitRow):
    """A unit with its place in the organisation."""

    path: list[str]
    """Ids of the units from the top down to this one."""


class GetUnit(Query, http="GET /v1/units/{unit_id}"):
    """Read a unit."""

    unit_id: UnitId


class ListUnits(ListQuery, http="GET /v1/units"):
    """List the units of the organisation by name."""


def get_unit(query: GetUnit, reader: Reader) -> UnitView:
    found = select(units).where(units.c.unit_id == query.unit_id)
    row = reader.connection.execute(found).mappings().first()
    if row is None:
        raise NotFound("unit", query.unit_id)
    return UnitView.model_validate({**row, "path": path_of(query.unit_id, reader)})


def list_units(query: ListUnits, reader: Reader) -> Page[UnitRow]:
    return listed(query, reader, units, UnitRow, order_by="name")


def path_of(unit_id: UnitId | None, reader: Reader) -> list[str]:
    """Return the ids of the units from the top of the organisation down to this one."""
    path: list[str] = []
    while unit_id is not None and unit_id not in path:
        path.insert(0, unit_id)
        above = select(units.c.parent_id).where(units.c.unit_id == unit_id)
        unit_id = reader.connection.execute(above).scalar()
    return path
