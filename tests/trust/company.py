"""Rows of every read model: the records of five people, so that it shows whose are told."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from sqlalchemy import JSON, Boolean, Column, Date, Integer, Numeric, String, Table

from services.billing.domain.contract import plan_of
from shared.chassis.database import Database
from shared.chassis.service import OpenService, Service, open_service
from shared.chassis.shapes import Actor, Amount, Instant, Query, Refused, View
from shared.chassis.shapes.guard import EVERYTHING, Sight
from shared.chassis.shapes.history import concerns, facts

ME, MATE, JUNIOR, STRANGER, NOBODY = "me", "mate", "junior", "stranger", "nobody"
PEOPLE = (ME, MATE, JUNIOR, STRANGER, NOBODY)
"""Colleagues; the records of `nobody` have no owner at all."""

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

_PERSON = {"owner_id", "employee_id", "recipient_id", "added_by"}
_FACTS = ("lead_id", "account_id", "opportunity_id")
Views = Mapping[str, Any]


def opened(
    service: Service,
    people: Iterable[str] = PEOPLE,
    database: Database | None = None,
    **values: Any,
) -> OpenService:
    """Open a service whose read models hold one row of each table for each of these people.

    Args:
        service: which.
        people: whose rows; rows of tables that are everybody's are always there.
        database: where; in memory when None.
        values: by `table__column`, instead of what the row would hold.
    """
    made = open_service(service, database=database)
    with made.views_database.transaction() as connection:
        for guard in service.guards:
            for person in _whose(guard.table.name, frozenset(people)):
                fill(connection, guard.table, rows(service, guard.table, person), values)
    return made


_EVERYBODYS = {
    "rules_in_force",
    "product_list",
    "price_book_list",
    "process_list",
    "exchange_rates",
    "sla_policies",
    "business_calendars",
    "employees",
    "units",
    "roles",
}


def _whose(table: str, people: frozenset[str]) -> frozenset[str]:
    """Return whose rows of a table are there in a company of these people's records."""
    if table in _EVERYBODYS or people == frozenset(PEOPLE):
        return frozenset(PEOPLE)
    match table:
        case "pools":  # a member's, not a colleague's
            return people & {ME}
        case "entitlements":  # of customers, who are not known there
            return frozenset()
    return people


def fill(connection: Any, table: Table, made: Iterable[dict[str, Any]], values: Views) -> None:
    """Put rows into a table, with some values of their own."""
    own = {
        name.partition("__")[2]: value
        for name, value in values.items()
        if name.partition("__")[0] == table.name
    }
    for row in made:
        connection.execute(table.insert().values({**row, **own}))


def rows(service: Service, table: Table, person: str) -> Iterator[dict[str, Any]]:
    """Yield the person's rows of a table."""
    if table is facts:
        for number, what in enumerate(_FACTS):
            yield _row(service, table, person) | {
                "context": "leads",
                "position": _number(person) * 10 + number,
                "topic": "leads.LeadQualified.v1",
                "stream_id": named(what, person),
                "data": '{"score": 1}',
            }
    elif table is concerns:
        for number, what in enumerate(_FACTS):
            for entity in {what, "account_id"}:
                yield {
                    "entity_id": named(entity, person),
                    "context": "leads",
                    "position": _number(person) * 10 + number,
                }
    else:
        yield _row(service, table, person)


def named(column: str, person: str) -> str:
    """Return the id of a person's record: `lead-me`."""
    return f"{column.removesuffix('_id')}-{person}"


def plan_of_person(person: str) -> str:
    """Return the id of the payment plan of the person's contract."""
    return plan_of(f"contract-{person}")


def _row(service: Service, table: Table, person: str) -> dict[str, Any]:
    annotations = _annotations(service, table)
    return {
        column.name: _value(column, annotations.get(column.name), person)
        for column in table.columns
    }


def _value(column: Column[Any], annotation: Any, person: str) -> Any:
    name = column.name
    if name in _PERSON:
        optional = column.nullable and column.table.name != "owner_spells"
        outside = None if optional else "an outsider"
        return outside if person == NOBODY else person
    if name in _KNOWN:
        return _KNOWN[name](person)
    if name.endswith("_currency"):
        return "CNY"
    return named(name, person) if name.endswith("_id") else _example(column, annotation, person)


_KNOWN: Mapping[str, Callable[[str], Any]] = {
    "plan_id": plan_of_person,
    "into_id": lambda _: None,
    "parent_id": lambda _: None,
    "currency": lambda _: "CNY",
    "members": lambda person: [{"kind": "employee", "id": person}],
    "team_ids": lambda _: [],
    "admin_ids": lambda _: [],
    "companion_ids": lambda _: [],
    "watchers": lambda _: [],
    "pool_id": lambda person: f"pool-{person}",
    "time_zone": lambda _: "UTC",
    "role": lambda person: f"role-{person}",
    "reporting_currency": lambda _: "USD",
    "ledger_account": lambda _: "receivable",
    "rate": lambda person: str(_number(person)),
}


def _example(column: Column[Any], annotation: Any, person: str) -> Any:
    number, kind = _number(person), _plain(annotation)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind)).value
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if isinstance(column.type, JSON):
        return _example_of_json(kind, person)
    by_type: Mapping[type, Any] = {
        Instant: NOON + timedelta(hours=number),
        Numeric: Decimal(100 * number),
        Amount: Decimal(100 * number),
        Boolean: False,
        Date: date(2026, 3, number),
        Integer: number,
        String: f"{column.name} of {person}",
    }
    found = (value for one, value in by_type.items() if isinstance(column.type, one))
    return next(found, None)


def _example_of_json(kind: Any, person: str) -> Any:
    if get_origin(kind) is dict:
        return {}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return None
    if get_origin(kind) in {list, tuple} and _plain(get_args(kind)[0]) is str:
        return [f"one of {person}"]
    return []


def _number(person: str) -> int:
    return PEOPLE.index(person) + 1 if person in PEOPLE else 9


def _plain(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    rest = [one for one in get_args(kind) if one is not type(None)]
    return _plain(rest[0]) if type(None) in get_args(kind) and len(rest) == 1 else kind


def _annotations(service: Service, table: Table) -> dict[str, Any]:
    """Return the types of a table's columns in the view that shows most of them."""
    columns = {column.name for column in table.columns}
    shown = max(_views(service), key=lambda view: len(columns & view.model_fields.keys()))
    return {name: info.annotation for name, info in shown.model_fields.items()}


def _views(service: Service) -> set[type[View]]:
    pending: list[Any] = [question.view for question in service.asked.values()]
    seen: set[type[View]] = set()
    while pending:
        kind = pending.pop()
        pending += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, View) and kind not in seen:
            seen.add(kind)
            pending += [info.annotation for info in kind.model_fields.values()]
    return seen


def answer(service: OpenService, query: Query, sight: Sight = EVERYTHING) -> Any:
    """Return what somebody is told: the answer, or the refusal."""
    question = service.service.asked[type(query).__name__]
    try:
        told = service.ask(question, query, Actor(id=ME), sight)
    except Refused as refused:
        return type(refused), refused.message
    return told.model_dump(mode="json")


def queries(kind: type[Query]) -> Iterator[Query]:
    """Yield queries of a kind: one, or one about each person's record."""
    ids = [name for name, info in kind.model_fields.items() if info.is_required()]
    for person in PEOPLE if ids else (ME,):
        known = {**_ASKED, **dict.fromkeys(_PERSON, person)}
        yield kind.model_validate({name: known.get(name) or named(name, person) for name in ids})


_ASKED: Mapping[str, Any] = {
    "amount": "1",
    "currency": "CNY",
    "reporting_currency": "USD",
    "on": "2026-03-31",
}


def another(service: Service, table: Table, column: Column[Any]) -> Any:
    """Return a value of a column that none of the rows has."""
    kind = _plain(_annotations(service, table).get(column.name))
    if isinstance(kind, type) and issubclass(kind, Enum):
        found: Any = list(kind)[-1].value
    elif get_origin(kind) is Literal:
        found = get_args(kind)[-1]
    elif isinstance(column.type, Boolean):
        found = True
    elif isinstance(column.type, JSON):
        found = _example_of_json(kind, "another")
    elif column.name.endswith("currency"):
        found = "USD"
    else:
        found = _value(column, kind, "another")
    return found
