"""What is sold."""

from dataclasses import dataclass, replace

from services.pipeline.commands import ChangeProduct, DefineProduct, RetireProduct
from shared.chassis.shapes import BrokenRule
from shared.events.base import Event
from shared.events.pipeline import ProductDefined, ProductRetired

__all__ = ["Product", "ProductIsRetired"]


class ProductIsRetired(BrokenRule):
    sentence = "The product is no longer on offer."


@dataclass(frozen=True, kw_only=True)
class Product:
    """Something the company offers, until it is taken off the offer."""

    description: ProductDefined
    retired: bool = False

    @staticmethod
    def define(command: DefineProduct) -> list[Event]:
        return [
            ProductDefined(
                name=command.name,
                sku=command.sku,
                category=command.category or (),
                unit=command.unit or "piece",
                specification=command.specification,
                tax_percent=command.tax_percent,
                source=command.source,
                external_id=command.external_id,
            )
        ]

    def change(self, command: ChangeProduct) -> list[Event]:
        wishes = command.model_dump(exclude_none=True, exclude={"product_id"})
        after = self.description.model_copy(update=wishes)
        return [after] if after != self.description or self.retired else []

    def retire(self, command: RetireProduct) -> list[Event]:
        return [] if self.retired else [ProductRetired(reason=command.reason)]

    def must_be_on_offer(self, product_id: str) -> None:
        if self.retired:
            raise ProductIsRetired(product_id=product_id)

    @staticmethod
    def evolve(state: "Product | None", event: Event) -> "Product | None":
        match event:
            case ProductDefined():
                return Product(description=event)
            case ProductRetired() if state is not None:
                return replace(state, retired=True)
        return state
