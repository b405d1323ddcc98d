"""The example mappings, shown on made-up rows with the peculiarities of the data they are for."""

from decimal import Decimal
from pathlib import Path

from tests.imports.conftest import Office

MAPPINGS = Path(__file__).parents[2] / "examples" / "mappings"

OLIST_LEADS = """mql_id,first_contact_date,landing_page_id,origin
m1,2018-02-01,p1,unknown
m2,2018-02-03,p1,
"""
OLIST_DEALS = (
    "mql_id,seller_id,sdr_id,sr_id,won_date,business_segment,lead_type,lead_behaviour_profile,"
    "has_company,has_gtin,average_stock,business_type,declared_product_catalog_size,"
    "declared_monthly_revenue\n"
    'm1,s1,d1,r1,2018-01-30 10:00:00,pet,online_big,"cat, wolf",,,,reseller,,0.0\n'
    "m2,s2,d1,r2,2018-03-01 23:30:00,,,,,,,,,\n"
)
OLIST_ITEMS = """order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value
o1,1,p1,s1,2018-05-01 10:00:00,50.00,10.00
o1,2,p2,s2,2018-05-02 10:00:00,30.00,0.0
"""
OLIST_PAYMENTS = """order_id,payment_sequential,payment_type,payment_installments,payment_value
o1,1,credit_card,3,70.00
o1,2,voucher,1,20.00
"""
MAVEN_ACCOUNTS = """account,sector,year_established,revenue,employees,office_location,subsidiary_of
Cheers,technolgy,1993,4269.9,6472,Philipines,Massive Dynamic
Massive Dynamic,retail,1989,665.06,1095,United States,
"""
MAVEN_PRODUCTS = "product,series,sales_price\nGTX Pro,GTX,4821\n"
MAVEN_COLUMNS = (
    "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value"
)
MAVEN_DEALS = f"""{MAVEN_COLUMNS}
A,Moses Frase,GTXPro,Cheers,Won,2016-10-20,2017-03-01,1054
B,Moses Frase,GTX Pro,Cheers,Lost,2016-10-21,2017-03-02,0
C,Moses Frase,GTX Pro,,Engaging,2016-10-22,,
D,Moses Frase,GTX Pro,,Prospecting,,,
E,Moses Frase,GTX Pro,Chers,Engaging,2016-10-22,,
"""
UCI_COLUMNS = (
    "number,incident_state,sys_mod_count,made_sla,caller_id,opened_at,contact_type,location,"
    "category,subcategory,u_symptom,priority,assignment_group,assigned_to,closed_code,reopen_count,"
    "resolved_at,closed_at"
)
UCI_UPDATES = f"""{UCI_COLUMNS}
INC1,Closed,10,false,Caller 1,29/2/2016 01:16,Phone,?,Category 1,?,?,1 - Critical,Group 5,?,code 6,2,?,5/3/2016 12:00
INC1,-100,2,true,Caller 1,29/2/2016 01:16,Phone,?,Category 1,?,?,3 - Moderate,Group 4,Resolver 9,?,0,?,5/3/2016 12:00
"""  # noqa: E501 - rows as they are


def test_olist_leads_keep_an_empty_origin_apart_from_an_unknown_one(office: Office) -> None:
    assert office.take_in("leads", OLIST_LEADS, MAPPINGS / "olist-leads.yaml").counts == (2, 0, 0)
    captured = {f.event.external_id: f.event for f in office.facts("leads", "LeadCaptured")}
    assert (captured["m1"].channel, captured["m2"].channel) == ("unknown", "empty")
    assert captured["m2"].raw == {
        "mql_id": "m2",
        "first_contact_date": "2018-02-03",
        "landing_page_id": "p1",
    }


def test_olist_deals_convert_the_lead_even_before_its_first_contact(office: Office) -> None:
    office.take_in("leads", OLIST_LEADS, MAPPINGS / "olist-leads.yaml")
    deals = office.take_in("opportunities", OLIST_DEALS, MAPPINGS / "olist-deals.yaml")
    assert deals.counts == (2, 0, 0)
    converted, bare = office.facts("leads", "LeadConverted")
    won = office.facts("pipeline", "OpportunityWon")
    assert [fact.event.account_id for fact in won] == [
        converted.event.account_id,
        bare.event.account_id,
    ]
    assert (converted.event.account_name, converted.event.industry) == ("Seller s1", "pet")
    assert converted.occurred_at < office.facts("leads", "LeadCaptured")[0].occurred_at


def test_an_olist_order_of_two_sellers_is_two_contracts_and_the_first_is_paid(
    office: Office,
) -> None:
    office.write("olist_closed_deals_dataset.csv", OLIST_DEALS)
    items = office.write("order_items_of_won_sellers.csv", OLIST_ITEMS)
    contracts = office.take_in("contracts", items, MAPPINGS / "olist-contracts.yaml")
    assert contracts.counts == (2, 0, 0)
    payments = office.take_in("payments", OLIST_PAYMENTS, MAPPINGS / "olist-payments.yaml")
    assert payments.counts == (2, 0, 0)
    first, second = office.facts("billing", "ContractDrafted")
    assert (str(first.event.total), str(second.event.total)) == ("60.00 BRL", "30.00 BRL")
    assert first.event.lead_id != second.event.lead_id
    received = office.facts("billing", "PaymentReceived")
    assert {fact.event.account_id for fact in received} == {first.event.account_id}
    assert sum(fact.event.amount.amount for fact in received) == Decimal("90.00")


def test_maven_names_find_their_products_and_accounts(office: Office) -> None:
    for kind, table in (("accounts", MAVEN_ACCOUNTS), ("products", MAVEN_PRODUCTS)):
        rejected = office.take_in(kind, table, MAPPINGS / f"maven-{kind}.yaml").counts[2]
        assert rejected == 0
    outcome = office.take_in("opportunities", MAVEN_DEALS, MAPPINGS / "maven-opportunities.yaml")
    assert outcome.counts == (4, 0, 1)
    assert outcome.reasons == ["account_id: accounts from maven include no 'Chers'"]
    (product,) = office.facts("pipeline", "ProductDefined")
    deals = {f.event.external_id: f for f in office.facts("pipeline", "OpportunityOpened")}
    assert {fact.event.product_ids for fact in deals.values()} == {(product.stream_id,)}
    assert (deals["A"].event.stage, deals["D"].event.stage) == ("engaging", "prospecting")
    assert deals["C"].event.account_id is None
    assert f"{deals['D'].occurred_at:%Y-%m-%d}" == "2017-12-31"
    (won,) = office.facts("pipeline", "OpportunityWon")
    (lost,) = office.facts("pipeline", "OpportunityLost")
    assert (str(won.event.amount), lost.event.amount) == ("1054 USD", None)
    assert (won.occurred_at - deals["A"].occurred_at).days == 132
    cheers, massive = sorted(
        office.facts("accounts", "AccountOpened"), key=lambda fact: str(fact.event.name)
    )
    assert cheers.event.parent_id == massive.stream_id
    assert cheers.event.industry == "technology"


def test_a_uci_ticket_ends_as_its_last_update_says(office: Office) -> None:
    outcome = office.take_in("tickets", UCI_UPDATES, MAPPINGS / "uci-tickets.yaml")
    assert outcome.counts == (1, 0, 0)
    (opened,) = office.facts("support", "TicketOpened")
    assert (opened.event.priority, opened.event.subject) == ("critical", None)
    (assigned,) = office.facts("support", "TicketAssigned")
    assert (assigned.event.unit_id, assigned.event.employee_id) == ("group-5", None)
    (reopened,) = office.facts("support", "TicketReopened")
    assert reopened.event.reopened == 2
    assert office.facts("support", "TicketResolved") == []
    (closed,) = office.facts("support", "TicketClosed")
    assert closed.occurred_at.isoformat() == "2016-03-05T12:00:00+00:00"
    assert len(office.facts("support", "SlaBreached")) == 1
