"""Customer 360 and the timeline."""

from datetime import timedelta
from typing import Any, get_args

import pytest

from services.accounts.commands import (
    AddTeamMember,
    OpenAccount,
    RemoveTeamMember,
)
from services.analytics.projections.customer import GetCustomer360, ListTimeline
from services.analytics.projections.funnel import GetFunnel
from services.pipeline.commands import (
    AssignOpportunityOwner,
    ChangeOpportunity,
    OpenOpportunity,
)
from services.support.commands import AssignTicket, ChangeTicket, OpenTicket
from shared.chassis.shapes import Actor, Invalid, NotFound, Query
from shared.chassis.shapes.guard import Sight
from shared.chassis.shapes.query import Past
from shared.chassis.testing import NOON
from shared.events.accounts import AccountKind, TeamAccess
from shared.events.support import TicketKind
from shared.events.values import Money
from tests.analytics.life import DAY, Company, company, converted_lead

ACME, BETA = "account-acme", "account-beta"


def opened_accounts(*ids: str) -> Company:
    """Return a company with customers whom Mei looks after."""
    firm = company()
    for account_id in ids:
        firm.do(
            "accounts",
            OpenAccount(
                account_id=account_id,
                kind=AccountKind.ORGANISATION,
                name=account_id,
                owner_id="mei",
            ),
            NOON,
        )
    return firm


def matters_of_acme_named_late() -> Company:
    """Let a ticket and a deal begin with nobody's name, and turn out to be a customer's."""
    firm = opened_accounts(ACME, BETA)
    firm.do(
        "support",
        OpenTicket(ticket_id="ticket-1", kind=TicketKind.FAULT, channel="phone", subject="异响"),
    )
    firm.do("support", AssignTicket(ticket_id="ticket-1", employee_id="li"), NOON + DAY)
    firm.do(
        "pipeline",
        OpenOpportunity(
            opportunity_id="deal-1", name="泵", amount=Money.of("800", "CNY"), owner_id="li"
        ),
    )
    firm.settle()
    at = NOON + 2 * DAY
    firm.do("support", ChangeTicket(ticket_id="ticket-1", account_id=ACME), at)
    firm.do("pipeline", ChangeOpportunity(opportunity_id="deal-1", account_id=ACME), at)
    firm.settle()
    return firm


@pytest.mark.capability("ANA-01")
def test_a_converted_lead_is_seen_whole() -> None:
    firm = company()
    lead_id, account_id = converted_lead(firm)
    seen = firm.ask(GetCustomer360(account_id=account_id))
    assert seen.profile.name == "晨光贸易"
    assert [c.name for c in seen.contacts] == ["王芳"]
    assert [o.owner_id for o in seen.owners] == ["mei"]
    assert [a.result for a in seen.activities] == ["想要报价"]
    assert seen.next_steps == [], "the lead's open steps ended with its conversion"
    assert [lead.lead_id for lead in seen.leads] == [lead_id]


@pytest.mark.capability("ANA-01", "ANA-18")
def test_before_the_conversion_there_was_no_customer() -> None:
    firm = company()
    _, account_id = converted_lead(firm)
    with pytest.raises(NotFound):
        firm.ask(GetCustomer360(account_id=account_id, as_of=NOON + 3 * DAY))
    then = firm.ask(GetCustomer360(account_id=account_id, as_of=NOON + 4 * DAY))
    assert then.profile.name == "晨光贸易"


@pytest.mark.capability("ANA-01")
def test_an_unknown_customer_is_not_found() -> None:
    with pytest.raises(NotFound):
        company().ask(GetCustomer360(account_id="nobody"))


@pytest.mark.capability("ANA-02")
def test_the_timeline_tells_every_fact_in_the_order_it_happened() -> None:
    firm = company()
    _, account_id = converted_lead(firm)
    items = firm.ask(ListTimeline(account_id=account_id)).items
    topics = [item.topic for item in items]
    assert topics[0] == "leads.LeadCaptured.v1"
    assert topics.index("leads.LeadConverted.v1") < topics.index("accounts.AccountOpened.v1")
    assert [i.occurred_at for i in items] == sorted(i.occurred_at for i in items)
    opened = next(i for i in items if i.topic == "accounts.AccountOpened.v1")
    converted = next(i for i in items if i.topic == "leads.LeadConverted.v1")
    assert opened.causation_id == converted.event_id


@pytest.mark.capability("ANA-02")
def test_pages_of_a_timeline_join_without_gap_or_repeat() -> None:
    firm = company()
    _, account_id = converted_lead(firm)
    whole = [i.event_id for i in firm.ask(ListTimeline(account_id=account_id)).items]
    for newest_first in (False, True):
        paged: list[str] = []
        token = None
        while True:
            page = firm.ask(
                ListTimeline(
                    account_id=account_id,
                    page_size=3,
                    page_token=token,
                    newest_first=newest_first,
                )
            )
            paged += [item.event_id for item in page.items]
            token = page.next_page_token
            if token is None:
                break
        assert paged == (whole[::-1] if newest_first else whole)


@pytest.mark.capability("ANA-02")
def test_a_made_up_token_is_refused_by_name() -> None:
    firm = company()
    _, account_id = converted_lead(firm)
    with pytest.raises(Invalid, match="page_token"):
        firm.ask(ListTimeline(account_id=account_id, page_token="bm9uc2Vuc2U="))


@pytest.mark.capability("ANA-18", "PLT-04")
@pytest.mark.parametrize("time", get_args(Past))
def test_looking_back_tells_what_happened_before_the_customer_was_named(time: Past) -> None:
    firm = matters_of_acme_named_late()
    live = firm.ask(GetCustomer360(account_id=ACME))
    assert [t.number for t in live.tickets]
    assert [d.name for d in live.opportunities] == ["泵"]
    now = firm.clock.moment
    assert firm.ask(GetCustomer360(account_id=ACME, as_of=now, time=time)) == live
    before = firm.ask(GetCustomer360(account_id=ACME, as_of=now - DAY, time=time))
    assert (before.tickets, before.opportunities) == ([], [])


@pytest.mark.capability("ANA-18", "PLT-04")
def test_what_was_a_customers_is_seen_then_though_it_is_anothers_now() -> None:
    firm = matters_of_acme_named_late()
    told, then = firm.ask(GetCustomer360(account_id=ACME)), firm.clock.moment
    firm.do("support", ChangeTicket(ticket_id="ticket-1", account_id=BETA), then + DAY)
    firm.settle()
    assert firm.ask(GetCustomer360(account_id=ACME)).tickets == []
    assert firm.ask(GetCustomer360(account_id=ACME, as_of=then)) == told
    assert firm.ask(GetCustomer360(account_id=BETA, as_of=then)).tickets == []


@pytest.mark.capability("ANA-02")
def test_the_timeline_tells_what_happened_before_the_customer_was_named() -> None:
    firm = matters_of_acme_named_late()
    told = [item.topic for item in firm.ask(ListTimeline(account_id=ACME)).items]
    assert told == [
        "accounts.AccountOpened.v1",
        "support.TicketOpened.v1",
        "pipeline.OpportunityOpened.v1",
        "support.TicketAssigned.v1",
        "pipeline.OpportunityChanged.v1",
        "support.TicketChanged.v1",
    ]
    assert len(firm.ask(ListTimeline(account_id=BETA)).items) == 1


@pytest.mark.capability("ANA-18", "WRK-03")
def test_the_past_of_a_deal_is_told_to_who_owned_it_then() -> None:
    firm = matters_of_acme_named_late()
    firm.do("pipeline", AssignOpportunityOwner(opportunity_id="deal-1", owner_id="mei"))
    then = firm.clock.moment
    firm.do("pipeline", AssignOpportunityOwner(opportunity_id="deal-1", owner_id="li"), then + DAY)
    firm.settle()
    assert seen_by(firm, "mei", GetCustomer360(account_id=ACME)).opportunities == []
    past = seen_by(firm, "mei", GetCustomer360(account_id=ACME, as_of=then))
    assert [deal.opened_at for deal in past.opportunities] == [NOON + DAY]


@pytest.mark.capability("ANA-02", "WRK-03")
def test_a_customers_owner_reads_of_its_tickets_from_their_beginning() -> None:
    firm = matters_of_acme_named_late()
    told = [i.topic for i in seen_by(firm, "mei", ListTimeline(account_id=ACME)).items]
    assert "support.TicketOpened.v1" in told
    assert "pipeline.OpportunityOpened.v1" not in told, "it is a deal of a colleague's"


@pytest.mark.capability("WRK-03", "ACC-06")
def test_a_member_of_the_accounts_team_sees_the_customer_whole() -> None:
    firm = opened_accounts(ACME, BETA)
    firm.do(
        "accounts",
        AddTeamMember(account_id=ACME, employee_id="li", access=TeamAccess.READ),
        NOON + DAY,
    )
    firm.settle()
    whole = firm.ask(GetCustomer360(account_id=ACME))
    assert seen_by(firm, "li", GetCustomer360(account_id=ACME)) == whole
    assert seen_by(firm, "li", ListTimeline(account_id=ACME)).items
    for query in (
        GetCustomer360(account_id=BETA),
        GetCustomer360(account_id=ACME, as_of=NOON),
        ListTimeline(account_id=BETA),
    ):
        with pytest.raises(NotFound):
            seen_by(firm, "li", query)
    firm.do("accounts", RemoveTeamMember(account_id=ACME, employee_id="li"), NOON + 2 * DAY)
    firm.settle()
    with pytest.raises(NotFound):
        seen_by(firm, "li", GetCustomer360(account_id=ACME))


@pytest.mark.capability("WRK-03")
def test_a_member_of_the_deals_team_sees_the_deal_in_the_pipeline() -> None:
    firm = company()
    firm.do(
        "pipeline",
        OpenOpportunity(opportunity_id="deal-1", name="泵", owner_id="mei", team_ids=("li",)),
    )
    firm.settle()
    for reader, count in (("mei", 1), ("li", 1), ("wang", 0)):
        assert sum(s.count for s in seen_by(firm, reader, GetFunnel()).pipeline) == count


@pytest.mark.capability("ANA-01")
def test_of_many_tickets_the_latest_are_told_and_that_there_are_more() -> None:
    firm = opened_accounts(ACME)
    for number in range(203):
        firm.do(
            "support",
            OpenTicket(
                ticket_id=f"ticket-{number:03}",
                kind=TicketKind.QUESTION,
                channel="mail",
                subject="?",
                account_id=ACME,
            ),
            NOON + number * timedelta(minutes=1),
        )
    firm.settle()
    seen = firm.ask(GetCustomer360(account_id=ACME))
    assert [t.ticket_id for t in seen.tickets] == [f"ticket-{n:03}" for n in range(3, 203)]
    assert seen.cut_short == ["tickets"]


def seen_by(firm: Company, reader: str, query: Query) -> Any:
    """Ask as somebody who sees what is theirs."""
    opened = firm.services["analytics"]
    question = opened.service.asked[type(query).__name__]
    return opened.ask(question, query, Actor(id=reader), Sight(frozenset({reader})))
