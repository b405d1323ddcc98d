"""What an offer adds up to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext

from services.pipeline.commands import QuoteLine
from services.pipeline.domain.price_book import PriceBook
from services.pipeline.domain.product import Product
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.values import MINOR_UNITS, LineItem, Money

__all__ = ["Offer", "priced"]

_BEYOND_COUNTING = Decimal(10) ** 14
_HUNDRED = Decimal(100)
_EXACT = 60
"""Digits enough for any product of quantity, price, discount and tax."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Priced lines and what they add up to, exactly."""

    lines: tuple[LineItem, ...]
    net: Money
    tax: Money
    total: Money


def priced(
    lines: Sequence[QuoteLine],
    products: Mapping[str, Product],
    book: PriceBook | None,
    currency: str | None,
    day: date,
) -> Offer:
    """Price the lines: discount and tax are rounded half up, line by line, and totals are sums.

    Raises:
        Invalid: a line has no price or description, or the currency is not known; names all.
    """
    found: list[FieldViolation] = []
    money = currency or (book.latest.currency if book else None)
    if money is None:
        raise Invalid.one("currency", "is needed where there is no price book")
    prices = book.prices if book and book.holds_on(day) and book.latest.currency == money else {}
    items = []
    for place, line in enumerate(lines):
        at = f"lines.{place}"
        product = products[line.product_id].description if line.product_id else None
        unit_price = line.unit_price
        if unit_price is None:
            unit_price = prices.get(line.product_id or "")
        if unit_price is None:
            found.append(FieldViolation(f"{at}.unit_price", f"no price in {money} is known"))
        description = line.description or (product.name if product else None)
        if description is None:
            found.append(FieldViolation(f"{at}.description", "is needed without a product"))
        if unit_price is None or description is None:
            continue
        tax_percent = line.tax_percent
        if tax_percent is None:
            tax_percent = (product.tax_percent if product else None) or Decimal(0)
        net, tax = _net_and_tax(line, unit_price, tax_percent, MINOR_UNITS[money])
        if net + tax >= _BEYOND_COUNTING:
            found.append(FieldViolation(at, "is beyond counting"))
            continue
        items.append(
            LineItem(
                product_id=line.product_id,
                description=description,
                quantity=line.quantity,
                unit=line.unit or (product.unit if product else None),
                unit_price=unit_price,
                discount_percent=line.discount_percent,
                tax_percent=tax_percent,
                net=net,
                tax=tax,
                total=net + tax,
            )
        )
    if not found and sum(item.total for item in items) >= _BEYOND_COUNTING:
        found.append(FieldViolation("lines", "add up beyond counting"))
    if found:
        raise Invalid(found)
    return Offer(
        lines=tuple(items),
        net=Money.of(sum(item.net for item in items), money),
        tax=Money.of(sum(item.tax for item in items), money),
        total=Money.of(sum(item.total for item in items), money),
    )


def _net_and_tax(
    line: QuoteLine, unit_price: Decimal, tax_percent: Decimal, decimals: int
) -> tuple[Decimal, Decimal]:
    unit = Decimal(1).scaleb(-decimals)
    with localcontext(prec=_EXACT):
        gross = line.quantity * unit_price
        net = (gross * (_HUNDRED - line.discount_percent) / _HUNDRED).quantize(unit, ROUND_HALF_UP)
        tax = (net * tax_percent / _HUNDRED).quantize(unit, ROUND_HALF_UP)
    return net, tax
