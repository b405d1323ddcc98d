"""A list with a column of every kind, and a way to ask it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Float,
    Integer,
    MetaData,
    String,
    Table,
)

from shared.chassis.database import Database
from shared.chassis.projections.rows import rows_of
from shared.chassis.reading import Reading
from shared.chassis.shapes import Amount, Instant, ListQuery, Page, Reader, View
from shared.chassis.shapes.columns import portable
from shared.chassis.shapes.listing import listed
from shared.chassis.shapes.query import Opened
from shared.chassis.shapes.telling import TELLS
from shared.chassis.testing import TESTER

shelf = portable(
    Table(
        "shelf",
        MetaData(),
        Column("id", String, primary_key=True),
        Column("title", String),
        Column("pages", Integer),
        Column("price", Amount),
        Column("weight", Float),
        Column("lent", Boolean),
        Column("bought_on", Date),
        Column("read_at", Instant),
        Column("tags", JSON),
        Column("cost", Amount),
    )
)


class Book(View):
    id: str


class Shelf:
    """Books in a database of their own."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], database: Database) -> None:
        self.database = database
        with self.database.transaction() as connection:
            shelf.create(connection)
        self.add(rows)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self.database.transaction() as connection:
            rows_of(shelf, connection).write(connection, [((row["id"],), row) for row in rows])

    def remove(self, ids: Sequence[str]) -> None:
        with self.database.transaction() as connection:
            connection.execute(shelf.delete().where(shelf.c.id.in_(ids)))

    def page(self, *, own_order: str = "", **query: Any) -> Page[Book]:
        """Return a page; on PostgreSQL it must be the same when the database tells its rows."""

        def asked(reader: Reader) -> Any:
            hidden = frozenset({"cost"})
            return listed(
                ListQuery(**query), reader, shelf, Book, order_by=own_order, hidden=hidden
            )

        with self.database.read() as connection:
            seen: Page[Book] = asked(Reader(Opened(connection), TESTER))
        if self.database.dialect != TELLS:
            return seen
        with Reading(self.database) as reading:
            told = Page[Book].model_validate_json(asked(Reader(reading, TESTER, tells=True)))
        assert told.items == seen.items
        assert (told.next_page_token is None) == (seen.next_page_token is None)
        return told

    def ids(self, **query: Any) -> list[str]:
        return [book.id for book in self.page(**query).items]


@contextmanager
def books(rows: Sequence[Mapping[str, Any]], database: Database | None = None) -> Iterator[Shelf]:
    """Put books on a shelf for a while."""
    opened = Shelf(rows, database or Database.sqlite(None))
    try:
        yield opened
    finally:
        opened.database.close()


BOOKS: Sequence[Mapping[str, Any]] = (
    {
        "id": "a",
        "title": "红楼梦",
        "pages": 120,
        "price": Decimal("19.90"),
        "weight": 0.5,
        "lent": True,
        "bought_on": date(2024, 3, 15),
        "read_at": datetime(2024, 5, 1, 12, tzinfo=UTC),
        "tags": ["经典", "novel", 7],
        "cost": Decimal(3),
    },
    {
        "id": "b",
        "title": 'The "Odd" 100%_/\\ Book',
        "pages": 80,
        "price": Decimal("5.0001"),
        "weight": 1.5,
        "lent": False,
        "bought_on": date(2023, 12, 31),
        "read_at": datetime(2023, 5, 1, 12, tzinfo=UTC),
        "tags": ['say "hi"', "100%"],
        "cost": Decimal(2),
    },
    {"id": "c", "title": "robert'); DROP TABLE shelf;--", "pages": 0, "tags": []},
    {"id": "d"},
)
