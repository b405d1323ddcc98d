"""Instalments: what is to be paid when, and the plan of one contract."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    select,
)

from services.billing.domain.contract import plan_of
from services.billing.domain.payment_plan import InstalmentState
from shared.chassis.shapes import (
    Amount,
    Key,
    ListQuery,
    NotFound,
    Page,
    Projection,
    Query,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.events.base import Recorded
from shared.events.billing import (
    Instalment,
    InstalmentFact,
    InstalmentFellDue,
    InstalmentFellOverdue,
    InstalmentPaid,
    InstalmentReopened,
    InstalmentScheduled,
    InstalmentSettled,
    InstalmentVoided,
    PaymentPlanAgreed,
    PaymentPlanRevised,
)
from shared.events.values import ContractId

__all__ = [
    "GetPaymentPlan",
    "Instalments",
    "ListInstalments",
    "PaymentPlans",
    "contracts_with_debts",
    "get_payment_plan",
    "list_instalments",
]

instalments = Table(
    "instalments",
    MetaData(),
    Column("instalment_id", String, primary_key=True),
    Column("contract_id", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("opportunity_id", String),
    Column("owner_id", String),
    Column("number", Integer, nullable=False),
    Column("currency", String, nullable=False),
    Column("amount", Amount, nullable=False),
    Column("paid", Amount, nullable=False),
    Column("outstanding", Amount, nullable=False),
    Column("due_on", Date),
    Column("milestone", String),
    Column("status", String, nullable=False),
    Column("overdue", Boolean, nullable=False),
    Column("settled_on", Date),
    Index("instalments_by_contract", "contract_id", "number"),
    Index("instalments_by_account", "account_id", "due_on"),
    Index("instalments_by_status", "status", "due_on"),
)

payment_plans = Table(
    "payment_plans",
    MetaData(),
    Column("plan_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("contract_id", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("total", Amount, nullable=False),
    Column("time_zone", String, nullable=False),
)

_INSTALMENT_FACTS = (
    InstalmentFellDue,
    InstalmentFellOverdue,
    InstalmentPaid,
    InstalmentReopened,
    InstalmentScheduled,
    InstalmentSettled,
    InstalmentVoided,
)


class Instalments(Projection):
    """Every part of a price with its due date and what came in on it."""

    table = instalments
    version = 1
    events = (PaymentPlanAgreed, PaymentPlanRevised, *_INSTALMENT_FACTS)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        event = recorded.event
        if isinstance(event, InstalmentFact):
            return [(event.instalment_id,)]
        held = [(instalment.instalment_id,) for instalment in event.instalments]
        dropped = event.dropped_ids if isinstance(event, PaymentPlanRevised) else ()
        return [*held, *((instalment_id,) for instalment_id in dropped)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        event = recorded.event
        if isinstance(event, (PaymentPlanAgreed, PaymentPlanRevised)):
            for instalment in event.instalments:
                if instalment.instalment_id == key[0]:
                    return _with_status(_agreed(row, instalment, event))
            return None
        if row is None:
            return None
        match event:
            case InstalmentScheduled():
                return _with_status({**row, "due_on": event.due_on})
            case InstalmentFellOverdue():
                return _with_status({**row, "overdue": True})
            case InstalmentPaid() | InstalmentReopened():
                money = {"paid": event.paid.amount, "outstanding": event.outstanding.amount}
                return _with_status({**row, **money, "settled_on": None})
            case InstalmentSettled():
                return _with_status({**row, "overdue": False, "settled_on": event.settled_on})
            case InstalmentVoided():
                return {**row, "outstanding": Decimal(0), "status": InstalmentState.VOID}
        return row


def _agreed(
    row: Row | None, instalment: Instalment, event: PaymentPlanAgreed | PaymentPlanRevised
) -> dict[str, Any]:
    paid = row["paid"] if row else Decimal(0)
    same_day = row is not None and row["due_on"] == instalment.due_on
    return {
        "instalment_id": instalment.instalment_id,
        "contract_id": event.contract_id,
        "account_id": event.account_id,
        "opportunity_id": event.opportunity_id,
        "owner_id": event.owner_id,
        "number": instalment.number,
        "currency": instalment.amount.currency,
        "amount": instalment.amount.amount,
        "paid": paid,
        "outstanding": instalment.amount.amount - paid,
        "due_on": instalment.due_on,
        "milestone": instalment.milestone,
        "overdue": bool(row and row["overdue"] and same_day),
        "settled_on": row["settled_on"] if row else None,
    }


def _with_status(row: dict[str, Any]) -> Row:
    if row.get("status") == InstalmentState.VOID:
        return {**row, "outstanding": Decimal(0)}
    if not row["outstanding"]:
        status = InstalmentState.PAID
    elif row["overdue"]:
        status = InstalmentState.OVERDUE
    else:
        status = InstalmentState.PARTLY_PAID if row["paid"] else InstalmentState.PENDING
    return {**row, "status": status}


class PaymentPlans(Projection):
    """Which plan a contract has, and at what version."""

    table = payment_plans
    version = 1
    events = (PaymentPlanAgreed, PaymentPlanRevised, *_INSTALMENT_FACTS)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        event = recorded.event
        if isinstance(event, (PaymentPlanAgreed, PaymentPlanRevised)):
            return {
                "plan_id": recorded.stream_id,
                "version": recorded.version,
                "contract_id": event.contract_id,
                "account_id": event.account_id,
                "currency": event.total.currency,
                "total": event.total.amount,
                "time_zone": event.time_zone,
            }
        return row and {**row, "version": recorded.version}


class InstalmentView(View):
    """A part of a contract's price; amounts are in the contract's currency."""

    instalment_id: str
    contract_id: str
    account_id: str
    opportunity_id: str | None
    owner_id: str | None
    number: int
    currency: str
    amount: Decimal
    paid: Decimal
    outstanding: Decimal
    due_on: date | None
    milestone: str | None
    status: InstalmentState
    overdue: bool
    settled_on: date | None


class PaymentPlanView(View):
    """How a contract is to be paid, and how far it is."""

    plan_id: str
    version: int
    contract_id: ContractId
    account_id: str
    currency: str
    total: Decimal
    paid: Decimal
    outstanding: Decimal
    time_zone: str
    instalments: list[InstalmentView]


class GetPaymentPlan(Query, http="GET /v1/contracts/{contract_id}/payment-plan"):
    """Read a contract's payment plan."""

    contract_id: ContractId


class ListInstalments(ListQuery, http="GET /v1/instalments"):
    """List instalments of all contracts, the earliest due first."""


def get_payment_plan(query: GetPaymentPlan, reader: Reader) -> PaymentPlanView:
    """Answer with one contract's plan."""
    plan_id = plan_of(query.contract_id)
    plan = (
        reader.connection.execute(select(payment_plans).where(payment_plans.c.plan_id == plan_id))
        .mappings()
        .first()
    )
    if plan is None:
        raise NotFound("payment plan", plan_id)
    found = reader.connection.execute(
        select(instalments)
        .where(instalments.c.contract_id == query.contract_id)
        .order_by(instalments.c.number, instalments.c.instalment_id)
    ).mappings()
    parts = [InstalmentView.model_validate(dict(row)) for row in found]
    return PaymentPlanView(
        **plan,
        paid=sum((part.paid for part in parts), Decimal(0)),
        outstanding=sum((part.outstanding for part in parts), Decimal(0)),
        instalments=parts,
    )


def list_instalments(query: ListInstalments, reader: Reader) -> Page[InstalmentView]:
    """Answer with a page of instalments."""
    return listed(query, reader, instalments, InstalmentView, order_by="due_on, contract_id")


def contracts_with_debts(connection: Connection, account_id: str, currency: str) -> list[str]:
    """Return the contracts of an account on which something is open in a currency."""
    found = connection.execute(
        select(instalments.c.contract_id)
        .where(
            instalments.c.account_id == account_id,
            instalments.c.currency == currency,
            instalments.c.outstanding > 0,
        )
        .distinct()
        .order_by(instalments.c.contract_id)
    )
    return list(found.scalars())
