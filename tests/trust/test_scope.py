"""Whoever may not see everything gets the answers of a company that has only what they may see."""

from collections.abc import Callable
from typing import Any

import pytest

from annals.installation import service_values
from shared.chassis.service import OpenService, Service
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
