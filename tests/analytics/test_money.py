"""The payment ledger's views."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from services.accounts.commands import OpenAccount
from services.analytics.projections.customer import Customer360View, GetCustomer360
from services.analytics.projections.money import (
    GetLedgerAccount,
    GetTrialBalance,
    LedgerAccountView,
)
from services.billing.commands import (
    ActivateContract,
    AgreePaymentPlan,
    AllocatePayment,
    ApplyForInvoice,
    ApproveInvoice,
    DraftContract,
    ImportContract,
    ImportPayment,
    InstalmentTerms,
    IssueInvoice,
    PaymentTarget,
    ReceivePayment,
    ReversePayment,
    SignContract,
    TerminateContract,
)
from shared.chassis.shapes.guard import Sight
from shared.chassis.testing import NOON, TESTER
from shared.events.accounts import AccountKind
from shared.events.values import Money
from shared.events.workplace import FieldAccess
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


def receive(firm: Company, amount: str, at: datetime, **more: object) -> None:
    """Let money come in from the customer, whenever that is learnt."""
    payment = {"amount": euro(amount), "method": "bank", "account_id": "acme", **more}
    firm.do("billing", ReceivePayment.model_validate(payment), at)


def invoiced(firm: Company, invoice_id: str, amount: str, due_in: int, **more: object) -> None:
    """Issue an invoice that is due in so many days."""
    due_on = (NOON + timedelta(days=due_in)).date()
    wanted = {"invoice_id": invoice_id, "amount": euro(amount), "due_on": due_on, **more}
    firm.do("billing", ApplyForInvoice.model_validate({"account_id": "acme", **wanted}))
    firm.do("billing", IssueInvoice(invoice_id=invoice_id))


def balance(seen: LedgerAccountView, name: str) -> Decimal:
    """Return what one account of the ledger says."""
    return next((b.balance.amount for b in seen.balances if b.ledger_account == name), Decimal(0))


def aged(seen: LedgerAccountView) -> dict[str, Decimal]:
    """Return how much is owed for how long, where anything is."""
    spans = {name: part.amount for age in seen.ageing for name, part in age if name != "currency"}
    return {name: amount for name, amount in spans.items() if amount}


@pytest.mark.capability("ANA-05", "ANA-18")
def test_what_was_received_later_does_not_count_before_though_it_was_entered_first() -> None:
    firm = contracted(20)
    receive(firm, "60", NOON + 10 * DAY, contract_id="c")
    receive(firm, "40", NOON + 5 * DAY, contract_id="c")
    firm.settle()

    def paid(days: int) -> list[str]:
        seen = ledger(firm, as_of=(NOON + days * DAY).isoformat())
        (plan,) = seen.plan
        figures = (plan.paid.amount, plan.outstanding.amount, balance(seen, "bank"))
        return [plan.status, *(f"{figure:.0f}" for figure in figures)]

    assert paid(4) == ["pending", "0", "100", "0"]
    assert paid(6) == ["partly_paid", "40", "60", "40"]
    assert paid(11) == ["paid", "100", "0", "100"]


@pytest.mark.capability("ANA-01", "ANA-18")
def test_invoices_and_payments_stand_as_they_did_whenever_what_came_in_was_entered() -> None:
    firm = company()
    firm.do("accounts", OpenAccount(account_id="acme", name="ACME", kind=AccountKind.ORGANISATION))
    invoiced(firm, "i", "100", 20)
    invoiced(firm, "j", "100", 20)
    for amount, days, name in (("60", 10, "late"), ("40", 5, "early")):
        part = PaymentTarget(amount=euro(amount), invoice_id="i")
        receive(firm, amount, NOON + days * DAY, payment_id=name, allocations=(part,))
    receive(firm, "90", NOON + DAY, payment_id="ahead", allocations=(
        PaymentTarget(amount=euro("10"), invoice_id="j"),))  # fmt: skip
    for cents, days in (("50", 10), ("30", 5)):
        part = PaymentTarget(amount=euro(cents), invoice_id="j")
        firm.do("billing", AllocatePayment(payment_id="ahead", allocations=(part,)),
                NOON + days * DAY)  # fmt: skip
    firm.settle()

    def everything(days: int) -> Customer360View:
        seen: Customer360View = firm.ask(GetCustomer360(account_id="acme", as_of=NOON + days * DAY))
        return seen

    def stand(days: int) -> list[tuple[str | None, Money | None]]:
        return [(i.status, i.paid) for i in everything(days).invoices]

    assert stand(6) == [("issued", euro("40")), ("issued", euro("40"))]
    assert stand(11) == [("settled", euro("100")), ("issued", euro("90"))]
    left = {p.payment_id: p.unallocated for p in everything(6).payments}
    assert left == {"early": euro("0"), "ahead": euro("50")}


@pytest.mark.capability("ANA-05", "ANA-18")
def test_a_deposit_is_in_the_books_before_the_plan_it_pays_was_agreed() -> None:
    firm = company()
    parts = (InstalmentTerms(amount=euro("100"), due_on=NOON.date()),)
    firm.do("billing", ImportContract(contract_id="c", account_id="acme", amount=euro("100"),
            signed_at=NOON - 5 * DAY, instalments=parts), NOON - 5 * DAY)  # fmt: skip
    firm.do("billing", ImportPayment(contract_id="c", amount=euro("30"), method="bank"),
            NOON - 8 * DAY)  # fmt: skip
    firm.settle()
    seen = ledger(firm, as_of=(NOON - 7 * DAY).isoformat())
    assert not seen.plan
    assert balance(seen, "bank") == 30


@pytest.mark.capability("ANA-05")
def test_what_is_aged_is_what_is_owed() -> None:
    firm = company()
    invoiced(firm, "free", "500", -70)
    plan = (InstalmentTerms(amount=euro("100"), due_on=(NOON - 40 * DAY).date()),)
    firm.do("billing", DraftContract(contract_id="d", account_id="acme", amount=euro("100")))
    firm.do("billing", AgreePaymentPlan(contract_id="d", instalments=plan))
    firm.settle()
    seen = ledger(firm)
    assert aged(seen) == {"days_61_to_90": 500}
    assert balance(seen, "receivable") == 500
    assert [(f.month, f.expected) for f in seen.forecast] == [("2025-12", euro("500"))]
    assert [p.contract_id for p in seen.plan] == ["d"], "a draft's plan is a plan all the same"


@pytest.mark.capability("ANA-05")
def test_what_an_invoice_claims_of_a_plan_is_owed_once_and_by_the_plans_days() -> None:
    firm = contracted(-40, 10)
    invoiced(firm, "i", "150", -70, contract_id="c")
    firm.settle()
    assert aged(ledger(firm)) == {"days_31_to_60": 100, "not_due": 100}


@pytest.mark.capability("ANA-05")
def test_a_terminated_contracts_invoices_are_owed_beyond_its_void_plan() -> None:
    firm = contracted(10, 40)
    invoiced(firm, "i", "150", -10, contract_id="c")
    receive(firm, "30", NOON, contract_id="c")
    firm.do("billing", TerminateContract(contract_id="c", reason="quarrel"))
    firm.settle()
    seen = ledger(firm)
    assert aged(seen) == {"days_1_to_30": 120}
    assert balance(seen, "receivable") == 120


@pytest.mark.capability("ANA-05")
def test_invoices_are_due_by_their_own_days_until_the_contract_has_a_plan() -> None:
    firm = company()
    firm.do("billing", DraftContract(contract_id="c", account_id="acme", amount=euro("200")))
    firm.do("billing", SignContract(contract_id="c"))
    invoiced(firm, "late", "100", 20, contract_id="c")
    invoiced(firm, "early", "100", -70, contract_id="c")
    firm.settle()
    assert aged(ledger(firm)) == {"days_61_to_90": 100, "not_due": 100}, "no plan schedules them"
    firm.do("billing", ActivateContract(contract_id="c"))
    receive(firm, "50", NOON, contract_id="c")
    firm.settle()
    assert aged(ledger(firm)) == {"not_due": 150}, "the plan says when"


@pytest.mark.capability("ANA-05", "WRK-02")
@pytest.mark.parametrize("field", [("invoice", "total"), ("invoice", "status")])
def test_what_is_owed_is_not_told_to_whoever_may_not_know_all_of_it(field: tuple[str, str]) -> None:
    firm = contracted(-40)
    invoiced(firm, "free", "500", -70)
    firm.settle()
    analytics = firm.services["analytics"]
    seen: LedgerAccountView = analytics.ask(
        analytics.service.asked["GetLedgerAccount"],
        GetLedgerAccount(account_id="acme"),
        TESTER,
        Sight(fields=frozenset({(*field, FieldAccess.NONE)})),
    )
    assert (seen.ageing, seen.forecast) == ([], [])
    assert [p.outstanding for p in seen.plan] == [euro("100")]
