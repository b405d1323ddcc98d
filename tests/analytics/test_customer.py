"""Customer 360 and the timeline."""

import pytest

from services.analytics.projections.customer import GetCustomer360, ListTimeline
from shared.chassis.shapes import Invalid, NotFound
from shared.chassis.testing import NOON
from tests.analytics.life import DAY, company, converted_lead


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
