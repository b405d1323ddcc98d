from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.pipeline.application import PipelineApplication
from services.pipeline.commands import (
    AcceptQuote,
    DraftQuote,
    ExpireQuote,
    LoseOpportunity,
    QuoteLine,
    RejectQuote,
    ReopenOpportunity,
    ReviseQuote,
    SendQuote,
    WinOpportunity,
)
from services.pipeline.domain.opportunity import OpportunityIsClosed
from services.pipeline.domain.process import BUILT_IN
from services.pipeline.domain.product import ProductIsRetired
from services.pipeline.domain.quote import (
    MOST_QUOTES,
    OneQuoteIsAccepted,
    QuoteHasExpired,
    QuoteIsNotSent,
    QuoteIsSettled,
    QuoteNeedsRevision,
    QuotesStayFew,
)
from services.pipeline.policies.expire_quote import expire_quote
from shared.chassis.shapes import Cancel, Command, Invalid, Later, NotFound, Taken
from shared.chassis.testing import NOON, Scenario, recorded, scenario
from shared.events.pipeline import (
    OpportunityReopened,
    OpportunityWon,
    ProductRetired,
    QuoteAccepted,
    QuoteDrafted,
    QuoteExpired,
    QuoteRejected,
    QuoteRevised,
    QuoteSent,
    QuoteSuperseded,
)
from shared.events.values import Money
from tests.pipeline.builders import (
    ACCOUNT,
    BOOK,
    DEAL,
    PRODUCT,
    QUOTE,
    draft_quote,
    installation,
    line_item,
    opportunity_opened,
    price_book_defined,
    product_defined,
    quote_drafted,
    quote_sent,
)

pytestmark = pytest.mark.capability("PIP-06")

TODAY = NOON.date()
SEND = SendQuote(quote_id=QUOTE)
ACCEPT = AcceptQuote(quote_id=QUOTE)
REJECT = RejectQuote(quote_id=QUOTE, reason="too dear")
REVISE = ReviseQuote(quote_id=QUOTE, currency="CNY", lines=(installation(quantity=Decimal(2)),))


def with_a_deal() -> Scenario[PipelineApplication]:
    return (
        scenario(PipelineApplication).given("standard", BUILT_IN).given(DEAL, opportunity_opened())
    )


def offered(*after: Command, **drafted: Any) -> Scenario[PipelineApplication]:
    return with_a_deal().after(draft_quote(**drafted), *after)


def accepted(**fields: Any) -> QuoteAccepted:
    usual = {
        "opportunity_id": DEAL,
        "account_id": ACCOUNT,
        "owner_id": "lin",
        "revision": 1,
        "lines": (line_item(),),
        "net": Money.of("100.00", "CNY"),
        "tax": Money.of("0.00", "CNY"),
        "total": Money.of("100.00", "CNY"),
        "number": "Q-1",
    }
    return QuoteAccepted(**{**usual, **fields})


def test_an_offer_is_drawn_up() -> None:
    with_a_deal().when(draft_quote()).then(quote_drafted())


@pytest.mark.capability("PIP-05")
def test_prices_names_and_taxes_come_from_the_price_book_and_the_product() -> None:
    given = with_a_deal().given(PRODUCT, product_defined()).given(BOOK, price_book_defined())
    done = given.when(
        DraftQuote(
            opportunity_id=DEAL,
            lines=(
                QuoteLine(product_id=PRODUCT, quantity=Decimal(3), discount_percent=Decimal(10)),
                installation(tax_percent=Decimal(6)),
            ),
        )
    )
    done.then_kinds(QuoteDrafted)
    (drafted,) = (fact.event for fact in done.news)
    assert isinstance(drafted, QuoteDrafted)
    first, second = drafted.lines
    assert (first.description, first.unit, first.unit_price) == (
        "打印机",
        "piece",
        Decimal("999.90"),
    )
    assert (first.net, first.tax, first.total) == (
        Decimal("2699.73"),
        Decimal("350.96"),
        Decimal("3050.69"),
    )
    assert (second.net, second.tax) == (Decimal("100.00"), Decimal("6.00"))
    assert drafted.total == Money.of("3156.69", "CNY")
    assert drafted.number.startswith("Q-20260302-")


@pytest.mark.parametrize(
    "wrong",
    [
        {"lines": (QuoteLine(description="no price"),)},
        {"lines": (QuoteLine(unit_price=Decimal(1)),)},
        {"currency": None},
        {"valid_until": TODAY - timedelta(days=1)},
    ],
)
def test_an_offer_that_cannot_be_priced_or_held_is_refused(wrong: dict[str, Any]) -> None:
    with_a_deal().when(draft_quote(**wrong)).then_refused(Invalid)


def test_an_offer_needs_known_products_on_offer_and_a_known_book() -> None:
    given = with_a_deal().given("old", product_defined(), ProductRetired())
    given.when(draft_quote(lines=(installation(product_id="none"),))).then_refused(NotFound)
    given.when(draft_quote(lines=(installation(product_id="old"),))).then_refused(ProductIsRetired)
    given.when(draft_quote(price_book_id="none")).then_refused(NotFound)
    given.when(draft_quote(opportunity_id="none")).then_refused(NotFound)


@pytest.mark.capability("PIP-05")
@pytest.mark.parametrize(
    "book",
    [
        price_book_defined(valid_from=TODAY + timedelta(days=1)),
        price_book_defined(valid_until=TODAY - timedelta(days=1)),
        price_book_defined(currency="EUR"),
    ],
)
def test_prices_out_of_term_or_in_another_currency_do_not_count(book: Any) -> None:
    given = with_a_deal().given(PRODUCT, product_defined()).given(BOOK, book)
    given.when(draft_quote(lines=(QuoteLine(product_id=PRODUCT),))).then_refused(Invalid)


def test_a_number_is_given_once() -> None:
    offered().when(draft_quote(quote_id="quote-2")).then_refused(Taken, holder=QUOTE)


def test_an_offer_is_sent_once() -> None:
    given = offered(valid_until=TODAY)
    given.when(SEND).then(quote_sent(valid_until=TODAY))
    given.when(SEND).then_nothing()


def test_a_revised_offer_is_a_new_version_and_must_be_sent_again() -> None:
    given = offered(SEND)
    given.when(REVISE).then(
        QuoteRevised(
            opportunity_id=DEAL,
            account_id=ACCOUNT,
            owner_id="lin",
            revision=2,
            lines=(line_item(quantity=Decimal(2), net=Decimal("200.00"), total=Decimal("200.00")),),
            net=Money.of("200.00", "CNY"),
            tax=Money.of("0.00", "CNY"),
            total=Money.of("200.00", "CNY"),
            changed=("lines", "net", "total"),
        )
    )
    given.when(REVISE).then_nothing()
    given.when(ACCEPT).then_refused(QuoteIsNotSent, status="draft")
    given.when(SEND).then(quote_sent(revision=2, total=Money.of("200.00", "CNY")))


def test_the_accepted_version_is_exactly_the_one_sent() -> None:
    given = offered(SEND)
    given.when(AcceptQuote(quote_id=QUOTE, contact_id="contact-1")).then(
        accepted(contact_id="contact-1")
    )
    given.when(ACCEPT).then_nothing()


def test_other_open_offers_of_the_deal_lapse_when_one_is_accepted() -> None:
    given = offered(
        SEND,
        draft_quote(quote_id="draft", number="Q-2"),
        draft_quote(quote_id="sent", number="Q-3"),
        SendQuote(quote_id="sent"),
        draft_quote(quote_id="rejected", number="Q-4"),
        SendQuote(quote_id="rejected"),
        RejectQuote(quote_id="rejected", reason="too dear"),
    )
    given.when(ACCEPT).then_kinds(QuoteAccepted, QuoteSuperseded, QuoteSuperseded)
    assert [fact.stream_id for fact in given.news] == [QUOTE, "draft", "sent"]
    given.when(SendQuote(quote_id="draft")).then_refused(QuoteIsSettled, status="superseded")
    given.when(AcceptQuote(quote_id="sent")).then_refused(QuoteIsSettled)


def test_one_quote_per_deal_is_accepted() -> None:
    given = offered(
        draft_quote(quote_id="other", number="Q-2"),
        SendQuote(quote_id="other"),
        RejectQuote(quote_id="other", reason="too dear"),
        SEND,
        ACCEPT,
    )
    given.when(draft_quote(quote_id="third", number="Q-3")).then_refused(
        OneQuoteIsAccepted, quote_id=QUOTE
    )
    given.when(ReviseQuote(quote_id="other", currency="CNY", lines=(installation(),))).then_refused(
        OneQuoteIsAccepted, quote_id=QUOTE
    )


def test_a_turned_down_offer_is_revised_before_it_is_sent_again() -> None:
    given = offered(SEND)
    given.when(REJECT).then(
        QuoteRejected(
            opportunity_id=DEAL,
            account_id=ACCOUNT,
            owner_id="lin",
            revision=1,
            reason="too dear",
        )
    )
    given.when(REJECT).then_nothing()
    given.when(ACCEPT).then_refused(QuoteIsNotSent, status="rejected")
    given.when(SEND).then_refused(QuoteNeedsRevision, status="rejected")
    given.when(REVISE).then_kinds(QuoteRevised)
    given.when(SEND).then_kinds(QuoteSent)


def test_only_what_was_sent_is_answered() -> None:
    given = offered()
    given.when(ACCEPT).then_refused(QuoteIsNotSent)
    given.when(REJECT).then_refused(QuoteIsNotSent)


def test_an_accepted_offer_stands() -> None:
    given = offered(SEND, ACCEPT)
    given.when(REVISE).then_refused(QuoteIsSettled, status="accepted")
    given.when(SEND).then_refused(QuoteIsSettled)
    given.when(REJECT).then_refused(QuoteIsSettled)


def test_an_offer_expires_after_its_last_day() -> None:
    given = offered(SEND, valid_until=TODAY)
    expire = ExpireQuote(quote_id=QUOTE, revision=1)
    given.when(expire, at=NOON).then_nothing()
    tomorrow = NOON + timedelta(days=1)
    given.when(ACCEPT, at=tomorrow).then_refused(QuoteHasExpired)
    given.when(expire, at=tomorrow).then(
        QuoteExpired(
            opportunity_id=DEAL,
            account_id=ACCOUNT,
            owner_id="lin",
            revision=1,
            valid_until=TODAY,
        )
    )
    given.when(expire, at=tomorrow).then_nothing()
    given.when(ACCEPT, at=tomorrow).then_refused(QuoteHasExpired)
    given.when(SEND, at=tomorrow).then_refused(QuoteNeedsRevision, status="expired")


def test_a_draft_whose_last_day_is_over_is_revised_before_it_is_sent() -> None:
    offered(valid_until=TODAY).when(SEND, at=NOON + timedelta(days=1)).then_refused(
        QuoteNeedsRevision
    )


def test_a_deadline_for_an_earlier_version_changes_nothing() -> None:
    again = ReviseQuote(quote_id=QUOTE, currency="CNY", lines=(installation(),), valid_until=TODAY)
    given = offered(SEND, again, SEND, valid_until=TODAY)
    given.when(ExpireQuote(quote_id=QUOTE, revision=1), at=NOON + timedelta(days=1)).then_nothing()


def test_offers_wait_for_the_day_after_their_last() -> None:
    sent = recorded(quote_sent(valid_until=date(2026, 3, 31)), QUOTE)
    assert expire_quote(sent) == [
        Later(datetime(2026, 4, 1, tzinfo=UTC), ExpireQuote(quote_id=QUOTE, revision=1), QUOTE)
    ]
    assert expire_quote(recorded(quote_sent(), QUOTE)) == [Cancel(QUOTE)]
    assert expire_quote(recorded(accepted(), QUOTE)) == [Cancel(QUOTE)]


def test_nothing_is_offered_for_a_closed_deal() -> None:
    lose = LoseOpportunity(opportunity_id=DEAL, reason="price")
    given = offered(lose)
    given.when(draft_quote(quote_id="other", number="Q-2")).then_refused(OpportunityIsClosed)
    given.when(SEND).then_refused(OpportunityIsClosed)
    given.when(REVISE).then_refused(OpportunityIsClosed)
    offered(SEND, lose).when(ACCEPT).then_refused(OpportunityIsClosed)


@pytest.mark.capability("PIP-08")
def test_a_deal_is_won_with_the_accepted_quote_and_its_total() -> None:
    given = offered(SEND, ACCEPT)
    given.when(WinOpportunity(opportunity_id=DEAL)).then_kinds(OpportunityWon)
    (won,) = (fact.event for fact in given.news)
    assert isinstance(won, OpportunityWon)
    assert (won.quote_id, won.amount) == (QUOTE, Money.of("100.00", "CNY"))
    given.when(ACCEPT).then_nothing()


@pytest.mark.capability("PIP-08")
@pytest.mark.parametrize(
    "end",
    [
        WinOpportunity(opportunity_id=DEAL, amount=Money.of(90, "CNY")),
        LoseOpportunity(opportunity_id=DEAL, reason="price"),
    ],
)
def test_a_reopened_deal_is_quoted_anew_and_its_accepted_quote_lapses(end: Command) -> None:
    given = offered(SEND, ACCEPT, end)
    given.when(ReopenOpportunity(opportunity_id=DEAL, reason="customer wants more")).then_kinds(
        OpportunityReopened, QuoteSuperseded
    )
    lapsed = given.news[-1]
    assert (lapsed.stream_id, lapsed.event) == (
        QUOTE,
        QuoteSuperseded(opportunity_id=DEAL, account_id=ACCOUNT, owner_id="lin", revision=1),
    )
    for wish in (REVISE, SEND, ACCEPT, REJECT):
        given.when(wish).then_refused(QuoteIsSettled, status="superseded")
    given.when(draft_quote(quote_id="new", number="Q-2", lines=(installation(),))).then_kinds(
        QuoteDrafted
    )
    given.after(SendQuote(quote_id="new"))
    given.when(AcceptQuote(quote_id="new")).then_kinds(QuoteAccepted)
    given.when(WinOpportunity(opportunity_id=DEAL)).then_kinds(OpportunityWon)
    (won,) = (fact.event for fact in given.news)
    assert isinstance(won, OpportunityWon)
    assert won.quote_id == "new"


@pytest.mark.capability("PIP-08")
def test_a_deal_won_again_without_a_new_quote_is_won_for_its_own_amount() -> None:
    given = offered(
        SEND,
        ACCEPT,
        WinOpportunity(opportunity_id=DEAL, amount=Money.of(90, "CNY")),
        ReopenOpportunity(opportunity_id=DEAL, reason="customer hesitates"),
    )
    tomorrow = NOON + timedelta(days=1)
    given.when(WinOpportunity(opportunity_id=DEAL), at=tomorrow).then_kinds(OpportunityWon)
    (won,) = (fact.event for fact in given.news)
    assert isinstance(won, OpportunityWon)
    assert (won.quote_id, won.amount) == (None, Money.of(90, "CNY"))


def test_quotes_stay_few() -> None:
    many = [draft_quote(quote_id=f"q-{n}", number=f"Q-{n}") for n in range(MOST_QUOTES)]
    with_a_deal().after(*many).when(draft_quote(number="Q-last")).then_refused(QuotesStayFew)


def test_an_unknown_quote_is_not_found() -> None:
    for wish in (SEND, ACCEPT, REJECT, REVISE):
        scenario(PipelineApplication).when(wish).then_refused(NotFound)
