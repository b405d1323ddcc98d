"""Three public data sets come out with the figures known of them.

They are not part of the project: `ANNALS_TEST_SAMPLE_DATA` names the folder that holds `olist`,
`maven-crm` and `uci-incidents`; without it these tests are skipped.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest

from services.analytics.projections.funnel import GetFunnel, ListChannels
from services.analytics.projections.money import GetTrialBalance
from services.analytics.service import SERVICE as ANALYTICS
from shared.chassis.eventstore import EventLog
from shared.chassis.projections.rebuild import rebuild
from shared.chassis.service import open_service
from shared.chassis.shapes import Query
from shared.events.leads import LeadCaptured, LeadConverted
from shared.events.pipeline import OpportunityLost, OpportunityOpened, OpportunityWon
from shared.events.support import SlaMet, TicketClosed, TicketOpened, TicketReopened, TicketResolved
from shared.events.values import Money
from tests.imports.conftest import CLERK, Office

MAPPINGS = Path(__file__).parents[2] / "examples" / "mappings"
DATA = Path(os.environ.get("ANNALS_TEST_SAMPLE_DATA", "/nowhere"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="ANNALS_TEST_SAMPLE_DATA names no folder"),
]

ORIGINS = {
    "organic_search": (2296, 271),
    "paid_search": (1586, 195),
    "social": (1350, 75),
    "unknown": (1099, 179),
    "direct_traffic": (499, 56),
    "email": (493, 15),
    "referral": (284, 24),
    "other": (150, 4),
    "display": (118, 6),
    "other_publicities": (65, 3),
    "empty": (60, 14),
}
"""Leads and deals won by origin."""
LEADS_BY_MONTH = [4, 239, 386, 312, 416, 445, 200, 1141, 1028, 1174, 1352, 1303]
WON_BY_MONTH = [3, 73, 113, 147, 207, 122, 57, 37, 33, 23, 21, 6]
AS_OF = {
    date(2017, 12, 31): (2002, 3),
    date(2018, 3, 31): (5345, 336),
    date(2018, 5, 31): (8000, 665),
    date(2018, 8, 31): (8000, 792),
}
"""Leads and deals won by the end of a day."""


@pytest.fixture(scope="module")
def olist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    office = Office(tmp_path_factory.mktemp("olist"))
    for kind, file, mapping, records in (
        ("leads", "olist_marketing_qualified_leads_dataset.csv", "olist-leads", 8000),
        ("opportunities", "olist_closed_deals_dataset.csv", "olist-deals", 842),
        ("contracts", "order_items_of_won_sellers.csv", "olist-contracts", 4518),
        ("payments", "order_payments_of_won_sellers.csv", "olist-payments", 4704),
    ):
        outcome = office.take_in(kind, DATA / "olist" / file, MAPPINGS / f"{mapping}.yaml")
        assert outcome.counts == (records, 0, 0)
    yield office
    office.close()


@pytest.fixture(scope="module")
def maven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    office = Office(tmp_path_factory.mktemp("maven"))
    for kind, file, records in (
        ("accounts", "accounts.csv", 85),
        ("products", "products.csv", 7),
        ("opportunities", "sales_pipeline.csv", 8800),
    ):
        outcome = office.take_in(kind, DATA / "maven-crm" / file, MAPPINGS / f"maven-{kind}.yaml")
        assert outcome.counts == (records, 0, 0)
    yield office
    office.close()


@pytest.fixture(scope="module")
def uci(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    office = Office(tmp_path_factory.mktemp("uci"))
    file = DATA / "uci-incidents" / "incident_event_log.zip"
    outcome = office.take_in("tickets", file, MAPPINGS / "uci-tickets.yaml")
    assert outcome.counts == (24_918, 0, 0)
    assert outcome.report.rows == 141_712
    yield office
    office.close()


class Funnel:
    """Leads and what was won, from the recorded facts alone."""

    def __init__(self, office: Office) -> None:
        self.contact: dict[str, datetime] = {}
        self.origin: dict[str, str] = {}
        self.won: dict[str, datetime] = {}
        for fact in office.facts("leads"):
            if isinstance(fact.event, LeadCaptured):
                self.contact[fact.stream_id] = fact.occurred_at
                self.origin[fact.stream_id] = fact.event.channel
        for fact in office.facts("pipeline"):
            if isinstance(fact.event, OpportunityWon):
                self.won[str(fact.event.lead_id)] = fact.occurred_at

    def as_of(self, day: date) -> tuple[int, int]:
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        moments = (self.contact.values(), self.won.values())
        leads, won = (sum(moment < end for moment in some) for some in moments)
        return leads, won


def by_month(moments: Iterator[datetime]) -> list[int]:
    counted = Counter(f"{moment:%Y-%m}" for moment in moments)
    return [counted[month] for month in sorted(counted)]


def test_olist_leads_and_deals_by_origin(olist: Office) -> None:
    funnel = Funnel(olist)
    leads = Counter(funnel.origin.values())
    won = Counter(funnel.origin[lead] for lead in funnel.won)
    assert {origin: (leads[origin], won[origin]) for origin in leads} == ORIGINS
    assert (len(funnel.contact), len(funnel.won)) == (8000, 842)


def test_olist_leads_and_deals_by_month_and_as_of(olist: Office) -> None:
    funnel = Funnel(olist)
    assert by_month(iter(funnel.contact.values())) == LEADS_BY_MONTH
    assert by_month(iter(funnel.won.values())) == WON_BY_MONTH
    assert {day: funnel.as_of(day) for day in AS_OF} == AS_OF


def test_olist_days_from_contact_to_won(olist: Office) -> None:
    funnel = Funnel(olist)
    days = [(won.date() - funnel.contact[lead].date()).days for lead, won in funnel.won.items()]
    assert (median(days), round(mean(days), 2), min(days), max(days)) == (14, 48.44, -2, 427)


def test_olist_conversions_open_the_accounts_that_pay(olist: Office) -> None:
    converted = [f.event for f in olist.facts("leads") if isinstance(f.event, LeadConverted)]
    accounts = {event.account_id for event in converted}
    assert len(accounts) == 842
    drafted = [fact.event for fact in olist.facts("billing", "ContractDrafted")]
    paid = [fact.event for fact in olist.facts("billing", "PaymentReceived")]
    assert len({event.account_id for event in drafted}) == 380
    assert {event.account_id for event in (*drafted, *paid)} <= accounts


def test_olist_items_and_payments_add_up(olist: Office) -> None:
    lines = [
        line for fact in olist.facts("billing", "ContractDrafted") for line in fact.event.lines
    ]
    freight = [line.total for line in lines if line.description.startswith("Freight ")]
    items = [line.total for line in lines if not line.description.startswith("Freight ")]
    assert (len(items), sum(items)) == (5044, Decimal("676851.48"))
    assert sum(freight) == Decimal("98964.15")
    methods: dict[str, Decimal] = defaultdict(Decimal)
    received = [fact.event for fact in olist.facts("billing", "PaymentReceived")]
    for event in received:
        methods[event.method] += event.amount.amount
    assert len(received) == 4704
    assert sum(methods.values()) == Decimal("792957.05")
    assert methods == {
        "credit_card": Decimal("644721.04"),
        "boleto": Decimal("108744.83"),
        "voucher": Decimal("17292.77"),
        "debit_card": Decimal("22198.41"),
    }


def test_maven_stages_values_and_cycles(maven: Office) -> None:
    opened = {
        fact.stream_id: fact
        for fact in maven.facts("pipeline")
        if isinstance(fact.event, OpportunityOpened)
    }
    won = [fact for fact in maven.facts("pipeline") if isinstance(fact.event, OpportunityWon)]
    lost = [fact for fact in maven.facts("pipeline") if isinstance(fact.event, OpportunityLost)]
    settled = {fact.stream_id for fact in (*won, *lost)}
    still_open = Counter(f.event.stage for id, f in opened.items() if id not in settled)
    assert (len(opened), len(won), len(lost)) == (8800, 4238, 2473)
    assert still_open == {"engaging": 1589, "prospecting": 500}
    assert round(100 * len(won) / len(settled), 2) == 63.15
    assert sum(fact.event.amount.amount for fact in won) == 10_005_534
    assert [
        median((f.occurred_at - opened[f.stream_id].occurred_at).days for f in facts)
        for facts in (won, lost)
    ] == [57, 14]
    quarters: dict[int, Decimal] = defaultdict(Decimal)
    for fact in won:
        quarters[(fact.occurred_at.month + 2) // 3] += fact.event.amount.amount
    assert quarters == {1: 1_134_672, 2: 3_086_111, 3: 2_982_255, 4: 2_802_496}
    nobody = [f for id, f in opened.items() if f.event.account_id is None and id not in settled]
    assert len(nobody) == 1425


def test_maven_deals_name_products_and_accounts_that_exist(maven: Office) -> None:
    defined = maven.facts("pipeline", "ProductDefined")
    products = {fact.stream_id: fact.event.name for fact in defined}
    accounts = {fact.stream_id for fact in maven.facts("accounts", "AccountOpened")}
    deals = [fact.event for fact in maven.facts("pipeline", "OpportunityOpened")]
    sold = Counter(products[id] for event in deals for id in event.product_ids)
    assert sold["GTX Pro"] == 1480
    assert sum(sold.values()) == 8800
    assert {event.account_id for event in deals} == {*accounts, None}


def test_uci_priorities_service_levels_and_backlog(uci: Office) -> None:
    facts = uci.facts("support")
    opened = {f.stream_id: f for f in facts if isinstance(f.event, TicketOpened)}
    resolved = {f.stream_id: f.occurred_at for f in facts if isinstance(f.event, TicketResolved)}
    closed = {f.stream_id: f.occurred_at for f in facts if isinstance(f.event, TicketClosed)}
    assert Counter(f.event.priority.value for f in opened.values()) == {
        "moderate": 23_466, "low": 774, "high": 408, "critical": 270
    }  # fmt: skip
    met = sum(isinstance(f.event, SlaMet) for f in facts)
    assert (met, round(100 * met / len(opened), 2)) == (15_803, 63.42)
    assert len({f.stream_id for f in facts if isinstance(f.event, TicketReopened)}) == 275

    def hours(ends: dict[str, datetime]) -> float:
        spans = [end - opened[id].occurred_at for id, end in ends.items()]
        return median(span.total_seconds() / 3600 for span in spans)

    assert (len(resolved), round(hours(resolved), 2)) == (23_362, 22.10)
    assert (len(closed), round(hours(closed), 3)) == (24_918, 145.867)

    def backlog(day: date) -> int:
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        return sum(f.occurred_at < end <= closed[id] for id, f in opened.items())

    days = (date(2016, 3, 31), date(2016, 4, 30), date(2016, 5, 31))
    assert [backlog(day) for day in days] == [3353, 2961, 2044]


@pytest.mark.capability("ANA-03", "ANA-05", "ANA-06", "ANA-18")
def test_olist_read_models_say_the_same(olist: Office) -> None:
    analytics = open_service(ANALYTICS)
    logs = {service.name: service.log for service in olist.services}
    logs["workplace"] = EventLog("workplace")
    rebuild(analytics.views_database, ANALYTICS.projections, logs)

    def ask(query: Query) -> Any:
        return analytics.ask(ANALYTICS.asked[type(query).__name__], query, CLERK)

    channels = ask(ListChannels()).items
    assert {c.key: (c.leads, c.won) for c in channels} == ORIGINS
    assert sum(c.paid for c in channels) == 380
    months = [g.stages[0].count for g in ask(GetFunnel(by="month")).groups]
    assert months == LEADS_BY_MONTH
    won = [g.stages[5].count for g in ask(GetFunnel(by="won_month")).groups if g.key]
    assert won == WON_BY_MONTH
    for day, expected in AS_OF.items():
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        past = ask(GetFunnel(as_of=end - timedelta(microseconds=1))).total.stages
        assert (past[0].count, past[5].count) == expected
    trial = ask(GetTrialBalance())
    assert trial.balanced
    bank = next(line for line in trial.lines if line.ledger_account == "bank")
    assert bank.debit == Money(amount=Decimal("792957.05"), currency="BRL")
    analytics.close()
