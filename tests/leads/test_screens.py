"""Lists and records say what happened; pools hide what they must."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leads.commands import (
    CaptureLead,
    ClaimLead,
    ConfigureDuplicateRules,
    ConfigurePoolRules,
    ConvertLead,
    NextStep,
    OpenPool,
    QualifyLead,
    RecordFollowUp,
    ScoreLead,
)
from services.leads.projections.claim_books import ListHoldings
from services.leads.projections.customer_payments import CustomerPayments
from services.leads.projections.follow_up_list import (
    FollowUpList,
    ListFollowUps,
    ListLeadFollowUps,
)
from services.leads.projections.known_customers import CustomerAddresses, KnownCustomers
from services.leads.projections.lead_list import (
    GetLead,
    LeadList,
    ListLeads,
    ListPoolLeads,
)
from services.leads.projections.pool_list import GetPool, ListPools
from services.leads.projections.rules_in_force import (
    GetAssignmentRules,
    GetDuplicateRules,
    GetScoringRules,
)
from services.leads.service import SERVICE
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Actor, Command, Later, NotFound, Query
from shared.chassis.testing import NOON, TESTER, folded, issue, recorded
from shared.events.base import TOPICS, Event
from shared.events.leads import (
    ConversionReverted,
    LeadCaptured,
    LeadFact,
    LeadReopened,
    LeadUnlocked,
)
from tests.leads.builders import (
    ANNA,
    BEN,
    DAY,
    LEAD,
    PHONE,
    POOL,
    account_opened,
    contact_added,
    follow_up_planned,
    follow_up_recorded,
    lead_assigned,
    lead_captured,
    lead_claimed,
    lead_converted,
    lead_disqualified,
    lead_nurtured,
    lead_pooled,
    lead_qualified,
    lead_released,
    payment_received,
    payment_reversed,
    recycle_scheduled,
)


def row_after(*events: Event) -> dict[str, Any]:
    facts = [
        recorded(event, LEAD, version=n, position=n, at=NOON + n * timedelta(hours=1))
        for n, event in enumerate(events, 1)
    ]
    return dict(folded(LeadList, facts)[LEAD,])


@pytest.mark.capability("LEA-15")
@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ((), {"status": "new", "owner_id": None, "version": 1}),
        ((lead_pooled(),), {"status": "new", "pool_id": POOL}),
        ((lead_pooled(), lead_claimed()), {"status": "assigned", "pool_id": None}),
        (
            (lead_assigned(), follow_up_recorded()),
            {"status": "working", "owner_id": "anna", "follow_ups": 1},
        ),
        (
            (lead_assigned(), recycle_scheduled()),
            {"recycle_at": NOON + 7 * DAY},
        ),
        (
            (lead_assigned(), lead_released()),
            {"status": "new", "owner_id": None, "pool_id": POOL, "recycle_at": None},
        ),
        ((lead_assigned(), lead_qualified()), {"status": "qualified"}),
        ((lead_assigned(), lead_nurtured()), {"status": "nurturing"}),
        (
            (lead_assigned(), lead_disqualified()),
            {"status": "disqualified", "disqualified_because": "no budget"},
        ),
        (
            (lead_assigned(), lead_disqualified(), LeadReopened(owner_id="anna", reason="x")),
            {"status": "assigned", "disqualified_because": None},
        ),
        (
            (lead_assigned(), lead_qualified(), lead_converted()),
            {"status": "converted", "account_id": "account-1"},
        ),
        (
            (
                lead_assigned(),
                lead_qualified(),
                lead_converted(),
                ConversionReverted(account_id="account-1", withdraws_account=True, reason="x"),
            ),
            {"status": "qualified", "account_id": None, "converted_at": None, "version": 5},
        ),
        ((LeadUnlocked(),), {"locked": False}),
    ],
)
def test_the_list_says_how_far_a_lead_has_come(
    history: tuple[Event, ...], expected: dict[str, Any]
) -> None:
    row = row_after(lead_captured(), *history)
    assert {name: row[name] for name in expected} == expected


def test_an_erased_person_leaves_a_lead_without_a_name() -> None:
    erased = LeadCaptured(company="云山科技", channel="chat")
    row = folded(LeadList, [recorded(erased, LEAD, erased=True)])[LEAD,]
    assert (row["name"], row["phones"], row["company"]) == (None, [], "云山科技")


@given(st.data())
def test_rows_do_not_depend_on_which_context_was_read_first(data: st.DataObject) -> None:
    accounts = [
        recorded(account_opened(), "account-1", position=1),
        recorded(contact_added(), "contact-1", position=2),
    ]
    billing = [
        recorded(payment_received(), "payment-1", position=1),
        recorded(payment_reversed(), "payment-1", version=2, position=2),
    ]
    own = [
        recorded(event, LEAD, version=n, position=n)
        for n, event in enumerate((lead_captured(), lead_assigned(), lead_converted()), 1)
    ]
    logs = {"accounts": list(accounts), "billing": list(billing), "leads": list(own)}
    mixed = []
    while any(logs.values()):
        turn = data.draw(st.sampled_from(sorted(name for name, log in logs.items() if log)))
        mixed.append(logs[turn].pop(0))
    for projection in (LeadList, KnownCustomers, CustomerAddresses, CustomerPayments):
        assert folded(projection, mixed) == folded(projection, [*own, *accounts, *billing])


@pytest.mark.capability("LEA-13")
def test_a_planned_step_is_closed_by_the_follow_up_that_fulfils_it() -> None:
    facts = [
        recorded(follow_up_planned(), LEAD, version=2, position=2),
        recorded(follow_up_recorded(plan_id="plan-1"), LEAD, version=3, position=3),
    ]
    rows = folded(FollowUpList, facts)
    assert rows["plan-1",]["state"] == "done"
    assert rows["plan-1",]["fulfilled_by"] == "follow-up-1"
    assert rows["follow-up-1",]["content"] == "有兴趣"


@pytest.fixture
def service() -> Iterator[OpenService]:
    opened = open_service(SERVICE)
    yield opened
    opened.close()


Act = Callable[..., None]
Ask = Callable[..., Any]


@pytest.fixture
def act(service: OpenService) -> Act:
    """Carry a command out, let the policies react, and fold what was recorded."""
    read = [0]

    def do(command: Command, by: Actor = TESTER, days: int = 0) -> None:
        application = service.application
        assert application is not None
        application.handle(issue(command, by=by, at=NOON + days * DAY))
        while facts := service.log.read(read[0]):
            read[0] = facts[-1].position
            with service.views_database.transaction() as connection:
                for projection in SERVICE.projections:
                    service.projector.apply(connection, projection, facts)
            for fact in facts:
                for policy in SERVICE.policies:
                    for reaction in policy(fact):
                        if isinstance(reaction, Command):
                            application.handle(issue(reaction, at=fact.occurred_at))
                        else:
                            assert isinstance(reaction, Later) or reaction.key == fact.stream_id

    return do


@pytest.fixture
def ask(service: OpenService) -> Ask:
    """Ask the question that a query is for."""

    def answer(query: Query, by: Actor = ANNA) -> Any:
        return service.ask(SERVICE.asked[type(query).__name__], query, by)

    return answer


@pytest.mark.capability("LEA-01", "LEA-08", "LEA-11", "LEA-12", "LEA-13", "LEA-16")
def test_a_lead_can_be_followed_from_capture_to_customer(
    service: OpenService, act: Act, ask: Ask
) -> None:
    act(OpenPool(pool_id="pool-public", name="Public"))
    act(ConfigurePoolRules(pool_id="pool-public", recycle_after_days=7, claims_per_day=10))
    act(CaptureLead(lead_id=LEAD, name="李娜", channel="web_form", phones=(PHONE,)))
    waiting = ask(ListPoolLeads(pool_id="pool-public"))
    assert [(lead.lead_id, lead.grade, lead.score) for lead in waiting.items] == [(LEAD, "d", 15)]
    act(ClaimLead(lead_id=LEAD), by=ANNA)
    step = NextStep(follow_up_id="plan-1", due_at=NOON + 2 * DAY)
    act(RecordFollowUp(lead_id=LEAD, method="call", content="谈好了", next=step), by=ANNA, days=1)
    lead = ask(GetLead(lead_id=LEAD))
    assert (lead.status, lead.owner_id, lead.recycle_at) == ("working", "anna", NOON + 8 * DAY)
    assert lead.score_parts is not None
    assert lead.score_parts[0].reason == "has a phone number"
    [holding] = ask(ListHoldings()).items
    assert (holding.employee_id, holding.way, holding.day) == ("anna", "claimed", NOON.date())
    late = ListFollowUps(overdue=True, as_of=NOON + 3 * DAY, filter='employee_id = "anna"')
    assert [f.follow_up_id for f in ask(late, BEN).items] == ["plan-1"]
    early = late.model_copy(update={"as_of": NOON + DAY})
    assert ask(early, BEN).items == []
    assert ask(ListFollowUps(overdue=True), BEN).items
    act(QualifyLead(lead_id=LEAD), by=ANNA, days=2)
    act(ConvertLead(lead_id=LEAD, account_id="account-1"), by=ANNA, days=3)
    lead = ask(GetLead(lead_id=LEAD))
    assert (lead.status, lead.account_id) == ("converted", "account-1")
    assert lead.version == service.log.version(LEAD)
    assert ask(ListHoldings()).items == []
    own = ask(ListLeadFollowUps(lead_id=LEAD)).items
    assert [f.state for f in own] == ["done", "cancelled"]


@pytest.mark.capability("LEA-11")
def test_hidden_fields_stay_hidden_until_the_claim_even_from_filters(act: Act, ask: Ask) -> None:
    hidden = ("name", "phones", "budget")
    act(OpenPool(pool_id=POOL, name="East", admin_ids=("ben",), hidden_fields=hidden))
    act(CaptureLead(lead_id=LEAD, name="李娜", channel="chat", phones=(PHONE,), pool_id=POOL))
    act(CaptureLead(lead_id="lead-2", name="李娜", channel="chat", owner_id="anna"))
    seen = ask(GetLead(lead_id=LEAD))
    assert (seen.name, seen.phones) == (None, [])
    assert seen.hidden_fields == ["budget", "name", "phones"]
    assert ask(GetLead(lead_id=LEAD), BEN).name == "李娜"
    by_name = ListLeads(filter='name = "李娜"')
    assert [one.lead_id for one in ask(by_name).items] == ["lead-2"]
    assert len(ask(by_name, BEN).items) == 2
    assert [one.name for one in ask(ListLeads()).items].count(None) == 1
    ordered = ListPoolLeads(pool_id=POOL, order_by="budget_amount desc")
    assert ask(ordered).items == []
    act(ClaimLead(lead_id=LEAD), by=ANNA)
    assert ask(GetLead(lead_id=LEAD)).phones == [PHONE]


@pytest.mark.capability("LEA-01")
def test_leads_are_filtered_sorted_and_paged(act: Act, ask: Ask) -> None:
    for number in range(5):
        name = f"客户{number}"
        act(CaptureLead(lead_id=f"lead-{number}", name=name, channel="chat"), days=number % 2)
    query = ListLeads(order_by="captured_at desc, name", page_size=2, filter='name : "客户"')
    found: list[str] = []
    while True:
        page = ask(query)
        found += [lead.lead_id for lead in page.items]
        if page.next_page_token is None:
            break
        query = query.model_copy(update={"page_token": page.next_page_token})
    assert found == ["lead-1", "lead-3", "lead-0", "lead-2", "lead-4"]


@pytest.mark.capability("LEA-11")
def test_pools_are_shown_with_their_rules(act: Act, ask: Ask) -> None:
    act(OpenPool(pool_id=POOL, name="East"))
    act(ConfigurePoolRules(pool_id=POOL, claims_per_day=3))
    pool = ask(GetPool(pool_id=POOL))
    assert (pool.name, pool.claims_per_day, pool.rules_version, pool.version) == ("East", 3, 1, 2)
    assert [one.pool_id for one in ask(ListPools()).items] == [POOL]


def test_what_does_not_exist_is_not_found(ask: Ask) -> None:
    for query in (
        GetLead(lead_id="lead-9"),
        GetPool(pool_id="pool-9"),
        ListPoolLeads(pool_id="pool-9"),
    ):
        with pytest.raises(NotFound):
            ask(query)


@pytest.mark.capability("LEA-04", "LEA-08", "LEA-10")
def test_rules_in_force_are_shown_the_default_until_others_are_configured(
    act: Act, ask: Ask
) -> None:
    default = ask(GetDuplicateRules())
    assert (default.version, [r.rule for r in default.rules]) == (0, ["same_phone", "same_email"])
    assert ask(GetScoringRules()).version == 0
    assert ask(GetAssignmentRules()).rules == ()
    act(ConfigureDuplicateRules(rules=default.rules[:1]))
    configured = ask(GetDuplicateRules())
    assert (configured.version, configured.rules) == (1, default.rules[:1])


def test_internal_commands_stay_off_the_http_surface() -> None:
    internal = {name for name, method in SERVICE.requests().items() if method.request.http is None}
    assert internal == {"AssignNext", "ImportLead", "RecycleLead", "ScoreLead", "WarnOfRecycling"}
    assert ScoreLead.http is None


def test_the_list_knows_every_fact_about_leads_so_that_versions_agree() -> None:
    facts = {event for event in TOPICS.values() if issubclass(event, LeadFact)}
    assert facts == set(LeadList.events)
