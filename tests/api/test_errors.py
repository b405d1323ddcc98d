from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from shared.chassis.api.errors import problem_of, status_of, status_of_error
from shared.chassis.shapes import (
    BrokenRule,
    Conflict,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    Refused,
    Taken,
    TookTooLong,
    Unauthenticated,
    Unavailable,
)


class LeadIsSettled(BrokenRule):
    sentence: ClassVar[str] = "a settled lead stays settled"


@pytest.mark.parametrize(
    ("refusal", "code", "http"),
    [
        (Invalid.one("name", "is empty"), 3, 422),
        (NotFound("lead", "1"), 5, 404),
        (Taken("the number is taken", holder="2"), 6, 409),
        (LimitReached("no more today"), 8, 429),
        (LeadIsSettled(), 9, 409),
        (Refused("no"), 9, 409),
        (Conflict("moved on", current_version=4), 10, 412),
        (Unauthenticated("who?"), 16, 401),
        (Forbidden("leads.ClaimLead"), 7, 403),
        (Unavailable("later"), 14, 503),
        (TookTooLong("no end"), 4, 504),
    ],
)
def test_each_refusal_has_one_status_in_grpc_and_in_http(
    refusal: Refused, code: int, http: int
) -> None:
    status = status_of(refusal)
    problem = problem_of(status)
    assert (status.code, problem["status"]) == (code, http)
    assert (problem["rule"], problem["detail"]) == (refusal.rule, refusal.message)


def test_the_facts_of_a_refusal_arrive_as_they_were() -> None:
    facts: dict[str, Any] = {
        "count": 3,
        "share": 0.5,
        "open": True,
        "none": None,
        "names": ["王", "李"],
        "nested": {"deep": [1, {"x": "y"}]},
    }
    assert problem_of(status_of(LeadIsSettled(**facts)))["details"] == facts


def test_values_that_json_does_not_know_arrive_as_text() -> None:
    refusal = LeadIsSettled(amount=Decimal("12.50"), on=date(2026, 1, 2), roles={"b", "a"})
    assert problem_of(status_of(refusal))["details"] == {
        "amount": "12.50",
        "on": "2026-01-02",
        "roles": ["a", "b"],
    }


def test_an_unforeseen_error_keeps_its_words_out_of_answer_and_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        raise ValueError("13912345678")
    except ValueError as error:
        status = status_of_error(error, "/annals.leads.v1.Leads/CaptureLead")
    logged = capsys.readouterr().out
    incident = problem_of(status)["details"]["incident"]
    assert incident in logged
    assert "ValueError" in logged
    assert "test_errors.py" in logged
    assert "13912345678" not in logged + str(status)
