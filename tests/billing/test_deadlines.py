"""The policies as the worker runs them: reactions with the log, deadlines in their time."""

from datetime import UTC, datetime, timedelta

import pytest

from services.billing.commands import (
    ActivateContract,
    AmendContract,
    DraftContract,
    ReceivePayment,
    ReversePayment,
    RevisePaymentPlan,
    SignContract,
)
from services.billing.service import SERVICE
from shared.chassis.clock import SystemClock
from shared.chassis.messaging.deadlines import Deadlines
from shared.chassis.messaging.handlers import PoliciesHandler
from shared.chassis.service import open_service
from shared.chassis.shapes import Command
from shared.chassis.testing import NOON, issue, recorded
from shared.events.base import Event, Recorded
from shared.events.billing import (
    ContractDrafted,
    ContractExpired,
    InstalmentFellDue,
    InstalmentFellOverdue,
    ReversalReason,
)
from tests.billing.builders import (
    ACCOUNT,
    CONTRACT,
    PAYMENT,
    cny,
    in_days,
    part,
    quote_accepted,
    running_contract,
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

    def do(self, *commands: Command, at: datetime = NOON) -> None:
        for command in commands:
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


def paid(amount: int) -> ReceivePayment:
    return ReceivePayment(
        payment_id=PAYMENT, contract_id=CONTRACT, amount=cny(amount), method="bank"
    )


@pytest.mark.capability("BIL-01")
def test_an_accepted_quote_heard_twice_is_one_contract(worker: Worker) -> None:
    fact = recorded(quote_accepted(), "quote-1")
    worker.hear(fact)
    worker.hear(fact)
    (drafted,) = worker.facts(ContractDrafted)
    assert drafted.actor == "system:draft_contract"
    assert drafted.causation_id == fact.event_id


@pytest.mark.capability("BIL-04")
def test_an_unpaid_instalment_falls_due_and_overdue_in_its_time(worker: Worker) -> None:
    worker.do(*running_contract(100, part(60, 10, "i1"), part(40, 20, "i2")))
    worker.wait_until(NOON + timedelta(days=10))
    worker.do(paid(60), at=NOON + timedelta(days=10))
    worker.wait_until(NOON + timedelta(days=60))
    (early, late) = worker.facts(InstalmentFellDue)
    assert [fact.occurred_at for fact in (early, late)] == [
        datetime(2026, 3, 12, tzinfo=UTC),
        datetime(2026, 3, 22, tzinfo=UTC),
    ]
    (overdue,) = worker.facts(InstalmentFellOverdue)
    assert isinstance(overdue.event, InstalmentFellOverdue)
    assert overdue.event.instalment_id == "i2"
    assert overdue.occurred_at == datetime(2026, 3, 23, tzinfo=UTC)


@pytest.mark.capability("BIL-04")
def test_an_instalment_moved_to_a_later_day_is_not_overdue_before(worker: Worker) -> None:
    worker.do(*running_contract(100, part(100, 10, "i1")))
    worker.do(RevisePaymentPlan(contract_id=CONTRACT, instalments=(part(100, 30, "i1"),)))
    worker.wait_until(NOON + timedelta(days=30))
    assert not worker.facts(InstalmentFellOverdue)
    worker.wait_until(NOON + timedelta(days=31))
    assert len(worker.facts(InstalmentFellOverdue)) == 1


@pytest.mark.capability("BIL-05")
def test_what_a_bounced_payment_leaves_open_after_its_day_is_overdue(worker: Worker) -> None:
    worker.do(*running_contract(100, part(100, 10, "i1")), paid(100))
    worker.wait_until(NOON + timedelta(days=20))
    assert not worker.facts(InstalmentFellOverdue)
    bounced = ReversePayment(payment_id=PAYMENT, reason=ReversalReason.BOUNCED)
    worker.do(bounced, at=NOON + timedelta(days=20))
    assert len(worker.facts(InstalmentFellOverdue)) == 1


@pytest.mark.capability("BIL-01")
def test_a_contract_expires_when_its_last_and_not_its_first_agreed_day_is_over(
    worker: Worker,
) -> None:
    worker.do(
        DraftContract(contract_id=CONTRACT, account_id=ACCOUNT, amount=cny(1), ends_on=in_days(10)),
        SignContract(contract_id=CONTRACT),
        ActivateContract(contract_id=CONTRACT),
        AmendContract(contract_id=CONTRACT, ends_on=in_days(20)),
    )
    worker.wait_until(NOON + timedelta(days=20))
    assert not worker.facts(ContractExpired)
    worker.wait_until(NOON + timedelta(days=21))
    (expired,) = worker.facts(ContractExpired)
    assert expired.occurred_at == datetime(2026, 3, 23, tzinfo=UTC)
