"""Surveys: a customer is asked once how they liked the service, and answers once."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.support.commands import ExpireSurvey, RateTicket
from shared.chassis.shapes import BrokenRule
from shared.events.base import Event
from shared.events.support import RatingGiven, SurveyExpired, SurveyKind, SurveySent, TicketClosed
from shared.events.values import AccountId, ContactId, EmployeeId, TicketId

__all__ = ["CustomerWasNotAsked", "Survey", "SurveyIsAnswered", "SurveyIsOver", "ask"]

_OPEN_FOR = timedelta(days=30)
_LOW = 2


class CustomerWasNotAsked(BrokenRule):
    """A ticket can be rated once it is closed."""


class SurveyIsAnswered(BrokenRule):
    """A survey is answered once."""


class SurveyIsOver(BrokenRule):
    """The time to answer the survey is over."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """One question put to one customer about one ticket."""

    ticket_id: TicketId | None
    account_id: AccountId | None = None
    contact_id: ContactId | None = None
    kind: SurveyKind = SurveyKind.CSAT
    employee_id: EmployeeId | None = None
    expires_at: datetime | None = None
    answered: bool = False
    expired: bool = False

    def rate(self, command: RateTicket) -> list[Event]:
        """Answer; a low score calls for a follow-up."""
        if self.answered:
            raise SurveyIsAnswered(ticket_id=self.ticket_id)
        if self.expired or (self.expires_at and command.at > self.expires_at):
            raise SurveyIsOver(ticket_id=self.ticket_id)
        return [
            RatingGiven(
                **self._about(),
                employee_id=self.employee_id,
                score=command.score,
                is_low=command.score <= _LOW,
                comment=command.comment,
            )
        ]

    def expire(self, command: ExpireSurvey) -> list[Event]:
        """Give up waiting."""
        if self.answered or self.expired or (self.expires_at and command.at < self.expires_at):
            return []
        return [SurveyExpired(**self._about())]

    def _about(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in ("account_id", "ticket_id", "contact_id", "kind")}

    @staticmethod
    def evolve(state: "Survey | None", event: Event) -> "Survey | None":
        match event:
            case SurveySent():
                return Survey(**event.model_dump(exclude={"token_sha256"}))
            case RatingGiven() if state is not None:
                return replace(state, answered=True)
            case SurveyExpired() if state is not None:
                return replace(state, expired=True)
        return state


def ask(ticket_id: TicketId, closed: TicketClosed, at: datetime) -> list[Event]:
    """Ask how the customer liked the handling of a ticket that has just been closed."""
    return [
        SurveySent(
            account_id=closed.account_id,
            ticket_id=ticket_id,
            contact_id=closed.contact_id,
            employee_id=closed.employee_id,
            expires_at=at + _OPEN_FOR,
        )
    ]
