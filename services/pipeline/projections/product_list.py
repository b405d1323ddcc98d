"""What is on offer."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    MetaData,
    String,
    Table,
)

from shared.chassis.shapes import (
    Amount,
    Instant,
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
from shared.chassis.shapes.telling import found
from shared.events.base import Recorded
from shared.events.pipeline import ProductDefined, ProductRetired
from shared.events.values import ProductId

__all__ = [
    "GetProduct",
    "ListProducts",
    "ProductList",
    "ProductView",
    "get_product",
    "list_products",
]

product_list = Table(
    "product_list",
    MetaData(),
    Column("product_id", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("sku", String),
    Column("category", JSON, nullable=False),
    Column("unit", String, nullable=False),
    Column("specification", String),
    Column("tax_percent", Amount),
    Column("source", String),
    Column("external_id", String),
    Column("retired", Boolean, nullable=False),
    Column("defined_at", Instant, nullable=False),
    Index("product_list_by_name", "name"),
    Index("product_list_by_sku", "sku"),
)


class ProductList(Projection):
    """One row per product as it is described now."""

    table = product_list
    events = (ProductDefined, ProductRetired)

    @staticmethod
    def keys(recorded: Recorded[ProductDefined | ProductRetired]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(
        key: Key, row: Row | None, recorded: Recorded[ProductDefined | ProductRetired]
    ) -> Row | None:
        match recorded.event:
            case ProductDefined() as product:
                return {
                    "product_id": key[0],
                    "version": recorded.version,
                    "name": product.name,
                    "sku": product.sku,
                    "category": list(product.category),
                    "unit": product.unit,
                    "specification": product.specification,
                    "tax_percent": product.tax_percent,
                    "source": product.source,
                    "external_id": product.external_id,
                    "retired": False,
                    "defined_at": recorded.occurred_at,
                }
        return {**row, "version": recorded.version, "retired": True} if row else None


class ProductView(View):
    """A product as it is described now."""

    product_id: str
    version: int
    name: str
    sku: str | None
    category: list[str]
    unit: str
    specification: str | None
    tax_percent: Decimal | None
    source: str | None
    external_id: str | None
    retired: bool
    defined_at: datetime


class GetProduct(Query, http="GET /v1/products/{product_id}"):
    """Show a product."""

    product_id: ProductId


class ListProducts(ListQuery, http="GET /v1/products"):
    """List products by name, retired ones included: filter on `retired`."""


def get_product(query: GetProduct, reader: Reader) -> ProductView:
    return found(reader, product_list, ProductView, "product", query.product_id)


def list_products(query: ListProducts, reader: Reader) -> Page[ProductView]:
    return listed(query, reader, product_list, ProductView, order_by="name")
