"""The payment ledger's views."""

from datetime import timedelta
from decimal import Decimal

import pytest

from services.analytics.projections.money import (
    GetLedgerAccount,
    GetTrialBalance,
    LedgerAccountView,
)
from services.billing.commands import (
    ActivateContract,
    AgreePaymentPlan,
    ApplyForInvoice,
    ApproveInvoice,
    DraftContract,
    InstalmentTerms,
    IssueInvoice,
    ReceivePayment,
    ReversePayment,
    SignContract,
)
from shared.chassis.testing import NOON
from shared.events.values import Money
from tests.analytics.life import DAY, Company, company


def euro(amount: str) -> Money:
    """Return an amount in euro."""
    return Money(amount=Decimal(amount), currency="EUR")


def contracted(*due_in_days: int) -> Company:
    """Return a company with one contract over instalments of 100 euro, due in so many days."""
    firm = company()
    total = euro(str(100 * len(due_in_days)))
    firm.do("billing", DraftContract(contract_id="c", account_id="acme", amount=total))
    firm.do("billing", SignContract(contract_id="c"))
    firm.do("billing", ActivateContract(contract_id="c"))
    parts = tuple(
        InstalmentTerms(amount=euro("100"), due_on=(NOON + timedelta(days=days)).date())
        for days in due_in_days
    )
    firm.do("billing", AgreePaymentPlan(contract_id="c", instalments=parts))
    firm.settle()
    return firm


def ledger(firm: Company, **asked: object) -> LedgerAccountView:
    """Return the customer's ledger."""
    seen: LedgerAccountView = firm.ask(
        GetLedgerAccount.model_validate({"account_id": "acme", **asked})
    )
    return seen


@pytest.mark.capability("ANA-05")
def test_what_is_owed_is_aged_by_due_date() -> None:
    firm = contracted(-100, -70, -40, -10, 10)
    firm.settle(NOON + DAY)
    (age,) = ledger(firm).ageing
    assert [
        age.not_due.amount,
        age.days_1_to_30.amount,
        age.days_31_to_60.amount,
        age.days_61_to_90.amount,
        age.over_90.amount,
    ] == [100] * 5


@pytest.mark.capability("ANA-05")
def test_plan_stands_against_receipt_and_the_rest_is_forecast() -> None:
    firm = contracted(10, 40)
    firm.do("billing", ReceivePayment(contract_id="c", amount=euro("130"), method="card"))
    firm.settle()
    seen = ledger(firm)
    assert [(p.paid.amount, p.outstanding.amount, p.status) for p in seen.plan] == [
        (Decimal(100), Decimal(0), "paid"),
        (Decimal(30), Decimal(70), "partly_paid"),
    ]
    assert [(f.month, f.expected) for f in seen.forecast] == [("2026-04", euro("70"))]


@pytest.mark.capability("ANA-05", "BIL-08")
def test_the_trial_balance_is_zero_whatever_is_posted() -> None:
    firm = contracted(10)
    firm.do("billing", ReceivePayment(payment_id="p", account_id="acme", contract_id="c",
                                      amount=euro("150"), method="card"))  # fmt: skip
    firm.do("billing", ApplyForInvoice(invoice_id="i", contract_id="c", title="ACME"))
    firm.do("billing", ApproveInvoice(invoice_id="i"))
    firm.do("billing", IssueInvoice(invoice_id="i"))
    firm.settle()
    trial = firm.ask(GetTrialBalance())
    assert trial.balanced
    assert [(t.currency, t.difference) for t in trial.totals] == [("EUR", euro("0"))]
    assert trial.totals[0].debit.amount > 0


@pytest.mark.capability("ANA-05", "ANA-18")
def test_a_bounced_payment_is_owed_again_but_was_paid_then() -> None:
    firm = contracted(10)
    firm.do("billing", ReceivePayment(payment_id="p", contract_id="c", amount=euro("100"),
                                      method="debit"), NOON + DAY)  # fmt: skip
    firm.do("billing", ReversePayment.model_validate({"payment_id": "p", "reason": "bounced"}),
            NOON + 3 * DAY)  # fmt: skip
    firm.settle()
    assert [p.outstanding.amount for p in ledger(firm).plan] == [100]
    then = ledger(firm, as_of=(NOON + 2 * DAY).isoformat())
    assert [(p.outstanding.amount, p.status) for p in then.plan] == [(Decimal(0), "paid")]
