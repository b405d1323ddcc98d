"""Facts and wishes of billing with everything filled in that a test does not care about."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.billing.application import BillingApplication
from services.billing.commands import (
    ActivateContract,
    AgreePaymentPlan,
    ApplyForInvoice,
    ContractLine,
    DraftContract,
    InstalmentTerms,
    IssueInvoice,
    SignContract,
)
from services.billing.projections.instalments import Instalments
from services.billing.projections.invoices import Invoices
from shared.chassis.shapes import Command
from shared.chassis.testing import NOON, Scenario, scenario
from shared.events.billing import (
    Allocation,
    ContractActivated,
    ContractDrafted,
    ContractSigned,
    ContractSubmitted,
    Instalment,
    InvoiceApplied,
    LedgerAccount,
    LedgerPosted,
    PaymentPlanAgreed,
    PostingLine,
    Side,
)
from shared.events.pipeline import QuoteAccepted
from shared.events.values import LineItem, Money

CONTRACT = "contract-1"
PLAN = "contract-1.plan"
ACCOUNT = "account-1"
PAYMENT = "payment-1"
INVOICE = "invoice-1"
TODAY = NOON.date()


def cny(amount: Decimal | int | str) -> Money:
    return Money.of(amount, "CNY")


def eur(amount: Decimal | int | str) -> Money:
    return Money.of(amount, "EUR")


def in_days(days: int) -> date:
    return TODAY + timedelta(days=days)


def contract_drafted(total: Money | None = None, **changes: Any) -> ContractDrafted:
    total = total or cny(100)
    facts: dict[str, Any] = {
        "account_id": ACCOUNT,
        "opportunity_id": "opportunity-1",
        "owner_id": "tester",
        "number": "C-1",
        "title": "年度框架合同",
        "net": total,
        "tax": Money.zero(total.currency),
        "total": total,
    }
    return ContractDrafted(**facts | changes)


def contract_submitted() -> ContractSubmitted:
    return ContractSubmitted(**_refs(), total=cny(100))


def contract_signed() -> ContractSigned:
    return ContractSigned(**_refs(), signed_on=TODAY, total=cny(100))


def contract_activated(**changes: Any) -> ContractActivated:
    facts = {**_refs(), "number": "C-1", "total": cny(100), "starts_on": TODAY}
    return ContractActivated(**facts | changes)


def plan_agreed(*parts: Instalment) -> PaymentPlanAgreed:
    parts = parts or (instalment("i1", 60, due_on=in_days(10)), instalment("i2", 40, in_days(40)))
    total = Money.total((part.amount for part in parts), "CNY")
    return PaymentPlanAgreed(**_refs(), contract_id=CONTRACT, total=total, instalments=parts)


def instalment(
    instalment_id: str, amount: int | str, due_on: date | None = None, **changes: Any
) -> Instalment:
    return Instalment(
        instalment_id=instalment_id,
        number=int(instalment_id[-1]),
        amount=cny(amount),
        due_on=due_on,
        **changes,
    )


def invoice_applied(total: Money | None = None, **changes: Any) -> InvoiceApplied:
    total = total or cny(100)
    facts: dict[str, Any] = {
        "account_id": ACCOUNT,
        "contract_id": CONTRACT,
        "net": total,
        "tax": Money.zero(total.currency),
        "total": total,
    }
    return InvoiceApplied(**facts | changes)


def quote_accepted(**changes: Any) -> QuoteAccepted:
    facts: dict[str, Any] = {
        "opportunity_id": "opportunity-1",
        "account_id": ACCOUNT,
        "owner_id": "li",
        "revision": 2,
        "number": "Q-7",
        "lines": (line_item(),),
        "net": cny(100),
        "tax": cny(13),
        "total": cny(113),
    }
    return QuoteAccepted(**facts | changes)


def line_item() -> LineItem:
    return LineItem(
        description="服务器",
        quantity=Decimal(1),
        unit_price=Decimal(100),
        tax_percent=Decimal(13),
        net=Decimal(100),
        tax=Decimal(13),
        total=Decimal(113),
    )


def line(price: int | str, quantity: int | str = 1, **changes: Any) -> ContractLine:
    facts: dict[str, Any] = {
        "description": "商品",
        "unit_price": Decimal(price),
        "quantity": Decimal(quantity),
    }
    return ContractLine(**facts | changes)


def part(
    amount: int | str,
    days: int | None = None,
    instalment_id: str | None = None,
    milestone: str | None = None,
) -> InstalmentTerms:
    due_on = None if days is None else in_days(days)
    return InstalmentTerms(
        amount=cny(amount), due_on=due_on, instalment_id=instalment_id, milestone=milestone
    )


def allocation(amount: int | str, **places: str) -> Allocation:
    return Allocation(amount=cny(amount), **places)


def posting(*lines: tuple[LedgerAccount, Side, int | str], about: str = "a_test") -> LedgerPosted:
    return LedgerPosted(
        account_id=ACCOUNT,
        currency="CNY",
        value_date=TODAY,
        about=about,
        lines=tuple(
            PostingLine(ledger_account=account, side=side, amount=Decimal(amount))
            for account, side, amount in lines
        ),
    )


def billing() -> Scenario[BillingApplication]:
    """Begin with empty books."""
    return scenario(BillingApplication, (Instalments, Invoices))


def running_contract(
    total: int | str = 100, *parts: InstalmentTerms, contract_id: str = CONTRACT
) -> list[Command]:
    """Return the commands after which a contract is in force, with a plan where parts are given."""
    planned: list[Command] = []
    if parts:
        planned = [AgreePaymentPlan(contract_id=contract_id, instalments=parts)]
    return [
        DraftContract(contract_id=contract_id, account_id=ACCOUNT, amount=cny(total)),
        SignContract(contract_id=contract_id),
        *planned,
        ActivateContract(contract_id=contract_id),
    ]


def issued_invoice(
    amount: int | str | None = None, invoice_id: str = INVOICE, contract_id: str = CONTRACT
) -> list[Command]:
    """Return the commands after which a contract has an issued invoice."""
    return [
        ApplyForInvoice(
            invoice_id=invoice_id,
            contract_id=contract_id,
            amount=None if amount is None else cny(amount),
        ),
        IssueInvoice(invoice_id=invoice_id),
    ]


def _refs() -> dict[str, Any]:
    return {"account_id": ACCOUNT, "opportunity_id": "opportunity-1", "owner_id": "tester"}
