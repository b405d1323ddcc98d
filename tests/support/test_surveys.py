from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.support.application import SupportApplication
from services.support.commands import (
    CloseTicket,
    ExpireSurvey,
    OpenTicket,
    RateTicket,
    ReopenTicket,
    ResolveTicket,
)
from services.support.domain.survey import CustomerWasNotAsked, SurveyIsAnswered, SurveyIsOver
from services.support.policies.expire_survey import expire_survey
from services.support.policies.follow_up_low_rating import follow_up_low_rating
from shared.chassis.shapes import Cancel, Later, NotFound
from shared.chassis.testing import NOON, Scenario, recorded, scenario
from shared.events.support import Priority, RatingGiven, SurveyExpired, TicketKind
from tests.support.builders import (
    ACCOUNT,
    TICKET,
    open_ticket,
    survey_sent,
    ticket_opened,
    ticket_resolved,
)

pytestmark = pytest.mark.capability("SUP-08")


def closed() -> Scenario[SupportApplication]:
    return scenario(SupportApplication).after(
        open_ticket(), ResolveTicket(ticket_id=TICKET), CloseTicket(ticket_id=TICKET)
    )


def rating(score: int, **over: object) -> RatingGiven:
    values = {"account_id": ACCOUNT, "ticket_id": TICKET, "score": score, "employee_id": "tester"}
    return RatingGiven.model_validate(values | over)


def test_a_closed_ticket_is_rated_once() -> None:
    (
        closed()
        .when(RateTicket(ticket_id=TICKET, score=5, comment="很满意"))
        .then(rating(5, comment="很满意"))
        .when(RateTicket(ticket_id=TICKET, score=1))
        .then_refused(SurveyIsAnswered, ticket_id=TICKET)
    )


def test_a_ticket_that_is_not_closed_is_not_rated() -> None:
    (
        scenario(SupportApplication)
        .given(TICKET, ticket_opened(), ticket_resolved())
        .when(RateTicket(ticket_id=TICKET, score=5))
        .then_refused(CustomerWasNotAsked)
    )


def test_every_closing_asks_anew() -> None:
    told = closed().after(
        RateTicket(ticket_id=TICKET, score=1),
        ReopenTicket(ticket_id=TICKET, reason="again"),
        ResolveTicket(ticket_id=TICKET),
        CloseTicket(ticket_id=TICKET),
    )
    told.when(RateTicket(ticket_id=TICKET, score=4)).then(rating(4))


def test_a_survey_answers_for_its_own_ticket_only() -> None:
    (
        closed()
        .given("survey-2", survey_sent(ticket_id="ticket-2"))
        .when(RateTicket(ticket_id=TICKET, score=4, survey_id="survey-2"))
        .then_refused(NotFound, id="survey-2")
    )


@pytest.mark.parametrize("score", [0, 6, 3.5])
def test_scores_go_from_one_to_five(score: float) -> None:
    with pytest.raises(ValidationError):
        RateTicket.model_validate({"ticket_id": TICKET, "score": score})


def test_a_survey_expires_unanswered() -> None:
    until = NOON + timedelta(days=30)
    asked = (
        scenario(SupportApplication)
        .given(TICKET, ticket_opened())
        .given("survey-1", survey_sent(expires_at=until))
    )
    rate = RateTicket(ticket_id=TICKET, score=5, survey_id="survey-1")
    expire = ExpireSurvey(survey_id="survey-1")
    (
        asked.when(rate, at=until + timedelta(seconds=1))
        .then_refused(SurveyIsOver)
        .when(expire, at=NOON)
        .then_nothing()
        .when(expire, at=until)
        .then(SurveyExpired(account_id=ACCOUNT, ticket_id=TICKET))
        .when(expire, at=until)
        .then_nothing()
        .when(rate, at=NOON)
        .then_refused(SurveyIsOver)
    )
    sent = recorded(survey_sent(expires_at=until), stream_id="survey-1")
    assert expire_survey(sent) == [Later(until, expire, "survey-1")]
    assert expire_survey(recorded(rating(5), stream_id="survey-1")) == [Cancel("survey-1")]


def test_a_low_rating_is_followed_up_once() -> None:
    low = recorded(rating(2, is_low=True), stream_id="survey-1")
    (command,) = follow_up_low_rating(low)
    assert isinstance(command, OpenTicket)
    assert (command.kind, command.priority) == (TicketKind.COMPLAINT, Priority.HIGH)
    assert command.parent_id == TICKET
    assert follow_up_low_rating(low) == [command]
    assert follow_up_low_rating(recorded(rating(3), stream_id="survey-1")) == []
