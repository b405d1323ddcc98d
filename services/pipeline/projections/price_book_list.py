"""What things cost."""

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import JSON, BigInteger, Column, Date, Integer, MetaData, String, Table

from shared.chassis.shapes import (
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
from shared.events.pipeline import Price, PriceBookDefined
from shared.events.values import PriceBookId

__all__ = [
    "GetPriceBook",
    "ListPriceBooks",
    "PriceBookList",
    "PriceBookView",
    "get_price_book",
    "list_price_books",
]

price_book_list = Table(
    "price_book_list",
    MetaData(),
    Column("price_book_id", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("book_version", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("prices", JSON, nullable=False),
    Column("segment", String),
    Column("valid_from", Date),
    Column("valid_until", Date),
    Column("defined_at", Instant, nullable=False),
)


class PriceBookList(Projection):
    """One row per price book in its latest version."""

    table = price_book_list
    events = (PriceBookDefined,)

    @staticmethod
    def keys(recorded: Recorded[PriceBookDefined]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[PriceBookDefined]) -> Row | None:
        del row
        book = recorded.event
        return {
            "price_book_id": key[0],
            "version": recorded.version,
            "book_version": book.book_version,
            "name": book.name,
            "currency": book.currency,
            "prices": [price.model_dump(mode="json") for price in book.prices],
            "segment": book.segment,
            "valid_from": book.valid_from,
            "valid_until": book.valid_until,
            "defined_at": recorded.occurred_at,
        }


class PriceBookView(View):
    """A price book in its latest version."""

    price_book_id: str
    version: int
    book_version: int
    name: str
    currency: str
    prices: list[Price]
    segment: str | None
    valid_from: date | None
    valid_until: date | None
    defined_at: datetime


class GetPriceBook(Query, http="GET /v1/price-books/{price_book_id}"):
    """Show a price book."""

    price_book_id: PriceBookId


class ListPriceBooks(ListQuery, http="GET /v1/price-books"):
    """List price books by name."""


def get_price_book(query: GetPriceBook, reader: Reader) -> PriceBookView:
    return found(reader, price_book_list, PriceBookView, "price book", query.price_book_id)


def list_price_books(query: ListPriceBooks, reader: Reader) -> Page[PriceBookView]:
    return listed(query, reader, price_book_list, PriceBookView, order_by="name")
