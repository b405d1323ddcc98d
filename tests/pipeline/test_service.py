from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.pipeline.commands import (
    AcceptQuote,
    ChangeOpportunity,
    DefinePriceBook,
    DefineProduct,
    DraftQuote,
    LoseOpportunity,
    MoveOpportunity,
    OpenOpportunity,
    PriceWish,
    QuoteLine,
    ReopenOpportunity,
    RetireProduct,
    ReviseQuote,
    SendQuote,
    WinOpportunity,
)
from services.pipeline.projections.opportunity_list import (
    GetOpportunity,
    ListOpportunities,
    OpportunityList,
)
from services.pipeline.projections.price_book_list import GetPriceBook, ListPriceBooks
from services.pipeline.projections.process_list import GetSalesProcess, ListSalesProcesses
from services.pipeline.projections.product_list import GetProduct, ListProducts
from services.pipeline.projections.quote_list import (
    GetQuote,
    ListOpportunityQuotes,
    ListQuotes,
)
from services.pipeline.projections.stage_log import ListStageMoves, StageLog
from services.pipeline.service import SERVICE
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Answer, Command, Conflict, NotFound, Query, Refused
from shared.chassis.testing import NOON, TESTER, folded, issue, recorded
from shared.events.values import Money
from tests.pipeline.builders import DEAL, PRODUCT, QUOTE, installation, opportunity_opened


class Desk:
    """The whole service in memory: carries out commands, lets views catch up, answers."""

    def __init__(self) -> None:
        self.service: OpenService = open_service(SERVICE)
        self.now = NOON
        self._seen = 0

    def do(self, *commands: Command, expected_version: int | None = None) -> Answer:
        assert self.service.application is not None
        try:
            for command in commands:
                answer = self.service.application.handle(
                    issue(command, at=self.now, expected_version=expected_version)
                )
                self.now += timedelta(hours=1)
        finally:
            self._catch_up()
        return answer

    def ask(self, query: Query) -> Any:
        question = SERVICE.asked[type(query).__name__]
        return self.service.ask(question, query, TESTER)

    def _catch_up(self) -> None:
        facts = self.service.log.read(self._seen, 1000)
        with self.service.views_database.transaction() as connection:
            for projection in SERVICE.projections:
                self.service.projector.apply(connection, projection, facts)
        self._seen = self.service.log.tip()


def price_list(price: int) -> DefinePriceBook:
    prices = (PriceWish(product_id=PRODUCT, unit_price=Decimal(price)),)
    return DefinePriceBook(name="标准", currency="CNY", prices=prices)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.capability("PIP-02", "PIP-03", "PIP-05", "PIP-06", "PIP-08")
def test_a_deal_goes_from_first_call_to_won(desk: Desk) -> None:
    desk.do(
        DefineProduct(product_id=PRODUCT, name="打印机", tax_percent=Decimal(13)),
        price_list(1000),
        OpenOpportunity(opportunity_id=DEAL, account_id="account-1", name="五十台打印机"),
        MoveOpportunity(opportunity_id=DEAL, to_stage="proposal"),
        DraftQuote(
            opportunity_id=DEAL,
            quote_id=QUOTE,
            lines=(QuoteLine(product_id=PRODUCT, quantity=Decimal(50)),),
        ),
        SendQuote(quote_id=QUOTE, contact_id="contact-1"),
        AcceptQuote(quote_id=QUOTE),
        WinOpportunity(opportunity_id=DEAL),
    )
    deal = desk.ask(GetOpportunity(opportunity_id=DEAL))
    assert (deal.status, deal.amount, deal.currency) == ("won", Decimal("56500.00"), "CNY")
    assert (deal.version, deal.quote_id, deal.probability) == (3, QUOTE, 100)
    steps = desk.ask(ListStageMoves(opportunity_id=DEAL)).items
    assert [(step.from_stage, step.to_stage) for step in steps] == [
        (None, "qualification"),
        ("qualification", "proposal"),
        ("proposal", "won"),
    ]
    assert [step.days_in_stage for step in steps] == [None, Decimal("0.0417"), Decimal("0.1667")]
    quote = desk.ask(GetQuote(quote_id=QUOTE))
    assert (quote.status, quote.total, quote.contact_id) == (
        "accepted",
        Decimal("56500.00"),
        "contact-1",
    )
    assert quote.lines[0].description == "打印机"


@pytest.mark.capability("PIP-02", "PIP-03")
def test_deals_are_found_sorted_and_seen_to_stall(desk: Desk) -> None:
    desk.do(
        OpenOpportunity(opportunity_id="a", name="王府井五十台", amount=Money.of(500, "CNY")),
        OpenOpportunity(opportunity_id="b", name="Cancity", amount=Money.of(700, "CNY")),
        OpenOpportunity(opportunity_id="c", name="Isdom"),
        LoseOpportunity(opportunity_id="c", reason="price"),
    )

    def ids(**query: Any) -> list[str]:
        return [one.opportunity_id for one in desk.ask(ListOpportunities(**query)).items]

    assert ids() == ["c", "b", "a"]
    assert ids(filter='name : "王"') == ["a"]
    assert ids(filter="status = open AND amount >= 600") == ["b"]
    assert ids(order_by="amount desc") == ["b", "a", "c"]
    assert ids(stalled_at=NOON + timedelta(days=20)) == []
    assert ids(stalled_at=NOON + timedelta(days=21)) == ["a"]


@pytest.mark.capability("PIP-08")
def test_a_reopened_deal_forgets_its_end_but_not_its_steps(desk: Desk) -> None:
    desk.do(
        OpenOpportunity(opportunity_id=DEAL, name="A"),
        LoseOpportunity(opportunity_id=DEAL, reason="price", competitor="Acme"),
        ReopenOpportunity(opportunity_id=DEAL, reason="customer is back"),
    )
    deal = desk.ask(GetOpportunity(opportunity_id=DEAL))
    assert (deal.status, deal.loss_reason, deal.competitor, deal.closed_at) == (
        "open",
        None,
        None,
        None,
    )
    steps = desk.ask(ListStageMoves(opportunity_id=DEAL)).items
    assert [step.to_stage for step in steps] == ["qualification", "lost", "qualification"]


@pytest.mark.capability("PIP-02", "PIP-08")
def test_the_list_shows_what_a_deal_was_won_for_after_it_is_changed(desk: Desk) -> None:
    desk.do(
        OpenOpportunity(opportunity_id=DEAL, name="A", amount=Money.of(100_000, "CNY")),
        WinOpportunity(opportunity_id=DEAL, amount=Money.of(90_000, "CNY")),
        ChangeOpportunity(opportunity_id=DEAL, next_step="kick-off"),
    )
    deal = desk.ask(GetOpportunity(opportunity_id=DEAL))
    assert (deal.status, deal.amount, deal.next_step) == ("won", Decimal(90_000), "kick-off")


@pytest.mark.capability("PIP-06", "PIP-08")
def test_the_quote_of_a_reopened_deal_is_shown_as_superseded_by_none(desk: Desk) -> None:
    desk.do(
        OpenOpportunity(opportunity_id=DEAL, name="A"),
        DraftQuote(opportunity_id=DEAL, quote_id=QUOTE, currency="CNY", lines=(installation(),)),
        SendQuote(quote_id=QUOTE),
        AcceptQuote(quote_id=QUOTE),
        WinOpportunity(opportunity_id=DEAL),
        ReopenOpportunity(opportunity_id=DEAL, reason="customer wants more"),
    )
    quote = desk.ask(GetQuote(quote_id=QUOTE))
    assert (quote.status, quote.superseded_by_id) == ("superseded", None)


@pytest.mark.capability("PIP-06")
def test_a_revised_quote_shows_its_latest_version(desk: Desk) -> None:
    desk.do(
        OpenOpportunity(opportunity_id=DEAL, name="A"),
        DraftQuote(opportunity_id=DEAL, quote_id=QUOTE, currency="CNY", lines=(installation(),)),
        SendQuote(quote_id=QUOTE, contact_id="contact-1"),
        ReviseQuote(quote_id=QUOTE, currency="CNY", lines=(installation(unit_price=Decimal(80)),)),
    )
    (quote,) = desk.ask(ListOpportunityQuotes(opportunity_id=DEAL)).items
    assert (quote.revision, quote.status, quote.total, quote.sent_at, quote.contact_id) == (
        2,
        "draft",
        Decimal("80.00"),
        None,
        None,
    )
    assert desk.ask(ListQuotes(filter="status = draft")).items == [quote]


@pytest.mark.capability("PIP-01", "PIP-05")
def test_processes_products_and_prices_are_shown(desk: Desk) -> None:
    standard = desk.ask(GetSalesProcess(process_id="standard"))
    assert (standard.process_version, standard.defined_at) == (0, None)
    assert desk.ask(ListSalesProcesses()).items == []
    desk.do(
        DefineProduct(product_id=PRODUCT, name="打印机", category=("硬件",)),
        price_list(9),
        RetireProduct(product_id=PRODUCT),
        OpenOpportunity(name="A"),
    )
    assert desk.ask(GetSalesProcess(process_id="standard")).stages == standard.stages
    assert [one.process_id for one in desk.ask(ListSalesProcesses()).items] == ["standard"]
    assert desk.ask(GetProduct(product_id=PRODUCT)).retired is True
    assert desk.ask(ListProducts(filter='category : "硬件" AND retired = false')).items == []
    (book,) = desk.ask(ListPriceBooks()).items
    assert desk.ask(GetPriceBook(price_book_id="standard-prices")) == book
    assert book.prices[0].unit_price == Decimal(9)


@pytest.mark.parametrize(
    "query",
    [
        GetOpportunity(opportunity_id="none"),
        GetQuote(quote_id="none"),
        GetProduct(product_id="none"),
        GetPriceBook(price_book_id="none"),
        GetSalesProcess(process_id="none"),
    ],
)
def test_unknown_ids_are_not_found(desk: Desk, query: Query) -> None:
    with pytest.raises(NotFound):
        desk.ask(query)


def test_a_stale_version_is_refused_with_the_current_one(desk: Desk) -> None:
    seen = desk.do(OpenOpportunity(opportunity_id=DEAL, name="A")).version
    desk.do(MoveOpportunity(opportunity_id=DEAL, to_stage="needs"), expected_version=seen)
    with pytest.raises(Conflict) as refused:
        desk.do(ChangeOpportunity(opportunity_id=DEAL, name="B"), expected_version=seen)
    assert refused.value.current_version == desk.ask(GetOpportunity(opportunity_id=DEAL)).version


def test_erased_people_leave_rows_without_their_data() -> None:
    row = folded(OpportunityList, [recorded(opportunity_opened(name=None), DEAL, erased=True)])
    assert row[DEAL,]["name"] is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["needs", "proposal", "negotiation", "win", "lose", "reopen"])))
def test_whatever_happens_the_list_and_the_log_agree_with_the_history(wishes: list[str]) -> None:
    desk = Desk()
    desk.do(OpenOpportunity(opportunity_id=DEAL, name="A"))
    acts: dict[str, Command] = {
        "win": WinOpportunity(opportunity_id=DEAL),
        "lose": LoseOpportunity(opportunity_id=DEAL, reason="price"),
        "reopen": ReopenOpportunity(opportunity_id=DEAL, reason="again"),
    }
    for wish in wishes:
        try:
            desk.do(acts.get(wish) or MoveOpportunity(opportunity_id=DEAL, to_stage=wish))
        except Refused:
            desk.now += timedelta(hours=1)
    deal = desk.ask(GetOpportunity(opportunity_id=DEAL))
    steps = desk.ask(ListStageMoves(opportunity_id=DEAL, page_size=500)).items
    assert (deal.stage if deal.status == "open" else deal.status) == steps[-1].to_stage
    assert deal.version == steps[-1].version == len(steps)
    inside = sum(step.days_in_stage for step in steps if step.days_in_stage is not None)
    if deal.days_open is not None and "reopen" not in wishes:
        assert abs(inside - deal.days_open) <= Decimal("0.0001") * len(steps)
    history = desk.service.log.read(0, 1000)
    with desk.service.views_database.read() as connection:
        for projection in (OpportunityList, StageLog):
            again = folded(projection, history)
            live = connection.execute(projection.table.select()).mappings().all()
            assert len(live) == len(again)
            for row in live:
                key = tuple(row[column.name] for column in projection.table.primary_key.columns)
                assert dict(row) == {name: again[key].get(name) for name in row}
