"""Customer payments: whether money has moved since a lead became a customer."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Boolean, Column, Connection, MetaData, String, Table, false, or_, select

from shared.chassis.shapes import Key, Projection, Row
from shared.events.base import Recorded
from shared.events.billing import PaymentFact, PaymentReceived, PaymentReversed
from shared.events.leads import LeadConverted

__all__ = ["CustomerPayments", "has_paid"]

customer_payments = Table(
    "customer_payments",
    MetaData(),
    Column("payment_id", String, primary_key=True),
    Column("account_id", String, nullable=False, index=True),
    Column("opportunity_id", String, index=True),
    Column("lead_id", String, index=True),
    Column("reversed", Boolean, nullable=False),
)


class CustomerPayments(Projection):
    """Every payment with what it was for, and whether it was taken back."""

    table = customer_payments
    version = 1
    events = (PaymentReceived, PaymentReversed)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        payment: PaymentFact = recorded.event
        return {
            "payment_id": key[0],
            "account_id": payment.account_id,
            "opportunity_id": payment.opportunity_id,
            "lead_id": payment.lead_id,
            "reversed": isinstance(payment, PaymentReversed),
        }


def has_paid(connection: Connection, lead_id: str, made: LeadConverted) -> bool:
    """Whether a payment stands that came of this conversion.

    Of an account that existed before, only payments for the lead or its opportunity count.
    """
    paid = customer_payments.c
    came_of_it = [paid.lead_id == lead_id]
    if made.opportunity_id is not None:
        came_of_it.append(paid.opportunity_id == made.opportunity_id)
    if made.opens_account:
        came_of_it.append(paid.account_id == made.account_id)
    statement = select(paid.payment_id).where(or_(*came_of_it), paid.reversed == false()).limit(1)
    return connection.execute(statement).first() is not None
