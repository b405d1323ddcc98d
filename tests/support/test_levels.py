"""Calendars, SLA policies and entitlements."""

from datetime import date, time

import pytest

from services.support.application import SupportApplication
from services.support.commands import (
    DefineBusinessCalendar,
    DefineSlaPolicy,
    EndEntitlement,
    GrantEntitlement,
)
from services.support.policies.end_entitlement import end_entitlement
from services.support.policies.grant_entitlement import grant_entitlement
from shared.chassis.shapes import Invalid, NotFound
from shared.chassis.testing import recorded, scenario
from shared.events.billing import ContractAmended, ContractTerminated
from shared.events.support import (
    CalendarDefined,
    EntitlementEnded,
    EntitlementGranted,
    Priority,
    SlaTarget,
    WorkingHours,
)
from shared.events.values import Money
from tests.support.builders import (
    ACCOUNT,
    CALENDAR,
    CONTRACT,
    OFFICE_HOURS,
    POLICY,
    TARGETS,
    calendar_defined,
    contract_activated,
    entitlement_granted,
    sla_policy_defined,
)

pytestmark = pytest.mark.capability("SUP-03")


def define_calendar(**over: object) -> DefineBusinessCalendar:
    values = {"calendar_id": CALENDAR, "name": "office", "time_zone": "UTC", "hours": OFFICE_HOURS}
    return DefineBusinessCalendar.model_validate(values | over)


def define_policy(**over: object) -> DefineSlaPolicy:
    values = {
        "sla_policy_id": POLICY, "name": "gold", "calendar_id": CALENDAR, "targets": TARGETS,
    }  # fmt: skip
    return DefineSlaPolicy.model_validate(values | over)


def test_a_calendar_is_laid_down_and_versioned() -> None:
    (
        scenario(SupportApplication)
        .when(define_calendar())
        .then(calendar_defined())
        .when(define_calendar())
        .then_nothing()
        .when(define_calendar(name="开放时间"))
        .then(calendar_defined(calendar_version=2, name="开放时间"))
    )


def test_public_holidays_join_the_calendar() -> None:
    told = scenario(SupportApplication).when(
        define_calendar(
            holiday_country="DE", holiday_region="BY", holiday_years=(2026,),
            holidays=(date(2026, 12, 24),),
        )
    )  # fmt: skip
    (fact,) = told.then_kinds(CalendarDefined).news
    assert isinstance(fact.event, CalendarDefined)
    assert {date(2026, 12, 24), date(2026, 12, 25), date(2026, 1, 6)} <= set(fact.event.holidays)


@pytest.mark.parametrize(
    ("field", "over"),
    [
        ("time_zone", {"time_zone": "Asia/Atlantis"}),
        ("time_zone", {"time_zone": "../../etc/passwd"}),
        ("hours.0.closes", {"hours": [WorkingHours(weekday=1, opens=time(9), closes=time(8))]}),
        (
            "hours.1",
            {
                "hours": [
                    WorkingHours(weekday=1, opens=time(9), closes=time(0)),
                    WorkingHours(weekday=1, opens=time(17), closes=time(18)),
                ]
            },
        ),
        ("holiday_country", {"holiday_country": "XX", "holiday_years": [2026]}),
        (
            "holiday_region",
            {"holiday_country": "DE", "holiday_region": "ZZ", "holiday_years": [2026]},
        ),
        ("holiday_years", {"holiday_country": "CN"}),
        ("holiday_years", {"holiday_years": [2026]}),
    ],
)
def test_an_impossible_calendar_is_refused(field: str, over: dict[str, object]) -> None:
    told = scenario(SupportApplication).when(define_calendar(**over)).then_refused(Invalid)
    assert isinstance(told.refusal, Invalid)
    assert [violation.field for violation in told.refusal.violations] == [field]


def test_a_policy_is_laid_down_and_versioned() -> None:
    (
        scenario(SupportApplication)
        .given(CALENDAR, calendar_defined())
        .when(define_policy())
        .then(sla_policy_defined())
        .when(define_policy())
        .then_nothing()
        .when(define_policy(at_risk_percent=50))
        .then(sla_policy_defined(sla_version=2, at_risk_percent=50))
    )


def test_a_policy_needs_a_calendar_that_exists() -> None:
    scenario(SupportApplication).when(define_policy()).then_refused(NotFound)


def test_an_impossible_policy_names_every_field() -> None:
    targets = (
        SlaTarget(priority=Priority.HIGH, response_minutes=0, resolution_minutes=10),
        SlaTarget(priority=Priority.HIGH, response_minutes=20, resolution_minutes=10),
        SlaTarget(priority=Priority.LOW, response_minutes=20, resolution_minutes=10**9),
    )
    told = (
        scenario(SupportApplication)
        .given(CALENDAR, calendar_defined())
        .when(define_policy(targets=targets))
        .then_refused(Invalid)
    )
    assert isinstance(told.refusal, Invalid)
    assert [violation.field for violation in told.refusal.violations] == [
        "targets.0.response_minutes",
        "targets.1.priority",
        "targets.1.resolution_minutes",
        "targets.2.resolution_minutes",
    ]


def test_one_policy_is_the_default() -> None:
    (
        scenario(SupportApplication)
        .given(CALENDAR, calendar_defined())
        .after(define_policy(is_default=True))
        .when(define_policy(sla_policy_id="policy-2", name="silver", is_default=True))
        .then(
            sla_policy_defined(name="silver", is_default=True),
            sla_policy_defined(sla_version=2, is_default=False),
        )
    )


def test_a_contract_in_force_entitles_its_customer() -> None:
    (command,) = grant_entitlement(
        recorded(contract_activated(sla_policy_id=POLICY), stream_id=CONTRACT)
    )
    assert isinstance(command, GrantEntitlement)
    (
        scenario(SupportApplication)
        .when(command)
        .then(entitlement_granted())
        .when(command)
        .then_nothing()
    )


def test_a_contract_that_names_no_policy_entitles_to_the_default() -> None:
    (command,) = grant_entitlement(recorded(contract_activated(), stream_id=CONTRACT))
    assert isinstance(command, GrantEntitlement)
    scenario(SupportApplication).when(command).then_nothing()
    (
        scenario(SupportApplication)
        .given(CALENDAR, calendar_defined())
        .after(define_policy(is_default=True))
        .when(command)
        .then_kinds(EntitlementGranted)
    )


def test_an_entitlement_goes_by_the_days_of_its_contract() -> None:
    there = contract_activated(sla_policy_id=POLICY, time_zone="America/Los_Angeles")
    (command,) = grant_entitlement(recorded(there, stream_id=CONTRACT))
    assert isinstance(command, GrantEntitlement)
    told = scenario(SupportApplication).when(command)
    told.then(entitlement_granted(time_zone="America/Los_Angeles"))


def test_an_amended_contract_entitles_only_once_it_is_in_force() -> None:
    price = Money.of(1000, "CNY")
    amended = ContractAmended(
        account_id=ACCOUNT, net=price, tax=Money.of(0, "CNY"), total=price, amendment=1,
        starts_on=date(2026, 1, 1), sla_policy_id=POLICY, changed=("sla_policy_id",),
    )  # fmt: skip
    (activation,) = grant_entitlement(recorded(contract_activated(), stream_id=CONTRACT))
    (amendment,) = grant_entitlement(recorded(amended, stream_id=CONTRACT))
    over = ContractTerminated(account_id=ACCOUNT, on=date(2026, 3, 1), reason="insolvent")
    (end,) = end_entitlement(recorded(over, stream_id=CONTRACT))
    assert isinstance(activation, GrantEntitlement)
    assert isinstance(amendment, GrantEntitlement)
    assert isinstance(end, EndEntitlement)
    (
        scenario(SupportApplication)
        .when(amendment)
        .then_nothing()
        .when(activation)
        .then_nothing()
        .when(amendment)
        .then(entitlement_granted())
        .after(end)
        .when(amendment)
        .then_nothing()
        .given(ACCOUNT, entitlement_granted(starts_on=date(2025, 1, 1)))
        .when(amendment)
        .then(entitlement_granted())
    )


def test_an_entitlement_ends_with_its_contract() -> None:
    ended = ContractTerminated(account_id=ACCOUNT, on=date(2026, 3, 1), reason="insolvent")
    (command,) = end_entitlement(recorded(ended, stream_id=CONTRACT))
    assert isinstance(command, EndEntitlement)
    (
        scenario(SupportApplication)
        .given(ACCOUNT, entitlement_granted())
        .when(command)
        .then(
            EntitlementEnded(
                account_id=ACCOUNT, contract_id=CONTRACT, on=date(2026, 3, 1),
                reason="contract terminated",
            )
        )
        .when(command)
        .then_nothing()
    )  # fmt: skip
