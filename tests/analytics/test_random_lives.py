"""Whatever people do in any order: read models equal a rebuild, books balance, all flows."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.accounts.commands import AssignAccountOwner, TagAccount
from services.analytics.projections.money import GetTrialBalance
from services.billing.commands import (
    ActivateContract,
    AgreePaymentPlan,
    ApplyForInvoice,
    ApproveInvoice,
    InstalmentTerms,
    IssueInvoice,
    ReceivePayment,
    ReversePayment,
    SignContract,
    VoidInvoice,
)
from services.leads.commands import (
    AssignLead,
    CaptureLead,
    ConvertLead,
    DisqualifyLead,
    QualifyLead,
    RecordFollowUp,
    ReopenLead,
    RevertConversion,
    WantedOpportunity,
)
from services.pipeline.commands import (
    AcceptQuote,
    DraftQuote,
    LoseOpportunity,
    MoveOpportunity,
    QuoteLine,
    ReopenOpportunity,
    SendQuote,
    WinOpportunity,
)
from services.support.commands import (
    AssignTicket,
    CloseTicket,
    OpenTicket,
    RateTicket,
    ResolveTicket,
)
from shared.chassis.projections.rebuild import rebuild
from shared.chassis.shapes import Command, Refused
from shared.chassis.testing import NOON
from shared.events.support import Priority, TicketKind
from shared.events.values import Money
from tests.analytics.life import Company, company

LEADS = [f"lead-{n}" for n in range(4)]
HALF = Money(amount=Decimal(500), currency="CNY")


class Life:
    """A company in which the same few things happen in any order."""

    def __init__(self, firm: Company) -> None:
        self.firm = firm
        self.refused = 0

    def live(self, steps: Iterable[tuple[str, int]]) -> None:
        """Take these steps, let some days pass where one says so, and settle."""
        CONTRACTS.clear()
        for name, number in steps:
            CONTRACTS.update(_contracts(self.firm))
            for missing in set(range(len(LEADS))) - CONTRACTS.keys():
                CONTRACTS[missing] = "no-contract"
            if name == "settle":
                self.firm.settle()
            elif name == "wait":
                self.firm.settle(self.firm.clock.moment + timedelta(days=9))
            else:
                self.act(name, number)
        self.firm.settle()

    def act(self, name: str, number: int) -> None:
        """Try one thing; a refusal is an answer too."""
        context, make = ACTS[name]
        try:
            for command in make(number):
                self.firm.do(context, command)
        except Refused:
            self.refused += 1


def _capture(n: int) -> Sequence[Command]:
    return [
        CaptureLead(
            lead_id=LEADS[n],
            name="王芳",
            company=f"公司{n}",
            phones=(f"+8613900000{n % 3:03}",),
            channel=("web_form", "phone")[n % 2],
        )
    ]


def _convert(n: int) -> Sequence[Command]:
    return [
        ConvertLead(
            lead_id=LEADS[n],
            account_id=f"account-{n}",
            opportunity=WantedOpportunity(opportunity_id=f"deal-{n}", amount=HALF),
        )
    ]


def _quote(n: int) -> Sequence[Command]:
    line = QuoteLine(description="泵", quantity=Decimal(2), unit_price=Decimal(500))
    return [
        DraftQuote(
            opportunity_id=f"deal-{n}", quote_id=f"quote-{n}", currency="CNY", lines=(line,)
        ),
        SendQuote(quote_id=f"quote-{n}"),
    ]


def _plan(n: int) -> Sequence[Command]:
    due = (NOON + timedelta(days=20)).date()
    parts = (
        InstalmentTerms(amount=HALF, due_on=due),
        InstalmentTerms(amount=HALF, due_on=due + timedelta(days=30)),
    )
    return [AgreePaymentPlan(contract_id=CONTRACTS[n], instalments=parts)]


CONTRACTS: dict[int, str] = {}

ACTS: dict[str, tuple[str, Callable[[int], Sequence[Command]]]] = {
    "capture": ("leads", _capture),
    "assign": ("leads", lambda n: [AssignLead(lead_id=LEADS[n], owner_id=f"rep-{n % 2}")]),
    "follow up": ("leads", lambda n: [RecordFollowUp(lead_id=LEADS[n], method="call")]),
    "qualify": ("leads", lambda n: [QualifyLead(lead_id=LEADS[n])]),
    "disqualify": ("leads", lambda n: [DisqualifyLead(lead_id=LEADS[n], reason="no budget")]),
    "reopen": ("leads", lambda n: [ReopenLead(lead_id=LEADS[n], reason="called back")]),
    "convert": ("leads", _convert),
    "revert": ("leads", lambda n: [RevertConversion(lead_id=LEADS[n], reason="mistake")]),
    "tag": ("accounts", lambda n: [TagAccount(account_id=f"account-{n}", tag="重点")]),
    "owner": (
        "accounts",
        lambda n: [AssignAccountOwner(account_id=f"account-{n}", owner_id="rep-9")],
    ),
    "move": ("pipeline", lambda n: [MoveOpportunity(opportunity_id=f"deal-{n}", to_stage="needs")]),
    "quote": ("pipeline", _quote),
    "accept": ("pipeline", lambda n: [AcceptQuote(quote_id=f"quote-{n}")]),
    "win": ("pipeline", lambda n: [WinOpportunity(opportunity_id=f"deal-{n}")]),
    "lose": ("pipeline", lambda n: [LoseOpportunity(opportunity_id=f"deal-{n}", reason="price")]),
    "again": (
        "pipeline",
        lambda n: [ReopenOpportunity(opportunity_id=f"deal-{n}", reason="second thoughts")],
    ),
    "sign": (
        "billing",
        lambda n: [
            SignContract(contract_id=CONTRACTS[n]),
            ActivateContract(contract_id=CONTRACTS[n]),
        ],
    ),
    "plan": ("billing", _plan),
    "pay": (
        "billing",
        lambda n: [
            ReceivePayment(
                payment_id=f"payment-{n}",
                contract_id=CONTRACTS[n],
                amount=Money(amount=Decimal(700), currency="CNY"),
                method="bank_transfer",
            )
        ],
    ),
    "bounce": (
        "billing",
        lambda n: [ReversePayment(payment_id=f"payment-{n}", reason="bounced")],  # type: ignore[arg-type]
    ),
    "invoice": (
        "billing",
        lambda n: [
            ApplyForInvoice(invoice_id=f"invoice-{n}", contract_id=CONTRACTS[n], title="公司"),
            ApproveInvoice(invoice_id=f"invoice-{n}"),
            IssueInvoice(invoice_id=f"invoice-{n}"),
        ],
    ),
    "void": ("billing", lambda n: [VoidInvoice(invoice_id=f"invoice-{n}", reason="wrong title")]),
    "ticket": (
        "support",
        lambda n: [
            OpenTicket(
                ticket_id=f"ticket-{n}",
                kind=TicketKind.FAULT,
                channel="phone",
                priority=Priority.HIGH,
                subject="异响",
                account_id=f"account-{n}",
            ),
            AssignTicket(ticket_id=f"ticket-{n}", employee_id="agent"),
        ],
    ),
    "resolve": (
        "support",
        lambda n: [ResolveTicket(ticket_id=f"ticket-{n}"), CloseTicket(ticket_id=f"ticket-{n}")],
    ),
    "rate": ("support", lambda n: [RateTicket(ticket_id=f"ticket-{n}", score=1 + n)]),
}

STEPS: Any = st.lists(
    st.tuples(st.sampled_from([*ACTS, "settle", "wait"]), st.integers(0, len(LEADS) - 1)),
    min_size=30,
    max_size=90,
)
PATH = [(name, n) for n in range(2) for name in (
    "capture", "assign", "follow up", "qualify", "convert", "settle", "move", "quote", "accept",
    "settle", "win", "sign", "plan", "pay", "invoice",
)]  # fmt: skip


@pytest.mark.slow
@pytest.mark.capability("PLT-03", "BIL-08", "PLT-13")
@given(steps=STEPS, straight=st.booleans())
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_life_can_be_replayed(steps: list[tuple[str, int]], straight: bool) -> None:
    life = Life(company())
    life.live([*(PATH if straight else []), *steps])
    logs = {name: opened.log for name, opened in life.firm.services.items()}
    for opened in life.firm.services.values():
        for report in rebuild(opened.views_database, opened.service.projections, logs, check=True):
            assert report.equal, report
    trial = life.firm.ask(GetTrialBalance())
    assert trial.balanced
    assert trial.lines or not straight, "the straight path moves money"
    assert [letter for d in life.firm.deliveries for letter in d.parked()] == []


def _contracts(firm: Company) -> dict[int, str]:
    found = {}
    for fact in firm.services["billing"].log.read(0, 1000):
        deal = getattr(fact.event, "opportunity_id", None)
        if fact.topic == "billing.ContractDrafted.v1" and deal:
            found[int(deal.removeprefix("deal-"))] = fact.stream_id
    return found
