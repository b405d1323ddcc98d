"""Exchange rates: what an amount is worth in another currency on a day."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Column, Connection, Date, MetaData, String, Table, desc, select

from services.billing.domain.pricing import BEYOND_COUNTING
from shared.chassis.shapes import (
    BrokenRule,
    Invalid,
    Key,
    ListQuery,
    Page,
    Projection,
    Query,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.events.base import Recorded
from shared.events.billing import ExchangeRateSet
from shared.events.values import Currency, Figure, Money

__all__ = [
    "ConvertAmount",
    "ExchangeRates",
    "ListExchangeRates",
    "RateUnknown",
    "convert_amount",
    "converted",
    "list_exchange_rates",
]

exchange_rates = Table(
    "exchange_rates",
    MetaData(),
    Column("currency", String, primary_key=True),
    Column("reporting_currency", String, primary_key=True),
    Column("valid_from", Date, primary_key=True),
    Column("rate", String, nullable=False),
    Column("rate_source", String),
)


class RateUnknown(BrokenRule):
    """An amount is converted at a rate that was set for its day or before."""

    def __init__(self, currency: str, reporting_currency: str, on: date) -> None:
        super().__init__(
            f"no rate from {currency} to {reporting_currency} is known for {on}",
            currency=currency,
            reporting_currency=reporting_currency,
            on=on.isoformat(),
        )


class ExchangeRates(Projection):
    """What one currency is worth in another, from each day on."""

    table = exchange_rates
    version = 1
    events = (ExchangeRateSet,)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        event = recorded.event
        return [(event.currency, event.reporting_currency, event.valid_from)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        event = recorded.event
        return {
            "currency": event.currency,
            "reporting_currency": event.reporting_currency,
            "valid_from": event.valid_from,
            "rate": str(event.rate),
            "rate_source": event.rate_source,
        }


class ExchangeRateView(View):
    """What one unit of a currency is worth from a day on."""

    currency: str
    reporting_currency: str
    valid_from: date
    rate: Decimal
    rate_source: str | None


class ConvertedAmount(View):
    """An amount in another currency, with the rate used."""

    amount: Decimal
    currency: str
    rate: Decimal
    valid_from: date | None
    """From when the rate holds; absent between a currency and itself."""


class ListExchangeRates(ListQuery, http="GET /v1/exchange-rates"):
    """List exchange rates, the latest first."""


class ConvertAmount(Query, http="GET /v1/exchange-rates:convert"):
    """Convert an amount at the rate of a day."""

    amount: Figure
    currency: Currency
    reporting_currency: Currency
    on: Annotated[date, Field(description="The value date of the amount.")]


def list_exchange_rates(query: ListExchangeRates, reader: Reader) -> Page[ExchangeRateView]:
    """Answer with a page of rates."""
    return listed(query, reader, exchange_rates, ExchangeRateView, order_by="valid_from desc")


def convert_amount(query: ConvertAmount, reader: Reader) -> ConvertedAmount:
    """Answer with the amount in the other currency; refuse when no rate is known."""
    if query.currency == query.reporting_currency:
        return ConvertedAmount(
            amount=query.amount, currency=query.currency, rate=Decimal(1), valid_from=None
        )
    found = _rate(reader.connection, query.currency, query.reporting_currency, query.on)
    if found is None:
        raise RateUnknown(query.currency, query.reporting_currency, query.on)
    valid_from, rate = found
    worth = _worth(query.amount, query.reporting_currency, rate)
    if worth is None:
        raise Invalid.one("amount", f"is beyond counting in {query.reporting_currency}")
    return ConvertedAmount(
        amount=worth.amount, currency=worth.currency, rate=rate, valid_from=valid_from
    )


def converted(connection: Connection, money: Money, to: str, on: date) -> Money | None:
    """Return what an amount is worth in another currency on a day.

    None when no rate is known, or when it is more than can be counted.
    """
    if money.currency == to:
        return money
    found = _rate(connection, money.currency, to, on)
    return _worth(money.amount, to, found[1]) if found else None


def _worth(amount: Decimal, to: str, rate: Decimal) -> Money | None:
    if abs(amount * rate) >= BEYOND_COUNTING:
        return None
    return Money.of(amount, to).times(rate)


def _rate(
    connection: Connection, currency: str, reporting_currency: str, on: date
) -> tuple[date, Decimal] | None:
    found = connection.execute(
        select(exchange_rates.c.valid_from, exchange_rates.c.rate)
        .where(
            exchange_rates.c.currency == currency,
            exchange_rates.c.reporting_currency == reporting_currency,
            exchange_rates.c.valid_from <= on,
        )
        .order_by(desc(exchange_rates.c.valid_from))
        .limit(1)
    ).first()
    return (found.valid_from, Decimal(found.rate)) if found else None
