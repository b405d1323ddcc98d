"""Surveys do not wait for an answer for ever."""

from collections.abc import Sequence

from services.support.commands import ExpireSurvey
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.support import RatingGiven, SurveySent

__all__ = ["expire_survey"]


@whenever(SurveySent, RatingGiven)
def expire_survey(recorded: Recorded[SurveySent | RatingGiven]) -> Sequence[Reaction]:
    """Whenever a customer is asked, stop waiting when the time to answer is over."""
    survey_id = recorded.stream_id
    match recorded.event:
        case SurveySent(expires_at=expires_at) if expires_at is not None:
            return [Later(expires_at, ExpireSurvey(survey_id=survey_id), survey_id)]
    return [Cancel(survey_id)]
