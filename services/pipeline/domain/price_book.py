"""What things cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.pipeline.commands import DefinePriceBook
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.base import Event
from shared.events.pipeline import Price, PriceBookDefined

__all__ = ["STANDARD", "PriceBook"]

STANDARD = "standard-prices"


@dataclass(frozen=True, kw_only=True)
class PriceBook:
    """A list of prices in one currency, with a term if it has one."""

    latest: PriceBookDefined
    prices: Mapping[str, Decimal]

    @staticmethod
    def define(book: "PriceBook | None", command: DefinePriceBook) -> list[Event]:
        """Put in force the first version, or the next one if it differs from the latest."""
        _check(command)
        latest = book.latest if book else None
        wish = PriceBookDefined(
            book_version=latest.book_version if latest else 1,
            name=command.name,
            currency=command.currency,
            prices=tuple(Price(**price.model_dump()) for price in command.prices),
            segment=command.segment,
            valid_from=command.valid_from,
            valid_until=command.valid_until,
        )
        if latest is None:
            return [wish]
        if wish == latest:
            return []
        return [wish.model_copy(update={"book_version": latest.book_version + 1})]

    def holds_on(self, day: date) -> bool:
        begun = self.latest.valid_from is None or self.latest.valid_from <= day
        return begun and (self.latest.valid_until is None or day <= self.latest.valid_until)

    @staticmethod
    def evolve(state: "PriceBook | None", event: Event) -> "PriceBook | None":
        if not isinstance(event, PriceBookDefined):
            return state
        return PriceBook(
            latest=event, prices={price.product_id: price.unit_price for price in event.prices}
        )


def _check(command: DefinePriceBook) -> None:
    priced = [price.product_id for price in command.prices]
    found = [
        FieldViolation(f"prices.{place}.product_id", "has a price already")
        for place, product_id in enumerate(priced)
        if product_id in priced[:place]
    ]
    if command.valid_from and command.valid_until and command.valid_until < command.valid_from:
        found.append(FieldViolation("valid_until", "lies before valid_from"))
    if found:
        raise Invalid(found)
