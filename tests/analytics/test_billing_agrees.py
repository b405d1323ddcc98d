"""Whatever happens to contracts and money, analytics says of it what billing's screens say."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analytics.projections import money as seen
from services.billing.application import BillingApplication
from services.billing.commands import (
    ActivateContract,
    AgreePaymentPlan,
    AllocatePayment,
    AmendContract,
    ApplyForInvoice,
    CreditInvoice,
    DraftContract,
    ExpireContract,
    FulfilContract,
    InstalmentTerms,
    IssueInvoice,
    NoteInstalmentDue,
    PaymentTarget,
    ReachMilestone,
    ReceivePayment,
    ReversePayment,
    RevisePaymentPlan,
    SendInvoice,
    SignContract,
    SubmitContract,
    TerminateContract,
    VoidInvoice,
    WithdrawContract,
)
from services.billing.projections import contracts, instalments, invoices, payments
from shared.chassis.shapes import Command, Projection
from shared.chassis.testing import NOON, folded, scenario
from shared.events.billing import ReversalReason
from shared.events.values import Money

SIDES: list[tuple[type[Projection], type[Projection]]] = [
    (seen.Contracts, contracts.Contracts),
    (seen.Instalments, instalments.Instalments),
    (seen.Invoices, invoices.Invoices),
    (seen.Payments, payments.Payments),
]
CALLED_ELSEWHERE = {"reversal": "reversal_reason"}


def cny(amount: int) -> Money:
    """Return an amount in yuan."""
    return Money.of(amount, "CNY")


def in_days(days: int) -> date:
    """Return the day that comes in so many days."""
    return (NOON + timedelta(days=days)).date()


def part(number: int, due_in: int | None, amount: int = 100) -> InstalmentTerms:
    """Return an instalment that is due in so many days, or on delivery."""
    due_on = None if due_in is None else in_days(due_in)
    milestone = "delivery" if due_in is None else None
    return InstalmentTerms(
        instalment_id=f"part-{number}", amount=cny(amount), due_on=due_on, milestone=milestone
    )


def invoice(n: int) -> str:
    """Return an invoice: of the contract or, for the last one, free."""
    return f"invoice-{n}"


ACTS: dict[str, Callable[[int], list[Command]]] = {
    "plan": lambda n: [
        AgreePaymentPlan(contract_id="c", instalments=(part(0, 5), part(1, 30), part(2, None)))
    ],
    "revise": lambda n: [
        RevisePaymentPlan(contract_id="c", instalments=(part(n, 40 * (n + 1), 100 * (3 - n)),))
    ],
    "postpone": lambda n: [
        RevisePaymentPlan(contract_id="c", instalments=(part(0, 50), part(1, 30), part(2, None)))
    ],
    "deliver": lambda n: [
        ReachMilestone(contract_id="c", milestone="delivery", due_on=in_days(9 * n))
    ],
    "look": lambda n: [NoteInstalmentDue(contract_id="c", instalment_id=f"part-{n}")],
    "submit": lambda n: [SubmitContract(contract_id="c")],
    "withdraw": lambda n: [WithdrawContract(contract_id="c", reason="typo")],
    "sign": lambda n: [SignContract(contract_id="c")],
    "activate": lambda n: [ActivateContract(contract_id="c")],
    "amend": lambda n: [AmendContract(contract_id="c", amount=cny(240 + 100 * n))],
    "fulfil": lambda n: [FulfilContract(contract_id="c")],
    "expire": lambda n: [ExpireContract(contract_id="c")],
    "terminate": lambda n: [TerminateContract(contract_id="c", reason="quarrel")],
    "pay": lambda n: [
        ReceivePayment(payment_id=f"p-{n}", contract_id="c", amount=cny(70 + 90 * n), method="bank")
    ],
    "pay ahead": lambda n: [
        ReceivePayment(payment_id=f"p-{n}", account_id="acme", amount=cny(150), method="bank")
    ],
    "pay invoice": lambda n: [
        ReceivePayment(
            payment_id=f"p-{n}",
            account_id="acme",
            amount=cny(100),
            method="bank",
            allocations=(PaymentTarget(amount=cny(100 - 30 * n), invoice_id=invoice(n)),),
        )
    ],
    "allocate": lambda n: [AllocatePayment(payment_id=f"p-{n}", contract_id="c")],
    "bounce": lambda n: [ReversePayment(payment_id=f"p-{n}", reason=ReversalReason.BOUNCED)],
    "apply": lambda n: [
        ApplyForInvoice(
            invoice_id=invoice(n),
            contract_id=None if n == 2 else "c",
            account_id="acme",
            amount=cny(100),
        )
    ],
    "issue": lambda n: [IssueInvoice(invoice_id=invoice(n))],
    "send": lambda n: [SendInvoice(invoice_id=invoice(n))],
    "credit": lambda n: [CreditInvoice(invoice_id=invoice(n), amount=cny(45), reason="damage")],
    "credit all": lambda n: [CreditInvoice(invoice_id=invoice(n), reason="damage")],
    "void": lambda n: [VoidInvoice(invoice_id=invoice(n), reason="wrong title")],
}
STEPS: Any = st.lists(
    st.tuples(st.sampled_from([*ACTS, "wait"]), st.integers(0, 2)), min_size=10, max_size=60
)
PATH = [("plan", 0), ("sign", 0), ("activate", 0)]
FREE = [("apply", 2), ("issue", 2)]
HELD = [("apply", 0), ("issue", 0)]


def told(steps: list[tuple[str, int]], *, refusable: bool = False) -> list[dict[str, Any]]:
    """Let these things happen; return where analytics and billing differ, row by row."""
    world = scenario(BillingApplication, (instalments.Instalments, invoices.Invoices))
    world.when(DraftContract(contract_id="c", account_id="acme", amount=cny(300)))
    moment = NOON
    for name, number in steps:
        moment += timedelta(days=9) if name == "wait" else timedelta(minutes=1)
        for command in ACTS[name](number) if name != "wait" else ():
            world.when(command, at=moment)
            assert refusable or world.refusal is None, (name, world.refusal)
    facts = world.log.read(0, 10_000)
    differing = []
    for ours, theirs in SIDES:
        mine, own = folded(ours, facts), folded(theirs, facts)
        assert mine.keys() == own.keys()
        for key, row in mine.items():
            said = {name: own[key][CALLED_ELSEWHERE.get(name, name)] for name in row}
            differing += [
                {"row": key, "field": name, "analytics": row[name], "billing": said[name]}
                for name in row
                if row[name] != said[name]
            ]
    return differing


@pytest.mark.capability("ANA-01", "ANA-05")
@given(
    steps=STEPS,
    before=st.sampled_from([[], PATH, [*PATH, *HELD], [*PATH, *FREE], [*PATH, *HELD, *FREE]]),
)
@settings(max_examples=100, deadline=None)
def test_rows_about_money_say_what_billing_says(
    steps: list[tuple[str, int]], before: list[tuple[str, int]]
) -> None:
    assert told([*before, *steps], refusable=True) == []


@pytest.mark.capability("ANA-01", "ANA-05")
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([*FREE, ("pay invoice", 2), ("credit all", 2)], id="paid, credited whole"),
        pytest.param([*FREE, ("credit", 2), ("pay invoice", 2)], id="credited, paid in part"),
        pytest.param([*FREE, ("pay invoice", 2), ("credit", 2)], id="the rest is credited"),
        pytest.param(
            [*FREE, ("send", 2), ("pay invoice", 2), ("bounce", 2)], id="sent, paid, bounced"
        ),
        pytest.param([("pay ahead", 0), ("bounce", 0)], id="credit that bounced"),
        pytest.param([("pay ahead", 0), *PATH, ("allocate", 0)], id="credit that was used"),
        pytest.param([*PATH, ("pay", 1), *HELD, ("credit", 0)], id="advance met and freed"),
        pytest.param(
            [*PATH, ("wait", 0), ("look", 0), ("postpone", 0)], id="overdue, then postponed"
        ),
        pytest.param(
            [*PATH, ("wait", 0), ("look", 0), ("pay", 0), ("bounce", 0)],
            id="overdue, paid in part, bounced",
        ),
        pytest.param([*PATH, ("pay", 0), ("terminate", 0), ("bounce", 0)], id="void, bounced"),
    ],
)
def test_in_these_lives_analytics_and_billing_agree(steps: list[tuple[str, int]]) -> None:
    assert told(steps) == []
