"""Contracts, instalments, invoices, payments and balances; what is owed, due and expected."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Column, Date, Index, MetaData, String, Table, bindparam, func, select

from shared.chassis.shapes import (
    Amount,
    Instant,
    Key,
    PastQuery,
    Projection,
    Reader,
    Row,
    View,
    blank,
)
from shared.events.base import Event, Recorded
from shared.events.billing import (
    Allocation,
    ContractActivated,
    ContractAmended,
    ContractApproved,
    ContractDrafted,
    ContractExpired,
    ContractFulfilled,
    ContractReturned,
    ContractRevised,
    ContractSigned,
    ContractSubmitted,
    ContractTerminated,
    ContractWithdrawn,
    InstalmentFellOverdue,
    InstalmentPaid,
    InstalmentReopened,
    InstalmentScheduled,
    InstalmentSettled,
    InstalmentVoided,
    InvoiceApplied,
    InvoiceApproved,
    InvoiceCredited,
    InvoiceDeclined,
    InvoiceIssued,
    InvoicePaid,
    InvoiceReopened,
    InvoiceSent,
    InvoiceVoided,
    LedgerAccount,
    LedgerPosted,
    PaymentAllocated,
    PaymentPlanAgreed,
    PaymentPlanRevised,
    PaymentReallocated,
    PaymentReceived,
    PaymentReversed,
    Side,
)
from shared.events.values import AccountId, Money

__all__ = [
    "Balances",
    "Contracts",
    "GetLedgerAccount",
    "GetTrialBalance",
    "Instalments",
    "Invoices",
    "Payments",
    "balances",
    "contracts",
    "get_ledger_account",
    "get_trial_balance",
    "instalments",
    "invoices",
    "payments",
]

contracts = Table(
    "contracts",
    MetaData(),
    Column("contract_id", String, primary_key=True),
    Column("account_id", String),
    Column("opportunity_id", String),
    Column("owner_id", String),
    Column("number", String),
    Column("title", String),
    Column("status", String),
    Column("total", Amount),
    Column("currency", String),
    Column("starts_on", Date),
    Column("ends_on", Date),
    Column("signed_on", Date),
    Column("drafted_at", Instant),
    Index("contracts_account", "account_id"),
)

_CONTRACT_STATUS: dict[type[Event], str] = {
    ContractSubmitted: "in_approval",
    ContractApproved: "approved",
    ContractReturned: "draft",
    ContractSigned: "signed",
    ContractActivated: "active",
    ContractFulfilled: "fulfilled",
    ContractTerminated: "terminated",
    ContractExpired: "expired",
    ContractWithdrawn: "withdrawn",
}
_IN_FORCE = ("signed", "active", "fulfilled", "expired")


class Contracts(Projection):
    """One row per contract."""

    table = contracts
    events = (ContractDrafted, ContractRevised, ContractAmended, *_CONTRACT_STATUS)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The contract."""
        return ((recorded.stream_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Follow the contract's life."""
        was: Row = row if row is not None else blank(contracts, key)
        event = recorded.event
        now = {**was, "account_id": event.account_id}
        match event:
            case ContractDrafted() | ContractRevised() | ContractAmended():
                now |= {
                    "opportunity_id": event.opportunity_id,
                    "owner_id": event.owner_id,
                    "title": event.title,
                    "total": event.total.amount,
                    "currency": event.total.currency,
                    "starts_on": event.starts_on,
                    "ends_on": event.ends_on,
                }
                if isinstance(event, ContractDrafted):
                    now |= {
                        "number": event.number,
                        "status": "draft",
                        "drafted_at": recorded.occurred_at,
                    }
                return now
            case ContractSigned():
                now["signed_on"] = event.signed_on
            case ContractActivated():
                now |= {"starts_on": event.starts_on, "ends_on": event.ends_on}
        return {**now, "status": _CONTRACT_STATUS[type(event)]}


instalments = Table(
    "instalments",
    MetaData(),
    Column("instalment_id", String, primary_key=True),
    Column("contract_id", String),
    Column("account_id", String),
    Column("amount", Amount),
    Column("currency", String),
    Column("due_on", Date),
    Column("milestone", String),
    Column("paid", Amount),
    Column("outstanding", Amount),
    Column("status", String),
    Column("settled_on", Date),
    Index("instalments_account", "account_id"),
    Index("instalments_due", "status", "due_on"),
)


class Instalments(Projection):
    """One row per instalment: planned, paid and left."""

    table = instalments
    version = 2
    events = (
        PaymentPlanAgreed,
        PaymentPlanRevised,
        InstalmentScheduled,
        InstalmentFellOverdue,
        InstalmentPaid,
        InstalmentSettled,
        InstalmentReopened,
        InstalmentVoided,
    )

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """Every instalment of a plan, or the one."""
        event = recorded.event
        match event:
            case PaymentPlanAgreed():
                return [(i.instalment_id,) for i in event.instalments]
            case PaymentPlanRevised():
                ids = [i.instalment_id for i in event.instalments]
                return [(one,) for one in (*ids, *event.dropped_ids)]
        return ((event.instalment_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Follow the instalment."""
        event = recorded.event
        was: Row = row if row is not None else {**blank(instalments, key), "paid": Decimal(0)}
        was = {**was, "contract_id": event.contract_id, "account_id": event.account_id}
        match event:
            case PaymentPlanAgreed() | PaymentPlanRevised():
                part = next((i for i in event.instalments if (i.instalment_id,) == key), None)
                if part is None:
                    return None
                now = {
                    **was,
                    "amount": part.amount.amount,
                    "currency": part.amount.currency,
                    "due_on": part.due_on,
                    "milestone": part.milestone,
                }
                return _left(now, overdue=was["due_on"] == part.due_on)
            case InstalmentScheduled():
                return {**was, "due_on": event.due_on}
            case InstalmentFellOverdue():
                return _left({**was, "status": "overdue"})
            case InstalmentPaid():
                return _left({**was, "paid": was["paid"] + event.amount.amount})
            case InstalmentSettled():
                return was if was["outstanding"] else {**was, "settled_on": event.settled_on}
            case InstalmentReopened():
                paid = was["paid"] - event.amount.amount
                return _left({**was, "paid": paid, "settled_on": None})
            case InstalmentVoided():
                return {**was, "outstanding": Decimal(0), "status": "void"}
        return row


def _left(row: dict[str, Any], *, overdue: bool = True) -> Row:
    """Say what is left of an instalment and where it stands by what its row took in.

    A fact's own totals count everything recorded before it, also what happened after it.
    """
    if row["status"] == "void" or row["amount"] is None:
        return row
    outstanding = max(row["amount"] - row["paid"], Decimal(0))
    if not outstanding:
        status = "paid"
    elif row["status"] == "overdue" and overdue:
        status = "overdue"
    else:
        status = "partly_paid" if row["paid"] else "pending"
    return {**row, "outstanding": outstanding, "status": status}


invoices = Table(
    "invoices",
    MetaData(),
    Column("invoice_id", String, primary_key=True),
    Column("account_id", String),
    Column("contract_id", String),
    Column("number", String),
    Column("status", String),
    Column("total", Amount),
    Column("paid", Amount),
    Column("currency", String),
    Column("issued_on", Date),
    Column("due_on", Date),
    Column("credited", Amount),
    Index("invoices_account", "account_id"),
)

_INVOICE_STATUS: dict[type[Event], str] = {
    InvoiceApplied: "applied",
    InvoiceApproved: "approved",
    InvoiceDeclined: "declined",
    InvoiceIssued: "issued",
    InvoiceVoided: "voided",
}
_PAYABLE = ("issued", "sent")


class Invoices(Projection):
    """One row per invoice."""

    table = invoices
    version = 2
    events = (*_INVOICE_STATUS, InvoiceSent, InvoicePaid, InvoiceReopened, InvoiceCredited)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The invoice."""
        return ((recorded.stream_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Follow the invoice's life."""
        event = recorded.event
        if row is None and not isinstance(event, (InvoiceApplied, InvoiceIssued)):
            return None
        was: Row = row or {**blank(invoices, key), "paid": Decimal(0), "credited": Decimal(0)}
        now = {**was, "account_id": event.account_id, "contract_id": event.contract_id}
        now["status"] = _INVOICE_STATUS.get(type(event), was["status"])
        match event:
            case InvoiceApplied() | InvoiceIssued():
                now |= {
                    "total": event.total.amount,
                    "currency": event.total.currency,
                    "due_on": event.due_on,
                }
                if isinstance(event, InvoiceIssued):
                    now |= {"number": event.number, "issued_on": event.issued_on}
            case InvoiceSent() if was["status"] == "issued":
                now["status"] = "sent"
            case InvoicePaid():
                now["paid"] += event.amount.amount
            case InvoiceReopened():
                now["paid"] -= event.amount.amount
            case InvoiceCredited():
                now["credited"] += event.total.amount
                now["paid"] = min(now["paid"], now["total"] - now["credited"])
        return {**now, "status": _standing(now)}


def _standing(invoice: Row) -> str:
    """Say where an invoice stands by what its row took in, as `_left` does."""
    status: str = invoice["status"]
    left = invoice["total"] - invoice["credited"]
    if status not in {*_PAYABLE, "settled"}:
        return status
    if left <= 0:
        return "credited"
    if invoice["paid"] >= left:
        return "settled"
    return "issued" if status == "settled" else status


payments = Table(
    "payments",
    MetaData(),
    Column("payment_id", String, primary_key=True),
    Column("account_id", String),
    Column("contract_id", String),
    Column("amount", Amount),
    Column("unallocated", Amount),
    Column("currency", String),
    Column("method", String),
    Column("value_date", Date),
    Column("received_at", Instant),
    Column("status", String),
    Column("reversal", String),
    Column("allocations", JSON),
    Index("payments_account", "account_id"),
    Index("payments_method", "method"),
)


class Payments(Projection):
    """One row per payment and what it paid for."""

    table = payments
    version = 2
    events = (PaymentReceived, PaymentAllocated, PaymentReallocated, PaymentReversed)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The payment."""
        return ((recorded.stream_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Follow the payment."""
        event = recorded.event
        if isinstance(event, PaymentReceived):
            return {
                **blank(payments, key),
                "account_id": event.account_id,
                "contract_id": event.contract_id,
                "amount": event.amount.amount,
                "unallocated": event.amount.amount,
                "currency": event.amount.currency,
                "method": event.method,
                "value_date": event.value_date,
                "received_at": recorded.occurred_at,
                "status": "received",
                "allocations": [],
            }
        if row is None:
            return None
        match event:
            case PaymentAllocated():
                return _paying(row, [*row["allocations"], *_plain(event.allocations)])
            case PaymentReallocated():
                return _paying(row, _plain(event.allocations))
            case PaymentReversed():
                gone = {"unallocated": Decimal(0), "allocations": []}
                return {**row, **gone, "status": "reversed", "reversal": event.reason}
        return row


def _paying(row: Row, allocations: list[dict[str, Any]]) -> Row:
    spent = sum(Decimal(part["amount"]["amount"]) for part in allocations)
    return {**row, "allocations": allocations, "unallocated": row["amount"] - spent}


def _plain(allocations: Iterable[Allocation]) -> list[dict[str, Any]]:
    return [part.model_dump(mode="json", exclude_none=True) for part in allocations]


balances = Table(
    "balances",
    MetaData(),
    Column("account_id", String, primary_key=True),
    Column("currency", String, primary_key=True),
    Column("ledger_account", String, primary_key=True),
    Column("debit", Amount, nullable=False),
    Column("credit", Amount, nullable=False),
)


class Balances(Projection):
    """One row per customer, currency and ledger account: the sums of both sides."""

    table = balances
    events = (LedgerPosted,)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The books each line touches."""
        event = recorded.event
        return [(event.account_id, event.currency, line.ledger_account) for line in event.lines]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Add the lines to their sides."""
        row = row or {**blank(balances, key), "debit": Decimal(0), "credit": Decimal(0)}
        lines = [line for line in recorded.event.lines if line.ledger_account == key[2]]
        return {
            **row,
            "debit": row["debit"] + sum(x.amount for x in lines if x.side is Side.DEBIT),
            "credit": row["credit"] + sum(x.amount for x in lines if x.side is Side.CREDIT),
        }


class BalanceView(View):
    """One account of the ledger, in one currency."""

    ledger_account: str
    currency: str
    debit: Money
    credit: Money
    balance: Money
    """Debit less credit."""


class AgeingView(View):
    """What is owed in one currency by how long it is overdue, instalments and invoices alike."""

    currency: str
    not_due: Money
    days_1_to_30: Money
    days_31_to_60: Money
    days_61_to_90: Money
    over_90: Money


class PlanView(View):
    """An instalment against what came in."""

    instalment_id: str
    contract_id: str
    due_on: date | None = None
    milestone: str | None = None
    amount: Money
    paid: Money
    outstanding: Money
    status: str


class ForecastView(View):
    """What is owed with a due day in a month."""

    month: str
    expected: Money


class LedgerAccountView(View):
    """A customer's ledger: balances, what is overdue, what is planned, what is expected."""

    account_id: str
    balances: list[BalanceView]
    ageing: list[AgeingView]
    plan: list[PlanView]
    forecast: list[ForecastView]


class GetLedgerAccount(PastQuery, http="GET /v1/ledger/accounts/{account_id}"):
    """A customer's payment ledger: balance, ageing, plan against receipt, and cash forecast."""

    account_id: AccountId


class GetTrialBalance(PastQuery, http="GET /v1/ledger/trial-balance"):
    """All accounts of the ledger; debits equal credits in every currency."""


class TrialTotalView(View):
    """Both sides of the books in one currency."""

    currency: str
    debit: Money
    credit: Money
    difference: Money


class TrialBalanceView(View):
    """The trial balance."""

    lines: list[BalanceView]
    totals: list[TrialTotalView]
    balanced: bool


def get_ledger_account(query: GetLedgerAccount, reader: Reader) -> LedgerAccountView:
    """Read one customer's ledger, now or as of the moment asked for."""
    with reader.at(query, [query.account_id]) as then:
        return ledger_of(query.account_id, then)


def ledger_of(account_id: str, reader: Reader) -> LedgerAccountView:
    """Return a customer's ledger from the read models at hand."""
    rows = [
        dict(row) for row in reader.connection.execute(_PLAN, {"account_id": account_id}).mappings()
    ]
    owed = _owed(reader, account_id, rows)
    return LedgerAccountView(
        account_id=account_id,
        balances=_balances(reader, account_id),
        ageing=_ageing(owed, reader.now.date()),
        plan=[_plan(row) for row in rows],
        forecast=_forecast(owed),
    )


_PLAN = (
    select(instalments, contracts.c.status.in_(_IN_FORCE).label("in_force"))
    .outerjoin(contracts, contracts.c.contract_id == instalments.c.contract_id)
    .where(instalments.c.account_id == bindparam("account_id"), instalments.c.status != "void")
    .order_by(instalments.c.due_on.nulls_first(), instalments.c.instalment_id)
)
_OPEN_INVOICES = (
    select(invoices)
    .where(invoices.c.account_id == bindparam("account_id"), invoices.c.status.in_(_PAYABLE))
    .order_by(invoices.c.due_on.nulls_last(), invoices.c.invoice_id)
)
_OWED_BY: dict[Table, set[str]] = {
    contracts: {"status"},
    instalments: {"due_on"},
    invoices: {"contract_id", "status", "total", "credited", "paid", "currency", "due_on"},
}


def _owed(reader: Reader, account_id: str, plan: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is open: instalments in force, and of invoices what none of these schedules.

    Nothing is told to whoever may not know all that it is made of: a part would pass for the whole.
    """
    cut = reader.cut
    if cut is not None and any(cut.hidden(table) & names for table, names in _OWED_BY.items()):
        return []
    owed = [row for row in plan if row["in_force"]]
    scheduled: dict[str | None, Decimal] = defaultdict(Decimal)
    for row in owed:
        scheduled[row["contract_id"]] += row["outstanding"]
    asked = {"account_id": account_id}
    for invoice in reader.connection.execute(_OPEN_INVOICES, asked).mappings():
        left = invoice["total"] - invoice["credited"] - invoice["paid"]
        covered = min(scheduled[invoice["contract_id"]], left)
        scheduled[invoice["contract_id"]] -= covered
        owed.append({**invoice, "outstanding": left - covered})
    return [row for row in owed if row["outstanding"]]


def get_trial_balance(query: GetTrialBalance, reader: Reader) -> TrialBalanceView:
    """Add up the whole ledger, now or as of the moment asked for."""
    with reader.at(query) as then:
        lines = _balances(then, None)
    totals = []
    for currency in sorted({line.currency for line in lines}):
        mine = [line for line in lines if line.currency == currency]
        debit = Money.total((line.debit for line in mine), currency)
        credit = Money.total((line.credit for line in mine), currency)
        totals.append(
            TrialTotalView(currency=currency, debit=debit, credit=credit, difference=debit - credit)
        )
    return TrialBalanceView(
        lines=lines, totals=totals, balanced=all(t.difference.amount == 0 for t in totals)
    )


def _balances(reader: Reader, account_id: str | None) -> list[BalanceView]:
    if account_id is None:
        rows = reader.connection.execute(_SUMS).all()
    else:
        rows = reader.connection.execute(_SUMS_OF_ONE, {"account_id": account_id}).all()
    return [
        BalanceView(
            ledger_account=LedgerAccount(name),
            currency=currency,
            debit=Money(amount=left, currency=currency),
            credit=Money(amount=right, currency=currency),
            balance=Money(amount=left - right, currency=currency),
        )
        for name, currency, left, right in rows
    ]


_SUMS = (
    select(
        balances.c.ledger_account,
        balances.c.currency,
        func.sum(balances.c.debit, type_=Amount()),
        func.sum(balances.c.credit, type_=Amount()),
    )
    .group_by(balances.c.ledger_account, balances.c.currency)
    .order_by(balances.c.currency, balances.c.ledger_account)
)
_SUMS_OF_ONE = _SUMS.where(balances.c.account_id == bindparam("account_id"))
_BUCKETS = (
    (0, "not_due"),
    (30, "days_1_to_30"),
    (60, "days_31_to_60"),
    (90, "days_61_to_90"),
)


def _ageing(rows: list[dict[str, Any]], today: date) -> list[AgeingView]:
    sums: dict[str, dict[str, Decimal]] = {}
    for row in rows:
        late = (today - row["due_on"]) / timedelta(days=1) if row["due_on"] else 0
        bucket = next((name for days, name in _BUCKETS if late <= days), "over_90")
        names = [name for _, name in _BUCKETS] + ["over_90"]
        buckets = sums.setdefault(row["currency"], dict.fromkeys(names, Decimal(0)))
        buckets[bucket] += row["outstanding"]
    return [
        AgeingView(
            currency=currency,
            **{name: Money(amount=amount, currency=currency) for name, amount in buckets.items()},
        )
        for currency, buckets in sorted(sums.items())
    ]


def _plan(row: dict[str, Any]) -> PlanView:
    def money(name: str) -> Money:
        return Money(amount=row[name], currency=row["currency"])

    return PlanView(
        instalment_id=row["instalment_id"],
        contract_id=row["contract_id"],
        due_on=row["due_on"],
        milestone=row["milestone"],
        amount=money("amount"),
        paid=money("paid"),
        outstanding=money("outstanding"),
        status=row["status"],
    )


def _forecast(rows: list[dict[str, Any]]) -> list[ForecastView]:
    sums: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        if row["due_on"]:
            place = (row["due_on"].isoformat()[:7], row["currency"])
            sums[place] = sums.get(place, Decimal(0)) + row["outstanding"]
    return [
        ForecastView(month=month, expected=Money(amount=amount, currency=currency))
        for (month, currency), amount in sorted(sums.items())
    ]
