"""Whoever may not see everything gets the answers of a company that has only what they may see."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Table, select
from sqlalchemy.sql import visitors

from annals.installation import service_values
from services.leads.projections.lead_list import LeadList
from shared.chassis.service import OpenService, Service
from shared.chassis.shapes import Actor, guard
from shared.chassis.shapes.guard import Sight
from tests.trust.company import JUNIOR, MATE, ME, PEOPLE, STRANGER, answer, opened, queries

pytestmark = pytest.mark.capability("WRK-03")

SERVICES = {service.name: service for service in service_values()}
QUESTIONS = [(name, rpc) for name, service in SERVICES.items() for rpc in service.asked]
SCOPES = {
    "self": frozenset({ME}),
    "unit": frozenset({ME, MATE}),
    "unit and below": frozenset({ME, MATE, JUNIOR}),
    "another unit": frozenset({ME, STRANGER}),
}


@pytest.fixture(scope="module")
def company() -> Callable[..., OpenService]:
    known: dict[Any, OpenService] = {}

    def get(service: Service, people: frozenset[str] = frozenset(PEOPLE)) -> OpenService:
        if (service.name, people) not in known:
            known[service.name, people] = opened(service, people)
        return known[service.name, people]

    return get


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(("name", "rpc"), QUESTIONS)
def test_a_reader_is_told_what_a_company_of_those_records_alone_would_tell(
    company: Callable[..., OpenService], name: str, rpc: str, scope: str
) -> None:
    service, people = SERVICES[name], SCOPES[scope]
    for query in queries(service.asked[rpc].query):
        told = answer(company(service), query, Sight(people))
        assert told == answer(company(service, people), query)


def test_the_first_questions_may_come_at_the_same_moment(
    company: Callable[..., OpenService], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two copies of a table in one statement would be two tables."""
    guards, table, sight = SERVICES["leads"].guarded, LeadList.table, Sight(SCOPES["unit"])
    copied, together = Table.to_metadata, Barrier(2)

    def slowly(one: Table, *arguments: Any, **options: Any) -> Table:
        if one is table:
            together.wait(1)
        return copied(one, *arguments, **options)

    def read(number: int) -> set[Table]:
        cut = guard.Cut(guards, Actor(id=f"e{number}", name=""), sight).apply(select(table), "main")
        found = {one for one in visitors.iterate(cut) if isinstance(one, Table)}
        return {one for one in found if one.fullname == "main.leads"}

    monkeypatch.setattr(Table, "to_metadata", slowly)
    monkeypatch.setattr(guard, "_RAW", {})
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(read, range(2))
    assert len(first | second) == 1


@pytest.mark.parametrize("name", SERVICES)
def test_the_records_of_the_company_differ_in_what_they_tell(
    company: Callable[..., OpenService], name: str
) -> None:
    """The comparison above would be worth nothing if nothing were told."""
    service = SERVICES[name]
    told = {
        rpc: [answer(company(service), query) for query in queries(question.query)]
        for rpc, question in service.asked.items()
    }
    refused = [rpc for rpc, answers in told.items() if all(isinstance(a, tuple) for a in answers)]
    assert refused == []
