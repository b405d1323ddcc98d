from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.billing.commands import DraftContractFromQuote, ExpireContract, NoteInstalmentDue
from services.billing.policies.draft_contract import draft_contract
from services.billing.policies.expire_contracts import expire_contracts
from services.billing.policies.note_reopened_instalments import note_reopened_instalments
from services.billing.policies.watch_due_dates import watch_due_dates
from shared.chassis.shapes import Cancel, Later
from shared.chassis.testing import NOON, recorded
from shared.events.billing import (
    ContractAmended,
    InstalmentReopened,
    InstalmentScheduled,
    PaymentPlanRevised,
)
from tests.billing.builders import (
    ACCOUNT,
    CONTRACT,
    PAYMENT,
    PLAN,
    billing,
    cny,
    contract_activated,
    in_days,
    instalment,
    plan_agreed,
    quote_accepted,
)


def note(instalment_id: str) -> NoteInstalmentDue:
    return NoteInstalmentDue(contract_id=CONTRACT, instalment_id=instalment_id)


def plan_revised(**changes: Any) -> PaymentPlanRevised:
    facts: dict[str, Any] = {
        "contract_id": CONTRACT,
        "account_id": ACCOUNT,
        "total": cny(100),
        "instalments": (instalment("i3", 100, due_on=in_days(5)),),
    }
    return PaymentPlanRevised(**facts | changes)


@pytest.mark.capability("BIL-01")
def test_an_accepted_quote_becomes_a_draft_and_redelivery_no_second_one() -> None:
    fact = recorded(quote_accepted(), "quote-1")
    (wish,) = draft_contract(fact)
    assert isinstance(wish, DraftContractFromQuote)
    assert (wish.quote_id, wish.account_id, wish.owner_id) == ("quote-1", ACCOUNT, "li")
    assert [wish] == draft_contract(fact)
    world = billing().when(wish)
    drafted = world.news[0]
    assert drafted.stream_id == wish.contract_id


@pytest.mark.capability("BIL-01")
def test_a_quote_nobody_known_accepted_becomes_no_contract() -> None:
    assert draft_contract(recorded(quote_accepted(account_id=None))) == []


@pytest.mark.capability("BIL-04")
def test_due_dates_are_watched_in_the_plan_s_time_zone() -> None:
    plan = plan_agreed(instalment("i1", 100, due_on=date(2026, 4, 1)))
    local = plan.model_copy(update={"time_zone": "Asia/Shanghai"})
    assert watch_due_dates(recorded(local, PLAN)) == [
        Later(datetime(2026, 3, 31, 16, tzinfo=UTC), note("i1"), "due:i1"),
        Later(datetime(2026, 4, 1, 16, tzinfo=UTC), note("i1"), "overdue:i1"),
    ]


@pytest.mark.capability("BIL-04")
def test_what_waits_for_a_milestone_is_watched_once_that_is_reached() -> None:
    waiting = plan_agreed(instalment("i1", 100, milestone="验收"))
    assert watch_due_dates(recorded(waiting, PLAN)) == []
    reached = InstalmentScheduled(
        contract_id=CONTRACT,
        account_id=ACCOUNT,
        instalment_id="i1",
        milestone="验收",
        due_on=in_days(3),
    )
    keys = [one.key for one in watch_due_dates(recorded(reached, PLAN)) if isinstance(one, Later)]
    assert keys == ["due:i1", "overdue:i1"]


@pytest.mark.capability("BIL-04")
def test_what_a_revision_drops_is_watched_no_longer() -> None:
    reactions = watch_due_dates(recorded(plan_revised(dropped_ids=("i1",)), PLAN))
    assert reactions[:2] == [Cancel("due:i1"), Cancel("overdue:i1")]
    assert [one.key for one in reactions[2:] if isinstance(one, Later)] == ["due:i3", "overdue:i3"]


@pytest.mark.capability("BIL-04")
def test_an_import_gets_a_day_to_bring_the_payments_too() -> None:
    learned = NOON + timedelta(days=700)
    fact = recorded(plan_agreed(), PLAN, recorded_at=learned)._replace(import_id="import-1")
    moments = [one.at for one in watch_due_dates(fact) if isinstance(one, Later)]
    assert moments == [learned + timedelta(days=1)] * 2


@pytest.mark.capability("BIL-04")
def test_what_is_open_again_is_looked_at_at_once() -> None:
    reopened = InstalmentReopened(
        contract_id=CONTRACT,
        account_id=ACCOUNT,
        instalment_id="i1",
        payment_id=PAYMENT,
        amount=cny(60),
        paid=cny(0),
        outstanding=cny(60),
    )
    assert note_reopened_instalments(recorded(reopened, PLAN)) == [note("i1")]


@pytest.mark.capability("BIL-01")
def test_a_last_day_is_watched_and_forgotten_when_it_goes() -> None:
    running = contract_activated(ends_on=date(2026, 4, 1), time_zone="Asia/Shanghai")
    assert expire_contracts(recorded(running, CONTRACT)) == [
        Later(datetime(2026, 4, 1, 16, tzinfo=UTC), ExpireContract(contract_id=CONTRACT), CONTRACT)
    ]
    open_ended = ContractAmended(
        account_id=ACCOUNT,
        net=cny(1),
        tax=cny(0),
        total=cny(1),
        amendment=1,
        changed=("ends_on",),
    )
    assert expire_contracts(recorded(open_ended, CONTRACT)) == [Cancel(CONTRACT)]
