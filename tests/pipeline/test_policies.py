"""The policies as the worker runs them: reactions with the log, deadlines in their time."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.pipeline.commands import (
    AcceptQuote,
    DraftQuote,
    MoveOpportunity,
    OpenOpportunity,
    SendQuote,
)
from services.pipeline.service import SERVICE
from shared.chassis.clock import SystemClock
from shared.chassis.messaging.deadlines import Deadlines
from shared.chassis.messaging.handlers import PoliciesHandler
from shared.chassis.service import open_service
from shared.chassis.shapes import Command
from shared.chassis.testing import NOON, issue, recorded
from shared.events.base import Event, Recorded
from shared.events.pipeline import OpportunityOpened, OpportunityStalled, QuoteExpired
from tests.pipeline.builders import (
    DEAL,
    LEAD,
    QUOTE,
    TO_QUALIFY,
    conversion_reverted,
    installation,
    lead_converted,
)


class Worker:
    """The service's policies and deadlines over a log in memory."""

    def __init__(self) -> None:
        self.service = open_service(SERVICE)
        application = self.service.application
        assert application is not None
        self.application = application
        clock = SystemClock()
        self.deadlines = Deadlines(application, clock)
        self.policies = PoliciesHandler(SERVICE.policies, application, self.deadlines, clock)
        self._seen = 0

    def do(self, command: Command, at: datetime = NOON) -> None:
        self.application.handle(issue(command, at=at))
        self.settle()

    def hear(self, fact: Recorded[Event]) -> None:
        with self.service.log_database.transaction() as connection:
            self.policies.apply(connection, [fact], frozenset())
        self.settle()

    def settle(self) -> None:
        while facts := self.service.log.read(self._seen, 100):
            self._seen = facts[-1].position
            with self.service.log_database.transaction() as connection:
                self.policies.apply(connection, facts, frozenset())

    def wait_until(self, moment: datetime) -> None:
        while self.deadlines.keep(moment):
            self.settle()

    def facts(self, kind: type[Event]) -> list[Recorded[Event]]:
        history = self.service.log.read(0, 1000)
        return [fact for fact in history if isinstance(fact.event, kind)]


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.mark.capability("PIP-03")
def test_a_deal_left_alone_is_noted_as_stalled_once_and_on_its_day(worker: Worker) -> None:
    worker.do(OpenOpportunity(opportunity_id=DEAL, name="A"))
    worker.wait_until(NOON + TO_QUALIFY - timedelta(seconds=1))
    assert worker.facts(OpportunityStalled) == []
    worker.wait_until(NOON + timedelta(days=365))
    (stalled,) = worker.facts(OpportunityStalled)
    assert stalled.occurred_at == NOON + TO_QUALIFY


@pytest.mark.capability("PIP-03")
def test_a_move_starts_the_clock_anew(worker: Worker) -> None:
    worker.do(OpenOpportunity(opportunity_id=DEAL, name="A"))
    moved = NOON + timedelta(days=20)
    worker.do(MoveOpportunity(opportunity_id=DEAL, to_stage="proposal"), at=moved)
    worker.wait_until(NOON + timedelta(days=365))
    (stalled,) = worker.facts(OpportunityStalled)
    assert stalled.occurred_at == moved + timedelta(days=31, hours=12)


@pytest.mark.capability("PIP-06")
@pytest.mark.parametrize("answered", [False, True])
def test_a_sent_quote_expires_unless_it_is_answered(worker: Worker, answered: bool) -> None:
    worker.do(OpenOpportunity(opportunity_id=DEAL, name="A"))
    worker.do(
        DraftQuote(
            opportunity_id=DEAL,
            quote_id=QUOTE,
            currency="CNY",
            lines=(installation(quantity=Decimal(2)),),
            valid_until=date(2026, 3, 31),
        )
    )
    worker.do(SendQuote(quote_id=QUOTE))
    if answered:
        worker.do(AcceptQuote(quote_id=QUOTE))
    worker.wait_until(NOON + timedelta(days=365))
    expired = [fact.occurred_at for fact in worker.facts(QuoteExpired)]
    assert expired == ([] if answered else [datetime(2026, 4, 1, tzinfo=UTC)])


@pytest.mark.capability("LEA-16")
def test_a_conversion_heard_twice_opens_one_deal_and_reverting_withdraws_it(
    worker: Worker,
) -> None:
    converted = recorded(lead_converted(), LEAD)
    worker.hear(converted)
    worker.hear(converted)
    (opened,) = worker.facts(OpportunityOpened)
    assert (opened.stream_id, opened.actor) == (DEAL, "system:open_converted_opportunity")
    worker.hear(recorded(conversion_reverted(), LEAD, version=2))
    worker.wait_until(NOON + timedelta(days=365))
    assert worker.facts(OpportunityStalled) == []
