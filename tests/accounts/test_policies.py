"""The policies as the worker runs them: reactions with the log, deadlines in their time."""

from datetime import datetime, timedelta

import pytest

from services.accounts.commands import AddTeamMember, OpenAccount
from services.accounts.domain.customer_deals import LOST_AFTER, RESTS_AFTER
from services.accounts.service import SERVICE
from shared.chassis.clock import SystemClock
from shared.chassis.messaging.deadlines import Deadlines
from shared.chassis.messaging.handlers import PoliciesHandler
from shared.chassis.service import open_service
from shared.chassis.shapes import Command
from shared.chassis.testing import NOON, issue, recorded
from shared.events.accounts import (
    AccountLifecycleMoved,
    AccountOpened,
    AccountWithdrawn,
    ActivityDone,
    ContactWithdrawn,
    Lifecycle,
    TeamMemberRemoved,
)
from shared.events.base import Event, Recorded
from tests.accounts.builders import (
    ACCOUNT,
    LEAD,
    OPPORTUNITY,
    contract_activated,
    conversion_reverted,
    lead_converted,
    opportunity_reopened,
    opportunity_won,
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

    def do(self, command: Command) -> None:
        self.application.handle(issue(command))
        self.settle()

    def hear(self, *facts: Recorded[Event]) -> None:
        for fact in facts:
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

    def stages(self) -> list[tuple[Lifecycle, timedelta]]:
        return [
            (fact.event.to_stage, fact.occurred_at - NOON)
            for fact in self.facts(AccountLifecycleMoved)
            if isinstance(fact.event, AccountLifecycleMoved)
        ]


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.mark.capability("ACC-12")
def test_the_lifecycle_follows_deals_and_silence(worker: Worker) -> None:
    second = NOON + timedelta(days=100)
    worker.do(OpenAccount(account_id=ACCOUNT, name="王府井百货"))
    worker.hear(
        recorded(opportunity_won(), OPPORTUNITY),
        recorded(contract_activated(opportunity_id=OPPORTUNITY), "contract-1"),
        recorded(contract_activated(), "contract-2", at=second),
    )
    worker.wait_until(NOON + timedelta(days=2000))
    assert worker.stages() == [
        (Lifecycle.SIGNED, timedelta(0)),
        (Lifecycle.REPURCHASING, timedelta(days=100)),
        (Lifecycle.DORMANT, timedelta(days=100) + RESTS_AFTER),
        (Lifecycle.LOST, timedelta(days=100) + LOST_AFTER),
    ]


@pytest.mark.capability("ACC-12")
def test_the_order_in_which_contexts_are_heard_does_not_matter(worker: Worker) -> None:
    worker.hear(recorded(opportunity_won(), OPPORTUNITY))
    worker.hear(recorded(lead_converted(), LEAD))
    assert worker.stages() == [(Lifecycle.SIGNED, timedelta(0))]
    worker.hear(recorded(opportunity_reopened(), OPPORTUNITY, version=2))
    assert worker.stages()[-1] == (Lifecycle.POTENTIAL, timedelta(0))


@pytest.mark.capability("LEA-16")
def test_a_conversion_heard_twice_opens_one_account(worker: Worker) -> None:
    converted = recorded(lead_converted(), LEAD)
    worker.hear(converted, converted)
    assert len(worker.facts(AccountOpened)) == len(worker.facts(ActivityDone)) == 1
    worker.hear(recorded(conversion_reverted(), LEAD, version=2))
    assert len(worker.facts(AccountWithdrawn)) == len(worker.facts(ContactWithdrawn)) == 1


@pytest.mark.capability("ACC-06")
def test_a_membership_ends_on_its_day_unless_it_is_prolonged(worker: Worker) -> None:
    week, month = NOON + timedelta(days=7), NOON + timedelta(days=30)
    worker.do(OpenAccount(account_id=ACCOUNT, name="王府井百货"))
    worker.do(AddTeamMember(account_id=ACCOUNT, employee_id="mei", expires_at=week))
    worker.do(AddTeamMember(account_id=ACCOUNT, employee_id="mei", expires_at=month))
    worker.wait_until(week)
    assert worker.facts(TeamMemberRemoved) == []
    worker.wait_until(month)
    (removed,) = worker.facts(TeamMemberRemoved)
    assert removed.occurred_at == month
