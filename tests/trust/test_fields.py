"""What a role keeps from its holders is told in no way: not shown, filtered, sorted or summed."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import Column

from annals.installation import service_values
from services.workplace.domain.records import FIELDS
from shared.chassis.service import OpenService
from shared.chassis.shapes import Actor, Forbidden, Invalid, ListQuery, NotFound, Refused
from shared.chassis.shapes.blanks import MASK
from shared.chassis.shapes.guard import Guard, Sight
from shared.events.workplace import FieldAccess
from tests.trust.company import ME, another, answer, opened, queries

pytestmark = pytest.mark.capability("WRK-02")

SERVICES = {service.name: service for service in service_values()}
GUARDS = [
    (name, guard)
    for name, service in SERVICES.items()
    for guard in service.guards
    if guard.record in FIELDS
]
MADE_OF = {
    "GetAccountCredit": {"payments": {"currency"}},
    "GetFunnel": {"stage_stays": {"stage"}, "deals": {"stage"}},
    "GetTrialBalance": {"balances": {"debit", "credit"}},
    "GetLedgerAccount": {
        "balances": {"debit", "credit"},
        "instalments": {"amount", "paid", "outstanding", "currency", "contract_id", "status"},
    },
}
MADE_OF["GetCustomer360"] = MADE_OF["GetLedgerAccount"]
"""Answers that consist of a column, and are refused to whoever may not know it."""


@pytest.fixture(scope="module")
def companies() -> Iterator[dict[str, OpenService]]:
    found = {name: opened(service) for name, service in SERVICES.items()}
    yield found
    for service in found.values():
        service.close()


def hidden(guard: Guard, column: Column[Any], access: FieldAccess) -> Sight:
    record, _, name = guard.fields.get(column.name, f"{guard.record}.{column.name}").partition(".")
    return Sight(fields=frozenset({(record, name, access)}))


def columns(guard: Guard) -> list[Column[Any]]:
    return [column for column in guard.table.columns if not column.primary_key]


def told(service: OpenService, sight: Sight) -> dict[str, Any]:
    """Return every answer about my records."""
    return {
        rpc: answer(service, next(queries(question.query)), sight)
        for rpc, question in service.service.asked.items()
    }


def test_the_fields_a_role_can_restrict_are_those_that_answers_are_made_of() -> None:
    found: dict[str, set[str]] = {record: set() for record in FIELDS}
    for service in SERVICES.values():
        for guard in service.guards:
            for column in columns(guard):
                ((record, name, _),) = hidden(guard, column, FieldAccess.NONE).fields
                found.get(record, set()).add(name)
    assert found == FIELDS


@pytest.mark.slow
@pytest.mark.parametrize("access", [FieldAccess.NONE, FieldAccess.MASKED])
@pytest.mark.parametrize(
    ("name", "guard"), GUARDS, ids=[f"{name}-{guard.table.name}" for name, guard in GUARDS]
)
def test_no_answer_depends_on_what_is_hidden(
    companies: dict[str, OpenService], name: str, guard: Guard, access: FieldAccess
) -> None:
    service = companies[name]
    for column in columns(guard):
        sight = hidden(guard, column, access)
        before = told(service, sight)
        with service.views_database.transaction() as connection:
            changed = another(service.service, guard.table, column)
            connection.execute(guard.table.update().values({column.name: changed}))
            assert told(service, sight) == before, column
            connection.rollback()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "guard"), GUARDS, ids=[f"{name}-{guard.table.name}" for name, guard in GUARDS]
)
def test_whatever_is_hidden_the_rest_is_told(
    companies: dict[str, OpenService], name: str, guard: Guard
) -> None:
    service = companies[name]
    for column in columns(guard):
        for rpc, one in told(service, hidden(guard, column, FieldAccess.NONE)).items():
            if isinstance(one, tuple) and one[0] is Forbidden:
                assert column.name in MADE_OF.get(rpc, {}).get(guard.table.name, ()), rpc


LISTS = [
    (name, rpc)
    for name, service in SERVICES.items()
    for rpc, question in service.asked.items()
    if issubclass(question.query, ListQuery)
]


@pytest.mark.parametrize("access", [FieldAccess.NONE, FieldAccess.MASKED])
@pytest.mark.parametrize("asked", [{"filter": "phones : 1"}, {"order_by": "name"}])
def test_a_list_is_neither_filtered_nor_sorted_by_what_is_hidden(
    companies: dict[str, OpenService], access: FieldAccess, asked: dict[str, str]
) -> None:
    leads = companies["leads"]
    question = leads.service.asked["ListLeads"]
    sight = Sight(fields=frozenset({("lead", "phones", access), ("lead", "name", access)}))
    with pytest.raises(Invalid, match=r"no field|cannot sort"):
        leads.ask(question, question.query.model_validate(asked), Actor(id=ME), sight)


def test_what_is_masked_says_so_and_what_is_none_is_not_there(
    companies: dict[str, OpenService],
) -> None:
    leads = companies["leads"]
    question = leads.service.asked["GetLead"]
    query = question.query.model_validate({"lead_id": "lead-me"})
    masked = Sight(
        fields=frozenset(
            {
                ("lead", "name", FieldAccess.MASKED),
                ("lead", "phones", FieldAccess.MASKED),
                ("lead", "budget_amount", FieldAccess.MASKED),
                ("lead", "emails", FieldAccess.NONE),
                ("lead", "company", FieldAccess.NONE),
                ("lead", "region", FieldAccess.READ),
            }
        )
    )
    lead = leads.ask(question, query, Actor(id=ME), masked)
    assert (lead.name, lead.phones, lead.budget_amount) == (MASK, [MASK], None)
    assert (lead.emails, lead.company, lead.region) == ([], None, "region of me")


def test_a_sum_that_is_hidden_is_left_out_of_the_answer(companies: dict[str, OpenService]) -> None:
    billing = companies["billing"]
    question = billing.service.asked["ListContracts"]
    sight = Sight(fields=frozenset({("contract", "total", FieldAccess.NONE)}))
    page = billing.ask(question, question.query(), Actor(id=ME), sight)
    for contract in page.model_dump(exclude_unset=True)["items"]:
        assert "total" not in contract
        assert contract["number"]


def test_totals_do_without_what_is_hidden(companies: dict[str, OpenService]) -> None:
    analytics = companies["analytics"]
    question = analytics.service.asked["GetFunnel"]
    sight = Sight(fields=frozenset({("opportunity", "amount", FieldAccess.NONE)}))
    funnel = analytics.ask(question, question.query(), Actor(id=ME), sight)
    stages = {stage.stage: stage for stage in funnel.total.stages}
    assert stages["won"].count > 0
    assert stages["won"].amounts == []
    assert all(not stage.amounts for stage in funnel.pipeline)
    assert stages["paid"].amounts != []


@pytest.mark.parametrize(("name", "rpc"), LISTS)
def test_every_list_keeps_a_hidden_column_from_filters(
    companies: dict[str, OpenService], name: str, rpc: str
) -> None:
    service = companies[name]
    question = service.service.asked[rpc]
    sight = Sight(
        fields=frozenset(
            hidden_field
            for guard in service.service.guards
            for column in columns(guard)
            for hidden_field in hidden(guard, column, FieldAccess.NONE).fields
        )
    )
    guards = service.service.guards
    keys = {c.name for guard in guards for c in guard.table.primary_key.columns}
    for column in {c.name for guard in guards for c in columns(guard)} - keys:
        query = next(queries(question.query)).model_copy(update={"filter": f"{column} = null"})
        with pytest.raises(Refused) as refused:
            service.ask(question, query, Actor(id=ME), sight)
        assert isinstance(refused.value, Invalid | NotFound | Forbidden)


def test_facts_say_nothing_of_what_is_hidden() -> None:
    said = {
        "name": "王芳",
        "score": 1,
        "telephone": "+8613912345678",
        "contact": {"phones": ["+8613912345678"], "title": "Buyer"},
    }
    service = opened(SERVICES["analytics"], facts__data=orjson.dumps(said).decode())
    question = service.service.asked["ListTimeline"]
    query = question.query.model_validate({"account_id": "account-me"})

    def told(*fields: tuple[str, str]) -> dict[str, Any]:
        sight = Sight(fields=frozenset((*one, FieldAccess.NONE) for one in fields))
        facts = service.ask(question, query, Actor(id=ME), sight).items
        assert facts
        return dict(facts[0].data)

    assert told() == said
    assert told(("contact", "phones")) == {**said, "contact": {"title": "Buyer"}}
    assert told(("lead", "region")) == {"score": 1}
    assert told(("lead", "score")) == {}
    service.close()
