"""An offer to a customer."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from services.pipeline.commands import (
    AcceptQuote,
    DraftQuote,
    ExpireQuote,
    QuoteContent,
    RejectQuote,
    ReviseQuote,
    SendQuote,
)
from services.pipeline.domain.opportunity import Opportunity
from services.pipeline.domain.pricing import Offer
from shared.chassis.shapes import BrokenRule, Invalid, LimitReached
from shared.events.base import Event
from shared.events.pipeline import (
    QuoteAccepted,
    QuoteContentFact,
    QuoteDrafted,
    QuoteExpired,
    QuoteRejected,
    QuoteRevised,
    QuoteSent,
    QuoteSuperseded,
)

__all__ = [
    "MOST_QUOTES",
    "OneQuoteIsAccepted",
    "Quote",
    "QuoteHasExpired",
    "QuoteIsNotSent",
    "QuoteIsSettled",
    "QuoteNeedsRevision",
    "QuoteStatus",
    "QuotesStayFew",
]

MOST_QUOTES = 100
_CONTENT = ("lines", "net", "tax", "total", "price_book_id", "valid_until", "terms")


class QuoteStatus(StrEnum):
    DRAFT = "draft"
    SENT = "sent"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class QuoteIsNotSent(BrokenRule):
    sentence = "Only a quote that was sent can be answered."


class QuoteIsSettled(BrokenRule):
    sentence = "The quote is accepted or superseded; nothing can change it."


class QuoteHasExpired(BrokenRule):
    sentence = "The quote's validity has run out; revise it first."


class QuoteNeedsRevision(BrokenRule):
    sentence = "The quote was turned down or its validity has run out; revise it first."


class OneQuoteIsAccepted(BrokenRule):
    sentence = "The opportunity has an accepted quote already."


class QuotesStayFew(LimitReached):
    sentence = f"An opportunity has at most {MOST_QUOTES} quotes."


@dataclass(frozen=True, kw_only=True)
class Quote:
    """An offer in its versions: drawn up, sent, and answered or lapsed."""

    content: QuoteContentFact
    number: str
    status: QuoteStatus = QuoteStatus.DRAFT
    accepted: QuoteAccepted | None = None

    @property
    def opportunity_id(self) -> str:
        return self.content.opportunity_id

    @staticmethod
    def draft(command: DraftQuote, deal: Opportunity, offer: Offer, number: str) -> list[Event]:
        deal.must_be_open()
        _check_validity(command)
        return [
            QuoteDrafted(
                opportunity_id=command.opportunity_id,
                **_parties(deal),
                revision=1,
                **_offered(command, offer),
                number=number,
            )
        ]

    def revise(self, command: ReviseQuote, deal: Opportunity, offer: Offer) -> list[Event]:
        if self.status in {QuoteStatus.ACCEPTED, QuoteStatus.SUPERSEDED}:
            raise QuoteIsSettled(status=self.status.value)
        deal.must_be_open()
        _check_validity(command)
        offered = _offered(command, offer)
        changed = tuple(name for name in _CONTENT if offered[name] != getattr(self.content, name))
        if not changed and self.status is QuoteStatus.DRAFT:
            return []
        return [
            QuoteRevised(
                opportunity_id=self.opportunity_id,
                **_parties(deal),
                revision=self.content.revision + 1,
                **offered,
                changed=changed,
            )
        ]

    def send(self, command: SendQuote, deal: Opportunity) -> list[Event]:
        if self.status is QuoteStatus.SENT:
            return []
        if self.status in {QuoteStatus.ACCEPTED, QuoteStatus.SUPERSEDED}:
            raise QuoteIsSettled(status=self.status.value)
        if self.status is not QuoteStatus.DRAFT or self._over(command):
            raise QuoteNeedsRevision(status=self.status.value)
        deal.must_be_open()
        return [
            QuoteSent(
                **self._about(deal),
                total=self.content.total,
                valid_until=self.content.valid_until,
                contact_id=command.contact_id,
            )
        ]

    def accept(self, command: AcceptQuote, deal: Opportunity) -> list[Event]:
        if self.status is QuoteStatus.ACCEPTED:
            return []
        self._must_be_sent()
        if self._over(command):
            raise QuoteHasExpired(valid_until=str(self.content.valid_until))
        deal.must_be_open()
        return [
            QuoteAccepted(
                **self._about(deal),
                **{name: getattr(self.content, name) for name in _CONTENT},
                number=self.number,
                unit_id=deal.unit_id,
                contact_id=command.contact_id,
            )
        ]

    def reject(self, command: RejectQuote, deal: Opportunity) -> list[Event]:
        if self.status is QuoteStatus.REJECTED:
            return []
        self._must_be_sent()
        return [QuoteRejected(**self._about(deal), reason=command.reason, note=command.note)]

    def expire(self, command: ExpireQuote, deal: Opportunity) -> list[Event]:
        due = self.content.valid_until
        answered = self.status is not QuoteStatus.SENT
        if answered or due is None or self.content.revision != command.revision:
            return []
        return [QuoteExpired(**self._about(deal), valid_until=due)] if self._over(command) else []

    def supersede(self, by_quote_id: str, deal: Opportunity) -> list[Event]:
        if self.status not in {QuoteStatus.DRAFT, QuoteStatus.SENT}:
            return []
        return [QuoteSuperseded(**self._about(deal), by_quote_id=by_quote_id)]

    def lapse(self, deal: Opportunity) -> list[Event]:
        """Let the accepted quote of a deal that is taken up again count no more."""
        if self.status is not QuoteStatus.ACCEPTED:
            return []
        return [QuoteSuperseded(**self._about(deal))]

    def _must_be_sent(self) -> None:
        if self.status is QuoteStatus.EXPIRED:
            raise QuoteHasExpired
        if self.status in {QuoteStatus.ACCEPTED, QuoteStatus.SUPERSEDED}:
            raise QuoteIsSettled(status=self.status.value)
        if self.status is not QuoteStatus.SENT:
            raise QuoteIsNotSent(status=self.status.value)

    def _over(self, command: SendQuote | AcceptQuote | ExpireQuote) -> bool:
        due = self.content.valid_until
        return due is not None and due < command.at.date()

    def _about(self, deal: Opportunity) -> dict[str, Any]:
        return {
            "opportunity_id": self.opportunity_id,
            **_parties(deal),
            "revision": self.content.revision,
        }

    @staticmethod
    def evolve(state: "Quote | None", event: Event) -> "Quote | None":
        if isinstance(event, QuoteDrafted):
            return Quote(content=event, number=event.number)
        return None if state is None else _after(state, event)


def _after(quote: Quote, event: Event) -> Quote:
    match event:
        case QuoteRevised():
            return replace(quote, content=event, status=QuoteStatus.DRAFT)
        case QuoteSent():
            return replace(quote, status=QuoteStatus.SENT)
        case QuoteAccepted():
            return replace(quote, status=QuoteStatus.ACCEPTED, accepted=event)
        case QuoteRejected():
            return replace(quote, status=QuoteStatus.REJECTED)
        case QuoteExpired():
            return replace(quote, status=QuoteStatus.EXPIRED)
        case QuoteSuperseded():
            return replace(quote, status=QuoteStatus.SUPERSEDED)
    return quote


def _parties(deal: Opportunity) -> dict[str, Any]:
    return {"account_id": deal.account_id, "lead_id": deal.lead_id, "owner_id": deal.owner_id}


def _offered(command: QuoteContent, offer: Offer) -> dict[str, Any]:
    return {
        "lines": offer.lines,
        "net": offer.net,
        "tax": offer.tax,
        "total": offer.total,
        "price_book_id": command.price_book_id,
        "valid_until": command.valid_until,
        "terms": command.terms,
    }


def _check_validity(command: QuoteContent) -> None:
    if command.valid_until is not None and command.valid_until < command.at.date():
        raise Invalid.one("valid_until", "lies in the past")
