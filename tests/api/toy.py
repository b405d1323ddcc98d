"""A small but complete context of its own: a library that lends books."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Column, Integer, MetaData, Select, String, Table, select

from shared.chassis.api.rights import RoleRights
from shared.chassis.application import Application, Work
from shared.chassis.service import Service
from shared.chassis.shapes import (
    Answer,
    BrokenRule,
    Command,
    Instant,
    Key,
    LimitReached,
    ListQuery,
    NotFound,
    Page,
    Projection,
    Query,
    Reader,
    Row,
    View,
)
from shared.events.base import Event, Recorded, Ref, UnknownTopic

BookId = Annotated[str, Ref("book"), Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]


class Genre(StrEnum):
    NOVEL = "novel"
    ATLAS = "atlas"


class Price(BaseModel):
    amount: Annotated[Decimal, Field(ge=0, decimal_places=2)]
    currency: str = "CNY"


class Chapter(BaseModel):
    title: str
    pages: int = 1
    parts: list["Chapter"] = []


class BookAdded(Event, topic="toy.BookAdded.v1"):
    title: str
    isbn: str | None = None


class BookLent(Event, topic="toy.BookLent.v1"):
    reader: str


class BookReturned(Event, topic="toy.BookReturned.v1"):
    pass


class BookIsLent(BrokenRule):
    sentence = "a book that is lent cannot be lent again"


class TooManyBooks(LimitReached):
    sentence = "nobody may hold so many books"


@dataclass(frozen=True)
class Book:
    lent: bool = False

    @staticmethod
    def evolve(state: "Book | None", event: Event) -> "Book | None":
        match event:
            case BookAdded():
                return Book()
            case BookLent():
                return replace(state, lent=True) if state else None
            case BookReturned():
                return replace(state, lent=False) if state else None
        return state


class AddBook(Command, http="POST /v1/books"):
    """Put a book on the shelf. A second copy needs an ISBN of its own."""

    title: Annotated[str, Field(min_length=1, max_length=200, examples=["红楼梦"])]
    isbn: str | None = None
    """Unique among the books on the shelf."""
    genre: Genre = Genre.NOVEL
    price: Price | None = None
    printed_on: date | None = None
    bought_at: AwareDatetime | None = None
    copies: int = 1
    weight: float | None = None
    loanable: bool = True
    chapters: tuple[Chapter, ...] = ()
    tags: tuple[str, ...] = ()
    translations: Annotated[dict[str, str], Field(default_factory=dict)]
    custom: Annotated[dict[str, Any], Field(default_factory=dict)]


class LendBook(Command, http="POST /v1/books/{book_id}:lend"):
    """Lend a book to a reader."""

    book_id: BookId
    reader: str


class ReturnBook(Command, http="POST /v1/books/{book_id}:return"):
    """Take a book back."""

    book_id: BookId


class BurnBook(Command, http="POST /v1/books/{book_id}:burn"):
    """Always goes wrong."""

    book_id: BookId


class CountBooks(Command):
    """Counts; not on the HTTP surface."""

    book_id: BookId


class ToyApplication(Application):
    context = "toy"

    def add_book(self, command: AddBook) -> Answer:
        book_id = command.new_id("book")

        def decide(work: Work) -> str:
            if command.isbn:
                work.claim("isbn", command.isbn, book_id)
            work.record(book_id, [BookAdded(title=command.title, isbn=command.isbn)])
            return book_id

        return self.commit(command, decide, lambda: {"title": command.title})

    def lend_book(self, command: LendBook) -> Answer:
        def decide(book: Book) -> list[Event]:
            if command.reader == "greedy":
                raise TooManyBooks(held=3)
            if book.lent:
                raise BookIsLent(reader=command.reader, since=date(2026, 1, 2))
            return [BookLent(reader=command.reader)]

        return self.change(Book, command.book_id, decide, command)

    def return_book(self, command: ReturnBook) -> Answer:
        return self.change(
            Book, command.book_id, lambda book: [BookReturned()] if book.lent else [], command
        )

    def burn_book(self, command: BurnBook) -> Answer:
        if command.book_id == "newer":
            raise UnknownTopic("toy.BookBurnt.v2")
        raise RuntimeError("secret words nobody may read")

    def count_books(self, command: CountBooks) -> Answer:
        return Answer(command.book_id, 0, self.log.tip())


books = Table(
    "toy_books",
    MetaData(),
    Column("book_id", String, primary_key=True),
    Column("title", String),
    Column("reader", String),
    Column("version", Integer),
    Column("changed_at", Instant),
)


class Shelf(Projection):
    table, events = books, (BookAdded, BookLent, BookReturned)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> list[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        now = {"version": recorded.version, "changed_at": recorded.occurred_at}
        match recorded.event:
            case BookAdded(title=title):
                return {"book_id": key[0], "title": title, "reader": None, **now}
            case BookLent(reader=reader):
                return {**(row or {}), "reader": reader, **now}
            case _:
                return {**(row or {}), "reader": None, **now}


class BookView(View):
    """A book on the shelf."""

    book_id: BookId
    title: str
    reader: str | None = None
    version: int
    changed_at: AwareDatetime
    """When it last changed hands."""
    price: Price | None = None


class GetBook(Query, http="GET /v1/books/{book_id}"):
    """Look at one book."""

    book_id: BookId
    as_of: AwareDatetime | None = None


class ListBooks(ListQuery, http="GET /v1/books"):
    """List the books on the shelf."""

    genres: tuple[Genre, ...] = ()
    only_lent: bool = False


def _selected() -> Select[Any]:
    return select(books).order_by(books.c.title)


def get_book(query: GetBook, reader: Reader) -> BookView:
    row = reader.connection.execute(_selected().where(books.c.book_id == query.book_id)).first()
    if row is None:
        raise NotFound("book", query.book_id)
    return BookView.model_validate(row._asdict())


def list_books(query: ListBooks, reader: Reader) -> Page[BookView]:
    chosen = _selected().limit(query.page_size)
    if query.only_lent:
        chosen = chosen.where(books.c.reader.is_not(None))
    rows = reader.connection.execute(chosen)
    return Page[BookView](items=[BookView.model_validate(row._asdict()) for row in rows])


SERVICE = Service(
    name="toy",
    description="A library that lends books.",
    application=ToyApplication,
    projections=(Shelf, RoleRights),
    questions=(get_book, list_books),
)
