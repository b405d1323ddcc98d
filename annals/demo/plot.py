"""The plot: what all lives of one story share."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from annals.demo.act import Script
from annals.demo.cast import Cast, Prospect
from annals.demo.company import BOOKS, PRODUCTS, REGIONS, Product, Region
from annals.demo.diary import Deck

__all__ = ["Customer", "Lead", "Offer", "Plot", "money", "share"]

_CENT = Decimal("0.01")
_SETTLED = timedelta(days=10)


@dataclass(frozen=True)
class Lead:
    """A prospect on the way through the sales team."""

    script: Script
    region: Region
    prospect: Prospect
    id: str
    channel: str
    campaign: str | None
    pool: str | None
    """The pool it waits in; None when the rota gives it to somebody."""

    def say(self, phrases: Any) -> str:
        """Return something in the prospect's language."""
        return str(self.script.rng.choice(phrases[self.prospect.language]))


@dataclass(frozen=True)
class Customer:
    """A lead that became a customer."""

    lead: Lead
    account_id: str
    contact_id: str
    rep: str
    since: datetime


@dataclass(frozen=True)
class Offer:
    """What is offered, with what it adds up to."""

    lines: tuple[dict[str, Any], ...]
    products: tuple[Product, ...]
    currency: str
    total: Decimal

    @property
    def book(self) -> str:
        """The price book it is made from."""
        return BOOKS[self.currency]


class Plot:
    """Seed, span and cast of a story, whose turn it is, and which endings come next.

    Args:
        seed: gives the same story whenever it is told.
        leads: how many prospects there are.
        days: how long it lasts.
        until: the day on which it ends, at midnight UTC.
    """

    def __init__(self, seed: int, leads: int, days: int, until: date) -> None:
        self.seed = seed
        self.leads = leads
        self.ends = datetime.combine(until, time(), UTC)
        self.begins = self.ends - timedelta(days=days)
        self.rng = Random(f"{seed}/plot")
        self.cast = Cast(self.rng)
        self.customers: list[Customer] = []
        self.dormant: list[Lead] = []
        self.scripts: list[Script] = []
        self.claims: Counter[tuple[str, date]] = Counter()
        self._turns: defaultdict[str, int] = defaultdict(int)
        self._decks: dict[str, Deck[Any]] = {}

    def script(self, name: str, begins: datetime, region: Region) -> Script:
        """Begin a script."""
        script = Script(self.seed, name, begins, region.place)
        self.scripts.append(script)
        return script

    def draw(self, deck: str, weights: Sequence[tuple[str, float]]) -> str:
        """Draw an ending from a deck that lasts for the whole story."""
        if deck not in self._decks:
            self._decks[deck] = Deck(self.rng, weights)
        return str(self._decks[deck].draw())

    def region(self) -> Region:
        """Return where the next prospect is from."""
        (region,) = self.rng.choices(REGIONS, [region.share for region in REGIONS])
        return region

    def next_in_turn(self, region: Region) -> str:
        """Return to whom the region's rota gives its next lead."""
        turn = self._turns[region.key]
        self._turns[region.key] += 1
        return region.reps[turn % len(region.reps)]

    def reps(self) -> Iterator[str]:
        """Yield everybody who sells, region by region."""
        for region in REGIONS:
            yield from region.reps

    def customer_before(self, moment: datetime) -> Customer | None:
        """Return somebody who had been a customer for some days by then, if there is one."""
        known = [one for one in self.customers if one.since < moment - _SETTLED]
        return self.rng.choice(known) if known else None

    def offer(self, rng: Random, currency: str, *, service: bool = False) -> Offer:
        """Make up an offer: instruments with what belongs to them, or a service agreement."""
        if service:
            chosen = [(rng.choice(PRODUCTS[-2:]), rng.randint(1, 3))]
        else:
            instrument = rng.choice(PRODUCTS[:6])
            chosen = [(instrument, rng.choice((1, 1, 1, 1, 2, 3)))]
            extras = [(PRODUCTS[6], rng.randint(1, 8)), *((one, 1) for one in PRODUCTS[7:])]
            chosen += rng.sample(extras, rng.randint(0, 2))
        discount = Decimal(rng.choice((0, 0, 3, 5, 5, 8, 10)))
        lines, total = [], Decimal(0)
        for product, quantity in chosen:
            tax = product.tax if currency == "CNY" else Decimal(0)
            lines.append(
                {
                    "product_id": product.id,
                    "quantity": str(quantity),
                    "discount_percent": str(discount),
                    "tax_percent": str(tax),
                }
            )
            gross = product.price(currency) * quantity
            net = _round(gross * (100 - discount) / 100)
            total += net + _round(net * tax / 100)
        return Offer(tuple(lines), tuple(product for product, _ in chosen), currency, total)


def money(amount: Decimal, currency: str) -> dict[str, str]:
    """Return an amount as requests spell it."""
    return {"amount": str(amount.quantize(_CENT)), "currency": currency}


def share(amount: Decimal, percent: int) -> Decimal:
    """Return a part of an amount that can be paid."""
    return _round(amount * percent / 100)


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
