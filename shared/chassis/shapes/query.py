"""Queries: questions to a context's read models, answered by functions beside their projection."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    Protocol,
    Self,
    TypeVar,
    get_args,
    get_type_hints,
)

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Connection, Select

from shared.chassis.shapes.blanks import filled
from shared.chassis.shapes.command import Actor, Request
from shared.chassis.shapes.errors import Invalid
from shared.chassis.shapes.guard import Cut, hidden_now

__all__ = [
    "ListQuery",
    "Listed",
    "Mapped",
    "Opened",
    "Page",
    "Past",
    "PastQuery",
    "Query",
    "Question",
    "Reader",
    "View",
]

V = TypeVar("V", bound="View")
T = TypeVar("T")

Listed = Annotated[list[T], BeforeValidator(lambda rows: [] if rows is None else rows)]
"""A list in a view; a column that holds none gives an empty one."""
Mapped = Annotated[dict[str, T], BeforeValidator(lambda found: {} if found is None else found)]
"""A map in a view; a column that holds none gives an empty one."""

Past = Literal["occurred", "recorded"]
"""Business time, or the time of recording."""


class View(BaseModel):
    """A query's answer, or one item of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Make a view of a row; what is hidden from the reader is left out, or shown as masked."""
        hidden = hidden_now.get(None)
        if hidden:
            return filled(cls, obj, hidden)
        return super().model_validate(obj, **options)


class Page(View, Generic[V]):
    """One page of a list."""

    items: list[V]
    next_page_token: str | None = None
    """Pass it as `page_token` for the next page; absent on the last."""


class Query(Request):
    """A question. `min_position` makes the answer wait until it knows that much of a log."""

    min_position: Annotated[str | None, Field(pattern=r"^[a-z]+:\d{1,18}$")] = None
    """`<context>:<position>` as answered by a command: read your writes."""


class ListQuery(Query):
    """A question for many rows.

    `filter` is a conjunction of comparisons in the manner of Google's AIP-160: `status = "new" AND
    score >= 50 AND name : "王"`; `order_by` up to four keys: `score desc, name`.
    """

    filter: Annotated[str | None, Field(max_length=2000)] = None
    order_by: Annotated[str | None, Field(max_length=200)] = None
    page_size: Annotated[int, Field(ge=1, le=500)] = 50
    page_token: Annotated[str | None, Field(max_length=1000)] = None
    fields: Annotated[str | None, Field(max_length=2000)] = None
    """Which fields of each row to answer, all when left out: `name, phones`."""

    def chosen(self, view: type[BaseModel]) -> frozenset[str] | None:
        """Return which fields of a row's view are wanted; None for all.

        Raises:
            Invalid: it has no field of a name.
        """
        names = [name.strip() for name in (self.fields or "").split(",")]
        wanted = frozenset(filter(None, names))
        if unknown := sorted(wanted - view.model_fields.keys()):
            known = ", ".join(sorted(view.model_fields))
            raise Invalid.one("fields", f"no field {unknown[0]!r}; known: {known}")
        return wanted or None


class PastQuery(Query):
    """A question that can also be asked of a past moment."""

    as_of: AwareDatetime | None = None
    """Answer as it was at this moment; now, when left out."""
    time: Past = "occurred"
    """Whether `as_of` means when things happened, or when they were recorded."""


class Looking(Protocol):
    """Opens read models as they were; `shared.chassis.projections.past` does it."""

    def at(
        self, live: Connection, moment: datetime, time: Past, about: Iterable[str] | None
    ) -> AbstractContextManager[Connection]:
        """Return a connection to the read models of that moment."""
        ...


class Reading(Protocol):
    """Connections to the read models; `shared.chassis.reading` has them."""

    @property
    def snapshot(self) -> Connection:
        """A connection that sees the same moment from the first statement to the last."""
        ...

    def single(self) -> AbstractContextManager[Connection]:
        """Open a connection for one statement, which sees one moment by itself."""
        ...

    def kept(self, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        """Run one statement that is made once."""
        ...


class Opened(NamedTuple):
    """A connection that is open and sees one moment."""

    snapshot: Connection

    def single(self) -> AbstractContextManager[Connection]:
        """Give the connection."""
        return nullcontext(self.snapshot)

    def kept(self, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        """Run a statement."""
        return self.snapshot.execute(statement, values).all()


@dataclass(frozen=True, slots=True)
class Reader:
    """What a query function may use: a consistent read of the views, and who asks when.

    It reads what the actor may see: all of it, or what a `Cut` leaves.
    """

    reading: Reading
    actor: Actor
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    hindsight: Looking | None = None
    cut: Cut | None = None

    tells: bool = False
    """Whether an answer may be the text of its JSON, as `shared.chassis.shapes.telling` has it."""

    @property
    def connection(self) -> Connection:
        """One consistent snapshot of what the actor may see."""
        return self._cut(self.reading.snapshot)

    def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """Return the rows of one statement; it sees one moment, but none that others share.

        For questions that read once, or whose reads need not fit together.
        """
        with self.reading.single() as connection:
            return self._cut(connection).execute(statement).all()

    def kept(self, statement: Select[Any], **values: Any) -> Sequence[Any]:
        """Return the rows of one statement that is made once and asked again and again.

        It sees one moment, as `rows` does.

        Args:
            statement: the same object every time.
            values: of its named parameters.
        """
        if self.cut is None:
            return self.reading.kept(statement, values)
        with self.reading.single() as connection:
            rows: Sequence[Any] = self.cut.over(connection).execute(statement, values).all()
        return rows

    def seeing(self) -> "Reader":
        """Return a reader whose answers are views, for a question that goes on to change them."""
        return replace(self, tells=False)

    @contextmanager
    def at(self, query: PastQuery, about: Iterable[str] | None = None) -> Iterator["Reader"]:
        """Open the read models at the moment the query asks for: these, or those of the past.

        Args:
            query: says the moment.
            about: ids the answer depends on, when it is about few; None for all.
        """
        if query.as_of is None:
            yield self
            return
        if self.hindsight is None:
            raise LookupError("this service keeps no facts to look back on")
        live = self.reading.snapshot
        with self.hindsight.at(live, query.as_of, query.time, about) as then:
            yield replace(self, reading=Opened(then), now=query.as_of, tells=False)

    def _cut(self, connection: Connection) -> Connection:
        return self.cut.over(connection) if self.cut else connection


@dataclass(frozen=True, slots=True)
class Question:
    """A query function with the types it takes and gives, read from its annotations."""

    name: str
    query: type[Query]
    view: Any
    answer: Callable[[Any, Reader], Any]

    @classmethod
    def of(cls, function: Callable[[Any, Reader], Any]) -> "Question":
        """Read the annotations of `function(query: Q, reader: Reader) -> View`."""
        hints = get_type_hints(function)
        first = next(name for name in hints if name not in {"reader", "return"})
        return cls(function.__name__, hints[first], hints["return"], function)

    def chosen(self, query: Query) -> frozenset[str] | None:
        """Return the fields of each row that a query wants; None for all.

        Raises:
            Invalid: a row has no field of a name.
        """
        if not (isinstance(query, ListQuery) and query.fields):
            return None
        (row,) = get_args(self.view.model_fields["items"].annotation)
        return query.chosen(row)
