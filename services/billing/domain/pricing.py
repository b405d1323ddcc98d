"""Prices: what lines cost, with discount and tax, rounded line by line as it is printed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Protocol

from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.values import MINOR_UNITS, LineItem, Money

__all__ = ["BEYOND_COUNTING", "Price", "priced", "without_lines"]

BEYOND_COUNTING = Decimal(10) ** 14
"""The first amount that no document states."""
_EXACT = 60
"""Digits enough for any product of quantity, price, discount and tax."""


class AgreedLine(Protocol):
    """A line as the parties put it."""

    @property
    def product_id(self) -> str | None: ...
    @property
    def description(self) -> str: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def unit(self) -> str | None: ...
    @property
    def unit_price(self) -> Decimal: ...
    @property
    def discount_percent(self) -> Decimal: ...
    @property
    def tax_percent(self) -> Decimal: ...


@dataclass(frozen=True, kw_only=True)
class Price:
    """What is to be paid, and for what."""

    lines: tuple[LineItem, ...] = ()
    net: Money
    tax: Money
    total: Money

    def part(self, total: Money) -> "Price":
        """Return a part of this price, taxed in the same proportion."""
        if not self.total.amount:
            return without_lines(total)
        net = total.times(self.net.amount / self.total.amount)
        return Price(net=net, tax=total - net, total=total)


def priced(lines: Sequence[AgreedLine], currency: str) -> Price:
    """Return what the lines cost.

    Raises:
        Invalid: a line, or all of them together, cost more than can be counted.
    """
    with localcontext(prec=_EXACT):
        costs = [_cost(line, currency) for line in lines]
    beyond = [place for place, (net, tax) in enumerate(costs) if net + tax >= BEYOND_COUNTING]
    if beyond:
        raise Invalid([FieldViolation(f"lines.{place}", "is beyond counting") for place in beyond])
    if sum(net + tax for net, tax in costs) >= BEYOND_COUNTING:
        raise Invalid.one("lines", "add up beyond counting")
    items = tuple(_item(line, *cost) for line, cost in zip(lines, costs, strict=True))
    return Price(
        lines=items,
        net=_sum((item.net for item in items), currency),
        tax=_sum((item.tax for item in items), currency),
        total=_sum((item.total for item in items), currency),
    )


def without_lines(total: Money) -> Price:
    """Return a price that says nothing of lines or tax."""
    return Price(net=total, tax=Money.zero(total.currency), total=total)


def _cost(line: AgreedLine, currency: str) -> tuple[Decimal, Decimal]:
    """Return net and tax, each rounded half up to what can be paid."""
    unit = Decimal(1).scaleb(-MINOR_UNITS[currency])
    net = line.unit_price * line.quantity * (1 - line.discount_percent / 100)
    net = net.quantize(unit, ROUND_HALF_UP)
    return net, (net * line.tax_percent / 100).quantize(unit, ROUND_HALF_UP)


def _item(line: AgreedLine, net: Decimal, tax: Decimal) -> LineItem:
    return LineItem(
        product_id=line.product_id,
        description=line.description,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        tax_percent=line.tax_percent,
        net=net,
        tax=tax,
        total=net + tax,
    )


def _sum(amounts: Iterable[Decimal], currency: str) -> Money:
    return Money.of(sum(amounts, Decimal(0)), currency)
