"""Money: contracts, what they ask for, and how customers pay."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from annals.demo.act import Found, Script
from annals.demo.after_sales import service_follows
from annals.demo.company import FINANCE, SLA_GOLD, SLA_STANDARD, boss_of
from annals.demo.diary import Diary
from annals.demo.plot import Customer, Offer, Plot, money, share

__all__ = ["contract_follows"]

_SIGNING = (("at_once", 50), ("approved", 40), ("returned", 8), ("backed_out", 2))
_PLANS = (("advance", 50), ("single", 30), ("milestones", 20))
_PAYING = (
    ("on_time", 52), ("late", 20), ("partly", 9), ("too_much", 7), ("bounced", 6), ("never", 5),
    ("regretted", 1),
)  # fmt: skip
_INVOICING = (
    ("plain", 76), ("declined", 5), ("voided", 6), ("credited", 4), ("void_paid", 4),
    ("too_much", 5),
)  # fmt: skip
_HEADQUARTERS = "恒湾仪器（上海）有限公司"


@dataclass(frozen=True)
class Instalment:
    """A part of the price."""

    id: str
    amount: Decimal
    due_on: date | None
    milestone: str | None = None

    def terms(self, currency: str) -> dict[str, Any]:
        """Return it as a plan spells it."""
        when = {"due_on": self.due_on.isoformat()} if self.due_on else {"milestone": self.milestone}
        return {"instalment_id": self.id, "amount": money(self.amount, currency), **when}


@dataclass(frozen=True)
class Agreement:
    """A contract with its customer."""

    customer: Customer
    contract_id: Found
    key: str
    """Tells it from the customer's other contracts."""
    total: Decimal
    currency: str

    @property
    def script(self) -> Script:
        """Where its acts are written down."""
        return self.customer.lead.script

    @property
    def manager(self) -> str:
        """Who signs for us."""
        return boss_of(self.customer.rep)

    def do(
        self, call: str, by: str, at: datetime, *, refused: str | None = None, **request: Any
    ) -> None:
        """Let somebody act on the contract."""
        self.script.do(call, by, at, refused=refused, contract_id=self.contract_id, **request)


def contract_follows(plot: Plot, customer: Customer, quote_id: str, offer: Offer) -> bool:
    """Tell how the contract that the accepted quote gave is signed, invoiced and paid.

    Returns:
        Whether it came into force.
    """
    found = Found("billing", "ListContracts", f'quote_id = "{quote_id}"', "contract_id")
    agreement = Agreement(customer, found, quote_id, offer.total, offer.currency)
    if not _sign(plot, agreement, offer):
        return False
    instalments = _plan(plot, agreement)
    at = agreement.script.diary.minutes(10, 90)
    agreement.do("billing.ActivateContract", agreement.manager, at)
    _settle(plot, agreement, instalments)
    service_follows(plot, customer, found)
    return True


def _sign(plot: Plot, agreement: Agreement, offer: Offer) -> bool:
    diary, rep = agreement.script.diary, agreement.customer.rep
    at = diary.wait(2, 4)
    starts_on = at.date() + timedelta(days=10)
    gold = any(product.id == "gold" for product in offer.products)
    service_only = offer.products[0].id in {"gold", "silver"}
    term = 150 if service_only and agreement.script.rng.random() < 0.4 else 365
    agreement.do(
        "billing.ReviseContract", rep, at, title=offer.products[0].name,
        starts_on=starts_on.isoformat(), ends_on=(starts_on + timedelta(days=term)).isoformat(),
        our_party=_HEADQUARTERS, sla_policy_id=SLA_GOLD if gold else SLA_STANDARD,
    )  # fmt: skip
    way = plot.draw("signing", _SIGNING)
    if way == "backed_out":
        at = diary.wait(2, 6)
        agreement.do(
            "billing.WithdrawContract", agreement.manager, at, reason="customer backed out"
        )
        return False
    if way in {"approved", "returned"}:
        agreement.do("billing.SubmitContract", rep, diary.minutes(10, 60))
        if way == "returned":
            agreement.do("billing.ReturnContract", agreement.manager, diary.wait(1, 2),
                         reason="terms incomplete")  # fmt: skip
            agreement.do("billing.ReviseContract", rep, diary.minutes(30, 120),
                         terms="交货期 8 周；质保 12 个月。")  # fmt: skip
            agreement.do("billing.SubmitContract", rep, diary.minutes(5, 20))
        agreement.do("billing.ApproveContract", agreement.manager, diary.wait(1, 2))
    agreement.do(
        "billing.SignContract", agreement.manager, diary.wait(1, 5),
        their_signatory=agreement.customer.lead.prospect.name,
    )  # fmt: skip
    return True


def _plan(plot: Plot, agreement: Agreement) -> list[Instalment]:
    at = agreement.script.diary.minutes(20, 120)
    today = at.date()

    def part(number: int, amount: Decimal, days: int | None, milestone: str | None = None) -> Any:
        name = agreement.script.id("instalment", agreement.key, str(number))
        due_on = today + timedelta(days=days) if days is not None else None
        return Instalment(name, amount, due_on, milestone)

    total = agreement.total
    match plot.draw("plan", _PLANS):
        case "single":
            parts = [part(1, total, 30)]
        case "advance":
            first = share(total, 30)
            parts = [part(1, first, 10), part(2, total - first, 60)]
        case _:
            first, last = share(total, 40), share(total, 10)
            parts = [
                part(1, first, 10),
                part(2, total - first - last, None, "delivery"),
                part(3, last, None, "acceptance"),
            ]
    agreement.do(
        "billing.AgreePaymentPlan", FINANCE[0], at,
        instalments=[one.terms(agreement.currency) for one in parts],
    )  # fmt: skip
    return parts


def _settle(plot: Plot, agreement: Agreement, instalments: list[Instalment]) -> None:
    """Invoice and collect one instalment after another; at the end the contract is fulfilled."""
    diary = agreement.script.diary.aside()
    paying = plot.draw("paying", _PAYING)
    last = len(instalments) - 1
    for number, planned in enumerate(instalments):
        instalment = planned
        if planned.milestone:
            at = diary.wait(15, 30)
            due_on = at.date() + timedelta(days=20)
            agreement.do("billing.ReachMilestone", FINANCE[0], at, milestone=planned.milestone,
                         due_on=due_on.isoformat())  # fmt: skip
            instalment = Instalment(planned.id, planned.amount, due_on)
        is_last = number == last
        invoicing = plot.draw("invoicing", _INVOICING)
        invoice_id = _invoice(agreement, instalment, diary, invoicing)
        waits = (paying == "too_much" and not is_last) or (paying == "never" and number == 0 < last)
        way = "on_time" if waits else paying
        if not _pay(agreement, instalment, diary, way):
            return
        if invoicing == "void_paid":
            agreement.script.do("billing.VoidInvoice", FINANCE[0], diary.wait(1, 4),
                                refused="InvoiceIsPaid", invoice_id=invoice_id,
                                reason="entered twice")  # fmt: skip
    if paying == "regretted":
        lead = agreement.customer.lead
        agreement.script.do("leads.RevertConversion", agreement.manager, diary.wait(8, 15),
                            refused="MoneyHasMoved", lead_id=lead.id,
                            reason="wrong company")  # fmt: skip
    if agreement.script.rng.random() < 0.45:
        agreement.do("billing.FulfilContract", agreement.manager, diary.wait(5, 40))


def _invoice(agreement: Agreement, instalment: Instalment, diary: Diary, way: str) -> str:
    """Invoice an instalment, at times not at the first attempt; return the invoice that stands."""
    script = agreement.script

    def apply(attempt: str, **more: Any) -> str:
        invoice_id = script.id("invoice", instalment.id, attempt)
        agreement.do(
            "billing.ApplyForInvoice", FINANCE[1], diary.minutes(10, 60), invoice_id=invoice_id,
            title=agreement.customer.lead.prospect.company,
            due_on=instalment.due_on.isoformat() if instalment.due_on else None, **more,
        )  # fmt: skip
        return invoice_id

    def act(call: str, invoice_id: str, **request: Any) -> None:
        script.do(f"billing.{call}", FINANCE[0], diary.minutes(5, 40), invoice_id=invoice_id,
                  **request)  # fmt: skip

    diary.wait(0, 3)
    part = {"instalment_ids": [instalment.id]}
    match way:
        case "declined":
            act("DeclineInvoice", apply("declined", **part), reason="tax number missing")
        case "voided" | "credited":
            wrong = apply("wrong", **part)
            act("IssueInvoice", wrong)
            diary.wait(1, 1)
            call = "VoidInvoice" if way == "voided" else "CreditInvoice"
            act(call, wrong, reason="wrong title")
        case "too_much":
            beyond = money(agreement.total + Decimal(1), agreement.currency)
            agreement.do("billing.ApplyForInvoice", FINANCE[1], diary.minutes(5, 30),
                         refused="InvoicedBeyondContract", amount=beyond)  # fmt: skip
    invoice_id = apply("right", **part)
    act("IssueInvoice", invoice_id)
    act("SendInvoice", invoice_id, email=agreement.customer.lead.prospect.email)
    return invoice_id


def _pay(agreement: Agreement, instalment: Instalment, diary: Diary, way: str) -> bool:
    """Collect an instalment; return False when the customer never pays."""
    script = agreement.script
    due_on = instalment.due_on or diary.today

    def pay(name: str, amount: Decimal, at: datetime) -> str:
        payment_id = script.id("payment", instalment.id, name)
        agreement.do(
            "billing.ReceivePayment", FINANCE[1], at, payment_id=payment_id,
            amount=money(amount, agreement.currency), method="bank_transfer",
            value_date=at.date().isoformat(), payer=agreement.customer.lead.prospect.company,
            reference=f"{agreement.customer.lead.prospect.city} {at:%y%m%d}",
        )  # fmt: skip
        return payment_id

    in_time = due_on - timedelta(days=script.rng.randint(0, 6))
    match way:
        case "late":
            overdue = due_on + timedelta(days=script.rng.randint(4, 40))
            pay("late", instalment.amount, diary.until(overdue))
        case "partly":
            first = share(instalment.amount, script.rng.choice((30, 50, 60)))
            pay("first", first, diary.until(in_time))
            pay("rest", instalment.amount - first, diary.until(due_on + timedelta(days=15)))
        case "too_much":
            pay("rounded", instalment.amount + Decimal(500), diary.until(in_time))
        case "bounced":
            bounced = pay("bounced", instalment.amount, diary.until(in_time))
            script.do("billing.ReversePayment", FINANCE[1], diary.wait(1, 3), payment_id=bounced,
                      reason="bounced")  # fmt: skip
            pay("again", instalment.amount, diary.wait(4, 12))
        case "never":
            at = diary.until(due_on + timedelta(days=30))
            agreement.do("billing.FulfilContract", agreement.manager, at,
                         refused="ContractIsNotPaid")  # fmt: skip
            at = diary.wait(20, 30)
            agreement.do("billing.TerminateContract", agreement.manager, at,
                         reason="payment default")  # fmt: skip
            return False
        case _:
            pay("in time", instalment.amount, diary.until(in_time))
    return True
