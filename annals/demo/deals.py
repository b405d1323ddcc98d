"""Deals: from a need through offers to a yes or a no."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from annals.demo import words
from annals.demo.money import contract_follows
from annals.demo.plot import Customer, Offer, Plot, money

__all__ = ["deal_follows", "service_deal_follows"]

_DEALS = (
    ("won", 24), ("won_revised", 5), ("won_after_expiry", 3), ("won_second_quote", 2),
    ("won_reopened", 2), ("lost_early", 27), ("lost_rejected", 16), ("lost_silent", 10),
    ("stuck", 9), ("hurried", 2),
)  # fmt: skip
_CHECKLIST = ["决策人已确认"]
_USUAL_DAYS, _SHORT_DAYS = 45, 14


@dataclass(frozen=True)
class Deal:
    """An opportunity in somebody's hands."""

    plot: Plot
    customer: Customer
    opportunity_id: str

    def do(self, call: str, at: datetime, *, refused: str | None = None, **request: Any) -> None:
        """Let the rep act on a quote or on the opportunity."""
        script = self.customer.lead.script
        script.do(call, self.customer.rep, at, refused=refused, **request)

    def move(self, stage: str, at: datetime, refused: str | None = None) -> None:
        """Move it to a stage."""
        self.do(
            "pipeline.MoveOpportunity", at, refused=refused, opportunity_id=self.opportunity_id,
            to_stage=stage, confirmed=_CHECKLIST if stage == "negotiation" else None,
        )  # fmt: skip

    def lose(self, at: datetime, reason: str, *, competitor: bool = False) -> None:
        """Give it up, or see it go to somebody else."""
        rng = self.customer.lead.script.rng
        rival = rng.choice(words.COMPETITORS) if competitor else None
        self.do(
            "pipeline.LoseOpportunity", at, opportunity_id=self.opportunity_id, reason=reason,
            competitor=rival,
        )  # fmt: skip


def deal_follows(plot: Plot, customer: Customer, opportunity_id: str, offer: Offer) -> None:
    """Tell what becomes of the opportunity of a conversion."""
    deal = Deal(plot, customer, opportunity_id)
    script = customer.lead.script
    diary = script.diary
    ending = plot.draw("deal", _DEALS)
    if ending == "hurried":
        deal.move("negotiation", diary.wait(2, 4), refused="MoveIsNotAllowed")
    deal.move("needs", diary.wait(2, 8))
    if ending == "stuck":
        return
    if ending == "lost_early":
        deal.lose(diary.wait(2, 14), script.rng.choice(words.LOST))
        return
    deal.move("proposal", diary.wait(3, 11))
    if ending == "won_reopened":
        deal.lose(diary.wait(2, 8), "project cancelled")
        deal.do("pipeline.ReopenOpportunity", diary.wait(8, 20), opportunity_id=opportunity_id,
                reason="project is back", to_stage="proposal")  # fmt: skip
    _offer_until_answered(deal, offer, ending)


def service_deal_follows(plot: Plot, customer: Customer) -> None:
    """Sell a service agreement to somebody who owns an instrument."""
    script = customer.lead.script
    offer = plot.offer(script.rng, customer.lead.region.currency, service=True)
    deal = Deal(plot, customer, script.id("opportunity", script.diary.now.isoformat()))
    at = script.diary.wait(0, 3)
    deal.do(
        "pipeline.OpenOpportunity", at, opportunity_id=deal.opportunity_id,
        name=f"{customer.lead.prospect.company} {offer.products[0].name}", process_id="service",
        account_id=customer.account_id, amount=money(offer.total, offer.currency),
        product_ids=[product.id for product in offer.products],
        expected_close_on=(at.date() + timedelta(days=40)).isoformat(),
    )  # fmt: skip
    won = script.rng.random() < 0.65
    _offer_until_answered(deal, offer, "won" if won else "lost_rejected")


def _offer_until_answered(deal: Deal, offer: Offer, ending: str) -> None:
    """Send a quote, or several, until the customer says yes, says no, or says nothing."""
    script = deal.customer.lead.script
    diary = script.diary
    short = ending in {"won_after_expiry", "lost_silent"}
    quote_id = script.id("quote", deal.opportunity_id)
    last_day = _draft(deal, quote_id, offer, _SHORT_DAYS if short else _USUAL_DAYS)
    match ending:
        case "lost_rejected":
            at = diary.wait(3, 12)
            deal.do("pipeline.RejectQuote", at, quote_id=quote_id, reason="price")
            deal.lose(diary.minutes(10, 90), "price", competitor=True)
            return
        case "lost_silent":
            deal.lose(diary.until(last_day + timedelta(days=3)), "no answer")
            return
        case "won_after_expiry":
            late = diary.until(last_day + timedelta(days=2))
            deal.do("pipeline.AcceptQuote", late, refused="QuoteHasExpired", quote_id=quote_id)
            _revise(deal, quote_id, offer)
        case "won_revised":
            diary.wait(2, 6)
            offer = deal.plot.offer(script.rng, offer.currency)
            _revise(deal, quote_id, offer)
        case "won_second_quote":
            diary.wait(2, 5)
            first, quote_id = quote_id, script.id("quote", deal.opportunity_id, "second")
            offer = deal.plot.offer(script.rng, offer.currency)
            _draft(deal, quote_id, offer, _USUAL_DAYS)
    deal.move("negotiation", diary.wait(1, 7))
    at = diary.wait(1, 8)
    contact_id = deal.customer.contact_id
    deal.do("pipeline.AcceptQuote", at, quote_id=quote_id, contact_id=contact_id)
    if ending == "won_second_quote":
        at = diary.minutes(1, 10)
        deal.do("pipeline.AcceptQuote", at, refused="QuoteIsSettled", quote_id=first)
    at = diary.minutes(5, 60)
    deal.do("pipeline.WinOpportunity", at, opportunity_id=deal.opportunity_id)
    if contract_follows(deal.plot, deal.customer, quote_id, offer) and script.rng.random() < 0.35:
        diary.pass_days(script.rng.randint(40, 150))
        service_deal_follows(deal.plot, deal.customer)


def _draft(deal: Deal, quote_id: str, offer: Offer, days: int) -> Any:
    """Draft and send a quote; return the last day on which it can be accepted."""
    diary = deal.customer.lead.script.diary
    at = diary.wait(0, 2)
    last_day = at.date() + timedelta(days=days)
    deal.do("pipeline.DraftQuote", at, opportunity_id=deal.opportunity_id, quote_id=quote_id,
            **_content(offer, last_day.isoformat()))  # fmt: skip
    _send(deal, quote_id)
    return last_day


def _revise(deal: Deal, quote_id: str, offer: Offer) -> None:
    at = deal.customer.lead.script.diary.minutes(20, 90)
    last_day = at.date() + timedelta(days=_USUAL_DAYS)
    deal.do("pipeline.ReviseQuote", at, quote_id=quote_id,
            **_content(offer, last_day.isoformat()))  # fmt: skip
    _send(deal, quote_id)


def _send(deal: Deal, quote_id: str) -> None:
    at = deal.customer.lead.script.diary.minutes(15, 120)
    contact_id = deal.customer.contact_id
    deal.do("pipeline.SendQuote", at, quote_id=quote_id, contact_id=contact_id)


def _content(offer: Offer, last_day: str) -> dict[str, Any]:
    return {
        "lines": list(offer.lines),
        "currency": offer.currency,
        "price_book_id": offer.book,
        "valid_until": last_day,
    }
