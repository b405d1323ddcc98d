"""Whoever may not see everything is told of a past moment what they would have been told then."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, get_args

import pytest

from annals.installation import service_values
from services.accounts.commands import AssignAccountOwner
from services.analytics.projections.customer import GetCustomer360, ListTimeline
from services.analytics.projections.funnel import GetFunnel, ListChannels
from services.analytics.projections.money import GetLedgerAccount, GetTrialBalance
from services.leads.commands import RecordFollowUp
from services.pipeline.commands import AssignOpportunityOwner
from shared.chassis.database import Database
from shared.chassis.shapes import PastQuery
from shared.chassis.shapes.guard import Sight
from shared.chassis.shapes.query import Past
from shared.chassis.testing import issue
from shared.events.values import Money
from shared.events.workplace import FieldAccess
from tests.analytics.life import DAY, Company, company
from tests.analytics.test_random_lives import PATH, Life
from tests.servers.found import Servers, fresh_database
from tests.trust.company import answer

pytestmark = pytest.mark.capability("WRK-02", "WRK-03", "ANA-18")

SCOPES = {
    "everybody": None,
    "first": frozenset({"rep-0"}),
    "second": frozenset({"rep-1"}),
    "both": frozenset({"rep-0", "rep-1"}),
    "heir": frozenset({"rep-9"}),
    "nobody": frozenset({"somebody else"}),
}
HIDDEN: dict[str, dict[str, FieldAccess]] = {
    "nothing": {},
    "people": {
        "account.name": FieldAccess.MASKED,
        "contact.phones": FieldAccess.MASKED,
        "lead.channel": FieldAccess.NONE,
        "lead.owner_id": FieldAccess.MASKED,
        "activity.result": FieldAccess.NONE,
    },
    "money": {
        "opportunity.amount": FieldAccess.NONE,
        "payment.amount": FieldAccess.NONE,
        "follow_up.cost_amount": FieldAccess.NONE,
        "contract.total": FieldAccess.MASKED,
        "quote.total": FieldAccess.NONE,
    },
    "books": {"posting.amount": FieldAccess.NONE, "instalment.amount": FieldAccess.NONE},
}
SIGHTS = {
    f"{scope}, without {kept}": Sight(
        employees,
        frozenset((*name.split("."), access) for name, access in fields.items()),  # type: ignore[misc]
    )
    for scope, employees in SCOPES.items()
    for kept, fields in HIDDEN.items()
}
QUESTIONS: dict[str, PastQuery] = {
    "customer of the first": GetCustomer360(account_id="account-0"),
    "customer of the second": GetCustomer360(account_id="account-1"),
    "ledger of the first": GetLedgerAccount(account_id="account-0"),
    "ledger of the second": GetLedgerAccount(account_id="account-1"),
    "trial balance": GetTrialBalance(),
    "channels": ListChannels(),
    "cohort": GetFunnel(),
    "snapshot": GetFunnel(view="snapshot", by="owner"),
}
TIMELINES = [ListTimeline(account_id=f"account-{n}", page_size=500) for n in range(2)]
TIMES: tuple[Past, ...] = get_args(Past)


@dataclass(frozen=True)
class Looked:
    """A company, and what it told when it was looked at in the midst of its life."""

    firm: Company
    moment: datetime
    told: dict[tuple[str, str], Any]

    def tell(self, query: PastQuery, sight: Sight) -> Any:
        """Return what somebody is told now."""
        return answer(self.firm.services["analytics"], query, sight)


@pytest.fixture(
    scope="module", params=["memory", pytest.param("postgres", marks=pytest.mark.servers)]
)
def looked(request: pytest.FixtureRequest) -> Iterator[Looked]:
    """Two customers who pass to another owner, and pay and cost more, after they were looked at."""
    if request.param == "memory":
        firm = company()
        yield life_of(firm)
        firm.close()
        return
    servers: Servers = request.getfixturevalue("servers")
    with fresh_database(servers.postgres) as url:
        names = iter([service.name for service in service_values()])
        firm = company(
            lambda: Database.postgres(url, pool=2) if next(names) == "analytics" else None
        )
        yield life_of(firm)
        firm.close()


def life_of(firm: Company) -> Looked:
    """Live, look, and live on."""
    life = Life(firm)
    life.live(
        [
            *PATH,
            ("wait", 0),
            ("ticket", 1),
            ("resolve", 1),
            ("rate", 1),
            ("capture", 2),
            ("assign", 2),
        ]
    )
    moment = firm.clock.moment
    empty = Looked(firm, moment, {})
    told = {
        (question, sight): empty.tell(query, SIGHTS[sight])
        for question, query in QUESTIONS.items()
        for sight in SIGHTS
    }
    firm.settle(moment + DAY)
    life.live([("bounce", 1), ("follow up", 2), ("qualify", 2), ("ticket", 0)])
    for context, command in (
        ("accounts", AssignAccountOwner(account_id="account-0", owner_id="rep-9")),
        ("pipeline", AssignOpportunityOwner(opportunity_id="deal-1", owner_id="rep-9")),
    ):
        firm.do(context, command)
    firm.settle()
    assert life.refused == 0
    return replace(empty, told=told)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_past_is_told_as_it_was_told_then(looked: Looked, question: str, sight: str) -> None:
    for time in TIMES:
        query = QUESTIONS[question].model_copy(update={"as_of": looked.moment, "time": time})
        assert looked.tell(query, SIGHTS[sight]) == looked.told[question, sight]


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_was_told_depends_on_who_asked_and_when(looked: Looked, question: str) -> None:
    """The comparison above would be worth nothing if all were told the same at all times."""
    told = {sight: looked.told[question, sight] for sight in SIGHTS}
    everything = told["everybody, without nothing"]
    assert not isinstance(everything, tuple)
    assert told["nobody, without nothing"] != everything
    assert any(told[f"{one}, without nothing"] != everything for one in ("first", "second"))
    assert any(told[f"everybody, without {kept}"] != everything for kept in HIDDEN)
    assert any(
        looked.tell(QUESTIONS[question], SIGHTS[sight]) != told[sight]
        for sight in ("everybody, without nothing", "first, without nothing")
    )


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("query", TIMELINES, ids=lambda query: query.account_id)
def test_a_past_timeline_is_the_beginning_of_what_is_told_now(
    looked: Looked, query: ListTimeline, sight: str
) -> None:
    now = looked.tell(query, SIGHTS[sight])
    for time in TIMES:
        past = looked.tell(
            query.model_copy(update={"as_of": looked.moment, "time": time}), SIGHTS[sight]
        )
        if isinstance(now, tuple):
            assert past == now
            continue
        until = looked.moment.isoformat().replace("+00:00", "Z")
        assert past["items"] == [item for item in now["items"] if item[f"{time}_at"] <= until]
        assert past["items"]
        assert SIGHTS[sight].employees or len(past["items"]) < len(now["items"])


def test_what_was_entered_late_changes_what_its_owner_is_told_of_the_past() -> None:
    firm = company()
    looked = life_of(firm)
    spent = RecordFollowUp(
        lead_id="lead-2", method="call", cost=Money.of("80", "CNY"), content="late"
    )
    issued = issue(spent, at=firm.clock.moment)
    early = replace(issued.envelope, occurred_at=looked.moment - DAY)
    application = firm.services["leads"].application
    assert application is not None
    application.handle(spent.issued(early))
    firm.settle()
    for scope, changed in (
        ("everybody", True),
        ("first", True),
        ("second", False),
        ("heir", False),
    ):
        for kept in ("nothing", "money"):
            sight = f"{scope}, without {kept}"
            for time in TIMES:
                query = ListChannels(as_of=looked.moment, time=time)
                same = looked.tell(query, SIGHTS[sight]) == looked.told["channels", sight]
                assert same is not (changed and kept == "nothing" and time == "occurred")
    firm.close()
