"""The ways of selling."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import JSON, BigInteger, Column, Integer, MetaData, String, Table, select

from services.pipeline.domain.process import BUILT_IN, STANDARD
from shared.chassis.shapes import (
    Instant,
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
from shared.events.pipeline import SalesProcessDefined, Stage
from shared.events.values import ProcessId

__all__ = [
    "GetSalesProcess",
    "ListSalesProcesses",
    "ProcessList",
    "SalesProcessView",
    "get_sales_process",
    "list_sales_processes",
]

process_list = Table(
    "process_list",
    MetaData(),
    Column("process_id", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("process_version", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("stages", JSON, nullable=False),
    Column("unit_ids", JSON, nullable=False),
    Column("product_ids", JSON, nullable=False),
    Column("defined_at", Instant),
)


class ProcessList(Projection):
    """One row per sales process in its latest version."""

    table = process_list
    events = (SalesProcessDefined,)

    @staticmethod
    def keys(recorded: Recorded[SalesProcessDefined]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[SalesProcessDefined]) -> Row | None:
        del row
        return {
            **_shape(recorded.event),
            "process_id": key[0],
            "version": recorded.version,
            "defined_at": recorded.occurred_at,
        }


def _shape(process: SalesProcessDefined) -> Row:
    return {
        "process_version": process.process_version,
        "name": process.name,
        "stages": [stage.model_dump(mode="json") for stage in process.stages],
        "unit_ids": list(process.unit_ids),
        "product_ids": list(process.product_ids),
    }


class SalesProcessView(View):
    """A sales process in its latest version."""

    process_id: str
    version: int
    process_version: int
    name: str
    stages: list[Stage]
    unit_ids: list[str]
    product_ids: list[str]
    defined_at: datetime | None
    """Absent for the built-in process before anybody used it."""


class GetSalesProcess(Query, http="GET /v1/sales-processes/{process_id}"):
    """Show a sales process; `standard` is built in."""

    process_id: ProcessId


class ListSalesProcesses(ListQuery, http="GET /v1/sales-processes"):
    """List the sales processes that were used or defined, by name."""


def get_sales_process(query: GetSalesProcess, reader: Reader) -> SalesProcessView:
    found = reader.connection.execute(
        select(process_list).where(process_list.c.process_id == query.process_id)
    ).mappings()
    for row in found:
        return SalesProcessView.model_validate(row)
    if query.process_id == STANDARD:
        unused = {"process_id": STANDARD, "version": 0, "defined_at": None}
        return SalesProcessView.model_validate({**_shape(BUILT_IN), **unused})
    raise NotFound("sales process", query.process_id)


def list_sales_processes(query: ListSalesProcesses, reader: Reader) -> Page[SalesProcessView]:
    return listed(query, reader, process_list, SalesProcessView, order_by="name")
