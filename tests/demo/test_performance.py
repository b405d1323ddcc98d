"""A whole story, played on all services in one process."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from annals.demo.act import Act
from annals.demo.conductor import Conductor, Tally
from annals.demo.journal import Journal, Plan
from annals.demo.story import tell
from shared.chassis.projections.rebuild import rebuild
from shared.events.accounts import AccountWithdrawn
from shared.events.base import Event
from shared.events.billing import (
    ContractExpired,
    InstalmentFellOverdue,
    InstalmentReopened,
    InstalmentVoided,
    InvoiceCredited,
    PaymentCredited,
)
from shared.events.leads import LeadCaptured, LeadRecycled, StatementMerged
from shared.events.pipeline import OpportunityStalled, QuoteExpired, QuoteSuperseded
from shared.events.support import RatingGiven, SlaBreached, SlaMet, SurveyExpired, TicketOpened
from tests.demo.house import House

PLAN = Plan(seed=7, leads=150, days=365, until=date(2026, 7, 1))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def story() -> list[Act]:
    return tell(PLAN.seed, PLAN.leads, PLAN.days, PLAN.until)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    folder: Path = tmp_path_factory.mktemp("demo")
    journal = Journal.begin(folder / "journal", PLAN)
    yield journal
    journal.close()


@pytest.fixture(scope="module")
def house() -> House:
    return House()


@pytest.fixture(scope="module")
def tally(house: House, journal: Journal, story: list[Act]) -> Tally:
    return Conductor(house, journal).play(story, PLAN.ends)


@pytest.fixture(scope="module")
def facts(house: House, tally: Tally) -> list[Event]:
    logs = [opened.log for opened in house.services.values()]
    return [fact.event for log in logs for fact in log.read(0, log.tip() + 1)]


def test_everything_goes_as_the_story_has_it(
    tally: Tally, journal: Journal, story: list[Act]
) -> None:
    assert journal.surprises == []
    assert tally.accepted.total() + tally.refused.total() == len(story)
    assert tally.refused == Counter(act.refused for act in story if act.refused)


def test_nothing_is_parked(house: House, tally: Tally) -> None:
    assert [letter for delivery in house.deliveries for letter in delivery.parked()] == []


def test_every_prospect_is_a_lead_once(facts: list[Event]) -> None:
    assert sum(isinstance(fact, LeadCaptured) for fact in facts) == PLAN.leads


def test_what_comes_by_itself_has_come(facts: list[Event]) -> None:
    kinds = {type(fact) for fact in facts}
    wanted: set[type[Event]] = {
        AccountWithdrawn, ContractExpired, InstalmentFellOverdue, InstalmentReopened,
        InstalmentVoided, InvoiceCredited, LeadRecycled, OpportunityStalled, PaymentCredited,
        QuoteExpired, QuoteSuperseded, SlaBreached, SlaMet, StatementMerged, SurveyExpired,
    }  # fmt: skip
    assert wanted - kinds == set()


def test_each_low_rating_is_followed_by_one_complaint(facts: list[Event]) -> None:
    low = [fact.ticket_id for fact in facts if isinstance(fact, RatingGiven) and fact.is_low]
    followed = [
        fact.parent_id
        for fact in facts
        if isinstance(fact, TicketOpened) and fact.channel == "survey"
    ]
    assert Counter(low) == Counter(followed)


def test_the_books_balance(house: House, tally: Tally) -> None:
    books = house.ask("analytics", "GetTrialBalance")
    assert books.balanced
    assert len({total.currency for total in books.totals}) > 1


def test_read_models_are_what_the_logs_say(house: House, tally: Tally) -> None:
    sources = {name: opened.log for name, opened in house.services.items()}
    for opened in house.services.values():
        reports = rebuild(opened.views_database, opened.service.projections, sources, check=True)
        assert [report.projection for report in reports if not report.equal] == []


def test_the_story_played_twice_changes_nothing(
    house: House, tally: Tally, story: list[Act], tmp_path: Path
) -> None:
    before = {name: opened.log.tip() for name, opened in house.services.items()}
    journal = Journal.begin(tmp_path / "journal", PLAN)
    Conductor(house, journal).play([act for act in story if not act.refused], PLAN.ends)
    journal.close()
    assert journal.surprises == []
    assert {name: opened.log.tip() for name, opened in house.services.items()} == before
