"""Prices: what lines cost, with discount and tax, rounded line by line as it is printed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from shared.events.values import LineItem, Money

__all__ = ["Price", "priced", "without_lines"]


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
    """Return what the lines cost."""
    items = tuple(_item(line, currency) for line in lines)
    return Price(
        lines=items,
        net=_sum((item.net for item in items), currency),
        tax=_sum((item.tax for item in items), currency),
        total=_sum((item.total for item in items), currency),
    )


def without_lines(total: Money) -> Price:
    """Return a price that says nothing of lines or tax."""
    return Price(net=total, tax=Money.zero(total.currency), total=total)


def _item(line: AgreedLine, currency: str) -> LineItem:
    kept = 1 - line.discount_percent / 100
    net = Money.of(line.unit_price, currency).times(line.quantity * kept)
    tax = net.times(line.tax_percent / 100)
    return LineItem(
        product_id=line.product_id,
        description=line.description,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        tax_percent=line.tax_percent,
        net=net.amount,
        tax=tax.amount,
        total=(net + tax).amount,
    )


def _sum(amounts: Iterable[Decimal], currency: str) -> Money:
    return Money.of(sum(amounts, Decimal(0)), currency)
