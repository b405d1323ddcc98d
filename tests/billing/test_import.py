from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from services.billing.application import BillingApplication
from services.billing.commands import ImportContract, ImportPayment, InstalmentTerms
from shared.chassis.shapes import Answer, Taken
from shared.chassis.testing import Scenario, issue
from shared.events.billing import (
    ContractActivated,
    ContractDrafted,
    ContractFulfilled,
    ContractSigned,
    ContractTerminated,
    InstalmentPaid,
    InstalmentSettled,
    InstalmentVoided,
    LedgerPosted,
    PaymentAllocated,
    PaymentCredited,
    PaymentPlanAgreed,
    PaymentReceived,
)
from shared.events.values import Money
from tests.billing.builders import ACCOUNT, CONTRACT, billing, line

DRAFTED = datetime(2018, 7, 6, 14, 10, 56, tzinfo=UTC)


def order(**changes: Any) -> ImportContract:
    wish: dict[str, Any] = {
        "contract_id": CONTRACT,
        "account_id": ACCOUNT,
        "source": "olist",
        "external_id": "order-1/seller-1",
        "currency": "BRL",
        "lines": (line("53.99"), line("11.40", description="frete")),
        "signed_at": DRAFTED,
        "activated_at": DRAFTED,
        "fulfilled_at": DRAFTED + timedelta(days=7),
    }
    return ImportContract(**wish | changes)


def receipt(amount: str, number: int = 1) -> ImportPayment:
    return ImportPayment(
        contract_id=CONTRACT,
        amount=Money.of(amount, "BRL"),
        method="credit_card",
        source="olist",
        external_id=f"order-1/{number}",
    )


def imported(*commands: ImportContract) -> Scenario[BillingApplication]:
    world = billing()
    for command in commands:
        world.when(command, at=DRAFTED, import_id="import-1")
        assert world.refusal is None
    return world


@pytest.mark.capability("BIL-01")
def test_a_historic_contract_states_its_whole_life_at_its_own_times() -> None:
    world = imported(order())
    world.then_kinds(
        ContractDrafted, ContractSigned, ContractActivated, ContractFulfilled, PaymentPlanAgreed
    )
    assert [fact.occurred_at for fact in world.news] == [
        DRAFTED,
        DRAFTED,
        DRAFTED,
        DRAFTED + timedelta(days=7),
        DRAFTED,
    ]
    drafted = world.news[0].event
    assert isinstance(drafted, ContractDrafted)
    assert (drafted.total, drafted.owner_id) == (Money.of("65.39", "BRL"), None)


@pytest.mark.capability("BIL-01")
def test_a_historic_contract_is_imported_once() -> None:
    world = imported(order())
    world.when(order(contract_id="other"), import_id="import-2").then_refused(Taken)
    world.when(order(external_id="x"), import_id="import-2").then_refused(Taken, holder=CONTRACT)


@pytest.mark.capability("BIL-01")
def test_a_historic_life_is_told_in_order() -> None:
    for wrong in (
        {"signed_at": None},
        {"activated_at": None},
        {"fulfilled_at": DRAFTED - timedelta(days=1)},
        {"terminated_at": DRAFTED + timedelta(days=1)},
    ):
        with pytest.raises(ValidationError):
            order(**wrong)


@pytest.mark.capability("BIL-01")
def test_a_historic_termination_leaves_nothing_to_pay() -> None:
    world = imported(order(fulfilled_at=None, terminated_at=DRAFTED + timedelta(days=1)))
    kinds = [type(fact.event) for fact in world.news]
    assert kinds[3:] == [ContractTerminated, PaymentPlanAgreed, InstalmentVoided]


@pytest.mark.capability("BIL-04")
def test_a_historic_price_falls_due_when_it_is_said_to() -> None:
    world = imported(order(due_on=date(2018, 8, 1)))
    plan = world.news[-1].event
    assert isinstance(plan, PaymentPlanAgreed)
    assert plan.instalments[0].due_on == date(2018, 8, 1)


@pytest.mark.capability("BIL-05")
def test_historic_payments_pay_a_fulfilled_contract_and_the_excess_is_credit() -> None:
    world = imported(order())
    world.when(receipt("60.00"), at=DRAFTED, import_id="import-1").then_kinds(
        PaymentReceived, LedgerPosted, PaymentAllocated, LedgerPosted, InstalmentPaid
    )
    world.when(receipt("6.00", 2), at=DRAFTED, import_id="import-1").then_kinds(
        PaymentReceived,
        LedgerPosted,
        PaymentAllocated,
        LedgerPosted,
        InstalmentPaid,
        InstalmentSettled,
        PaymentCredited,
    )
    credited = world.news[-1].event
    assert isinstance(credited, PaymentCredited)
    assert credited.amount == Money.of("0.61", "BRL")
    world.when(receipt("6.00", 2), at=DRAFTED, import_id="import-1").then_refused(Taken)


@pytest.mark.capability("BIL-05")
def test_a_payment_of_nothing_is_refused_with_a_reason() -> None:
    with pytest.raises(ValidationError, match="must be above zero"):
        receipt("0.00")


@pytest.mark.capability("BIL-05")
def test_a_batch_sees_its_own_contracts_and_keeps_every_cent() -> None:
    world = billing()
    commands = [order(), receipt("30.01"), receipt("35.38", 2), order(), receipt("1.00", 3)]
    answers = world.application.bulk(
        [issue(command, at=DRAFTED, import_id="import-1") for command in commands]
    )
    assert [isinstance(answer, Answer) for answer in answers] == [True, True, True, False, True]
    received = [
        fact.event.amount.amount
        for fact in world.log.read(0, 100)
        if isinstance(fact.event, PaymentReceived)
    ]
    assert sum(received) == Decimal("66.39")


@pytest.mark.capability("BIL-04")
def test_historic_instalments_of_a_terminated_contract_are_void_from_its_end() -> None:
    ended = DRAFTED + timedelta(days=1)
    parts = (
        InstalmentTerms(amount=Money.of("60.00", "BRL"), due_on=date(2018, 8, 1)),
        InstalmentTerms(amount=Money.of("5.39", "BRL"), due_on=date(2018, 9, 1)),
    )
    world = imported(order(fulfilled_at=None, terminated_at=ended, instalments=parts))
    world.then_kinds(
        ContractDrafted,
        ContractSigned,
        ContractActivated,
        ContractTerminated,
        PaymentPlanAgreed,
        InstalmentVoided,
        InstalmentVoided,
    )
    assert [fact.occurred_at for fact in world.news[-2:]] == [ended, ended]


@pytest.mark.capability("BIL-04")
def test_historic_instalments_are_called_as_no_others_are() -> None:
    parts = (InstalmentTerms(amount=Money.of("65.39", "BRL"), due_on=date(2018, 8, 1)),)
    named = (parts[0].model_copy(update={"instalment_id": "first"}),)
    world = imported(order(instalments=named))
    again = order(contract_id="other", external_id="x", instalments=named)
    world.when(again, import_id="import-1").then_refused(
        Taken, holder=f"{CONTRACT}.plan", field="instalments.0.instalment_id"
    )
