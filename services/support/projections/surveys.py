"""What customers were asked and what they answered."""

from collections.abc import Iterable
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, Text

from shared.chassis.shapes import Instant, Key, ListQuery, Page, Projection, Reader, Row, View
from shared.chassis.shapes.listing import listed
from shared.events.base import Recorded
from shared.events.support import RatingGiven, SurveyExpired, SurveySent

__all__ = ["ListSurveys", "Surveys", "list_surveys"]

surveys = Table(
    "surveys",
    MetaData(),
    Column("survey_id", String, primary_key=True),
    Column("ticket_id", String, index=True),
    Column("account_id", String, index=True),
    Column("contact_id", String),
    Column("employee_id", String),
    Column("kind", String, nullable=False),
    Column("status", String, nullable=False),
    Column("sent_at", Instant, nullable=False, index=True),
    Column("expires_at", Instant),
    Column("answered_at", Instant),
    Column("score", Integer),
    Column("is_low", Boolean, nullable=False),
    Column("comment", Text),
    Column("version", Integer, nullable=False),
)


class Surveys(Projection):
    """Each survey with its answer."""

    table = surveys
    events = (SurveySent, RatingGiven, SurveyExpired)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per survey."""
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the question, and the answer when it comes."""
        known = {**(row or {}), "version": recorded.version}
        match recorded.event:
            case SurveySent() as sent:
                return {
                    **dict.fromkeys(surveys.columns.keys()),
                    **sent.model_dump(mode="python", exclude={"token_sha256"}),
                    **known,
                    "survey_id": key[0],
                    "status": "sent",
                    "sent_at": recorded.occurred_at,
                    "is_low": False,
                }
            case RatingGiven(score=score, is_low=is_low, comment=comment) if row is not None:
                answer = {"status": "answered", "score": score, "is_low": is_low}
                return {
                    **known, **answer, "comment": comment, "answered_at": recorded.occurred_at
                }  # fmt: skip
            case SurveyExpired() if row is not None:
                return {**known, "status": "expired"}
        return row


class SurveyRow(View):
    """A survey and its answer."""

    survey_id: str
    ticket_id: str | None
    account_id: str | None
    contact_id: str | None
    employee_id: str | None
    """Who handled the ticket."""
    kind: str
    status: str
    """sent, answered or expired."""
    sent_at: AwareDatetime
    expires_at: AwareDatetime | None
    answered_at: AwareDatetime | None
    score: int | None
    is_low: bool
    comment: str | None
    version: int


class ListSurveys(ListQuery, http="GET /v1/surveys"):
    """List surveys and their answers, the newest first."""


def list_surveys(query: ListSurveys, reader: Reader) -> Page[SurveyRow]:
    return listed(query, reader, surveys, SurveyRow, order_by="sent_at desc")
