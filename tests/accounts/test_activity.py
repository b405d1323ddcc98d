from datetime import timedelta

import pytest

from services.accounts.application import AccountsApplication
from services.accounts.commands import (
    CancelActivity,
    CompleteActivity,
    PlanActivity,
    RecordActivity,
    ReplanActivity,
)
from services.accounts.domain.activity import ActivityIsSettled
from shared.chassis.shapes import NotFound
from shared.chassis.testing import NOON, Scenario, scenario
from shared.events.accounts import ActivityCancelled
from shared.events.values import Attitude, Money
from tests.accounts.builders import (
    ACCOUNT,
    ACTIVITY,
    CONTACT,
    account_opened,
    activity_done,
    activity_planned,
    contact_added,
)

DUE = NOON + timedelta(days=2)


def with_a_customer() -> Scenario[AccountsApplication]:
    return (
        scenario(AccountsApplication)
        .given(ACCOUNT, account_opened())
        .given(CONTACT, contact_added())
    )


@pytest.mark.capability("ACC-13")
def test_what_was_done_is_recorded_with_its_result() -> None:
    with_a_customer().when(
        RecordActivity(
            account_id=ACCOUNT,
            contact_ids=(CONTACT,),
            opportunity_id="opportunity-1",
            method="visit",
            companion_ids=("mei",),
            subject="首次拜访",
            goal="需求",
            result="有兴趣",
            attitude=Attitude.POSITIVE,
            duration_minutes=45,
            cost=Money.of("88.50", "CNY"),
            remarks="带样品",
        )
    ).then(
        activity_done(
            contact_ids=(CONTACT,),
            opportunity_id="opportunity-1",
            employee_id="tester",
            companion_ids=("mei",),
            subject="首次拜访",
            goal="需求",
            result="有兴趣",
            attitude=Attitude.POSITIVE,
            duration_minutes=45,
            cost=Money.of("88.50", "CNY"),
            remarks="带样品",
        )
    )


@pytest.mark.capability("ACC-13")
def test_a_planned_activity_is_done_with_what_was_planned() -> None:
    given = with_a_customer()
    given.when(
        PlanActivity(
            account_id=ACCOUNT,
            activity_id=ACTIVITY,
            employee_id="lin",
            method="visit",
            due_at=DUE,
            goal="报价",
        )
    ).then(activity_planned(goal="报价"))
    given.when(CompleteActivity(activity_id=ACTIVITY, result="同意", outcome="agreed")).then(
        activity_done(was_planned=True, goal="报价", result="同意", outcome="agreed")
    )


@pytest.mark.capability("ACC-13")
def test_a_plan_is_changed_and_keeps_who_does_it() -> None:
    given = with_a_customer().given(ACTIVITY, activity_planned())
    later = ReplanActivity(activity_id=ACTIVITY, method="call", due_at=DUE + timedelta(days=1))
    given.when(later).then(activity_planned(method="call", due_at=DUE + timedelta(days=1)))
    given.when(later).then_nothing()


@pytest.mark.capability("ACC-13")
def test_a_plan_is_dropped_once() -> None:
    given = with_a_customer().given(ACTIVITY, activity_planned())
    cancel = CancelActivity(activity_id=ACTIVITY, reason="customer ill")
    given.when(cancel).then(
        ActivityCancelled(
            account_id=ACCOUNT, employee_id="lin", method="visit", reason="customer ill"
        )
    )
    given.when(cancel).then_nothing()


@pytest.mark.parametrize(
    "settled",
    [
        (activity_done(),),
        (activity_planned(), activity_done(was_planned=True)),
        (
            activity_planned(),
            ActivityCancelled(account_id=ACCOUNT, employee_id="lin", method="visit", reason="ill"),
        ),
    ],
)
def test_what_is_settled_is_neither_changed_nor_done_again(settled: tuple[object, ...]) -> None:
    given = with_a_customer().given(ACTIVITY, *settled)  # type: ignore[arg-type]
    given.when(ReplanActivity(activity_id=ACTIVITY, method="call", due_at=DUE)).then_refused(
        ActivityIsSettled
    )
    given.when(CompleteActivity(activity_id=ACTIVITY)).then_refused(ActivityIsSettled)


def test_what_is_done_cannot_be_dropped() -> None:
    with_a_customer().given(ACTIVITY, activity_done()).when(
        CancelActivity(activity_id=ACTIVITY, reason="mistake")
    ).then_refused(ActivityIsSettled, status="done")


def test_an_activity_needs_a_known_customer_and_known_people() -> None:
    given = with_a_customer()
    given.when(RecordActivity(account_id="nobody", method="call")).then_refused(NotFound)
    given.when(
        RecordActivity(account_id=ACCOUNT, contact_ids=("nobody",), method="call")
    ).then_refused(NotFound)
    given.when(
        PlanActivity(account_id=ACCOUNT, contact_ids=("nobody",), method="call", due_at=DUE)
    ).then_refused(NotFound)
    given.given(ACTIVITY, activity_planned()).when(
        ReplanActivity(activity_id=ACTIVITY, contact_ids=("nobody",), method="call", due_at=DUE)
    ).then_refused(NotFound)
