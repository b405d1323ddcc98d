from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.pipeline.application import PipelineApplication
from services.pipeline.commands import (
    DefineSalesProcess,
    ImportOpportunity,
    Outcome,
    StageWish,
)
from services.pipeline.domain.process import StageIsNotInTheProcess
from shared.chassis.shapes import Answer, Invalid, NotFound, Taken
from shared.chassis.testing import NOON, issue, scenario
from shared.events.pipeline import (
    OpportunityLost,
    OpportunityOpened,
    OpportunityWon,
    SalesProcessDefined,
)
from shared.events.values import Money

ENGAGED = NOON - timedelta(days=57)
SELLING = DefineSalesProcess(
    process_id="maven",
    name="Maven",
    stages=(
        StageWish(stage="prospecting", name="Prospecting", probability=10),
        StageWish(stage="engaging", name="Engaging", probability=50),
    ),
)


def historic(**fields: Any) -> ImportOpportunity:
    usual = {
        "opportunity_id": "1C1I7A6R",
        "name": "GTX Plus Basic",
        "amount": Money.of(1054, "USD"),
        "opened_at": ENGAGED,
        "source": "maven",
        "external_id": "1C1I7A6R",
        "process_id": "maven",
    }
    return ImportOpportunity(**{**usual, **fields})


@pytest.mark.capability("PIP-02", "PIP-08")
def test_a_won_deal_is_entered_with_its_whole_life() -> None:
    done = (
        scenario(PipelineApplication)
        .after(SELLING, at=ENGAGED)
        .when(historic(outcome=Outcome.WON, closed_at=NOON), import_id="import-1")
    )
    done.then_kinds(OpportunityOpened, OpportunityWon)
    assert [fact.occurred_at for fact in done.news] == [ENGAGED, NOON]
    opened, won = (fact.event for fact in done.news)
    assert isinstance(opened, OpportunityOpened)
    assert opened.owner_id is None
    assert isinstance(won, OpportunityWon)
    assert (won.from_stage, won.days_open) == ("engaging", Decimal(57))
    assert won.amount == Money.of(1054, "USD")


def test_a_lost_deal_is_entered_with_its_reason() -> None:
    done = (
        scenario(PipelineApplication)
        .after(SELLING)
        .when(
            historic(
                outcome=Outcome.LOST, closed_at=NOON, loss_reason="not stated", stage="engaging"
            )
        )
    )
    done.then_kinds(OpportunityOpened, OpportunityLost)
    assert done.log.version("1C1I7A6R") == 2


def test_an_open_deal_without_a_date_begins_when_it_is_entered() -> None:
    done = (
        scenario(PipelineApplication)
        .after(SELLING)
        .when(historic(opened_at=None, stage="prospecting", amount=None))
    )
    done.then_kinds(OpportunityOpened)
    assert done.news[0].occurred_at == NOON


def test_a_closed_deal_without_a_beginning_began_at_its_end_at_the_latest() -> None:
    closed = NOON - timedelta(days=5)
    done = (
        scenario(PipelineApplication)
        .after(SELLING)
        .when(historic(opened_at=None, outcome=Outcome.WON, closed_at=closed))
    )
    assert [fact.occurred_at for fact in done.news] == [closed, closed]


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": Outcome.WON, "closed_at": ENGAGED - timedelta(days=1)},
        {"outcome": Outcome.LOST, "closed_at": NOON},
        {"outcome": Outcome.OPEN, "closed_at": NOON},
    ],
)
def test_impossible_histories_are_refused(wrong: dict[str, Any]) -> None:
    scenario(PipelineApplication).after(SELLING).when(historic(**wrong)).then_refused(Invalid)


def test_unknown_processes_and_stages_are_refused() -> None:
    given = scenario(PipelineApplication).after(SELLING)
    given.when(historic(process_id="none")).then_refused(NotFound)
    given.when(historic(stage="none")).then_refused(StageIsNotInTheProcess)


def test_a_second_run_adds_nothing() -> None:
    given = scenario(PipelineApplication).after(SELLING, historic())
    given.when(historic(opportunity_id=None)).then_refused(Taken, holder="1C1I7A6R")


def test_deals_are_entered_in_bulk_into_a_process_first_used_by_one_of_them() -> None:
    application = scenario(PipelineApplication).application
    answers = application.bulk(
        [
            issue(historic(opportunity_id=f"d-{n}", external_id=f"{n % 3}", process_id=None))
            for n in range(4)
        ]
    )
    assert [isinstance(answer, Answer) for answer in answers] == [True, True, True, False]
    kinds = [type(fact.event) for fact in application.log.read(0, 100)]
    assert kinds == [SalesProcessDefined, *[OpportunityOpened] * 3]
