"""Data scope and field rights: what of a service's rows and columns a reader may see.

A service lays down whose the rows of its tables are (`Guard`). Whoever may not see everything reads
through a `Cut`: every statement is preceded by common table expressions that bear the tables' own
names and hold the visible rows only, with nothing in the columns the reader may not know. So lists,
filters, sorts, totals and single records are cut alike, whatever a question looks like, and what a
service has not guarded is not readable at all.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import (
    CTE,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    MetaData,
    String,
    Table,
    and_,
    cast,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import SelectBase
from sqlalchemy.types import UserDefinedType

from shared.chassis.shapes.command import Actor
from shared.events.workplace import FieldAccess

__all__ = [
    "EVERYTHING",
    "Cut",
    "CutConnection",
    "Guard",
    "Sight",
    "Team",
    "Unguarded",
    "Via",
    "hidden_now",
    "holds",
]

_FLAT = "NOT MATERIALIZED"
_ESCAPED = str.maketrans({'"': r"\"", "\\": r"\\"})
"""What has a meaning inside the quotes of a PostgreSQL array's text."""

hidden_now: ContextVar[Mapping[str, FieldAccess]] = ContextVar("hidden_now")
"""The columns that the question being answered must do without, by name."""


class Unguarded(LookupError):
    """A question reads a table of which the service does not say whose its rows are."""


@dataclass(frozen=True)
class Sight:
    """What somebody may see of the records behind one method.

    Args:
        employees: whose records; None means everybody's.
        fields: what may be done with fields that are restricted, by record and field.
        changes: they are to be changed: of a team, only members who may write see them.
    """

    employees: frozenset[str] | None = None
    fields: frozenset[tuple[str, str, FieldAccess]] = frozenset()
    changes: bool = False

    @cached_property
    def access(self) -> Mapping[tuple[str, str], FieldAccess]:
        """The restricted fields as `{(record, field): access}`."""
        return {(record, name): access for record, name, access in self.fields}

    @cached_property
    def hides(self) -> bool:
        """Whether there is a field the reader may not know."""
        return any(_is_hidden(one) for one in self.access.values())

    @property
    def is_whole(self) -> bool:
        """Whether nothing is kept from the reader."""
        return self.employees is None and not self.hides


EVERYTHING = Sight()
"""The sight of whoever no role restricts."""


class Via(NamedTuple):
    """A row is visible with the row of another table that it names."""

    columns: tuple[str, ...]
    """Of the row."""
    to: tuple[Column[Any], ...]
    """Of the other table, which is guarded itself."""
    few: bool = False
    """The other table is small: its visible keys are listed once and looked up by index."""


class Team(NamedTuple):
    """A row is visible to the members of its team, and some of them may change it, too."""

    key: Column[Any]
    """Of a table of members: the row's key."""
    member: Column[Any]
    """The employee."""
    writes: tuple[Column[Any], str]
    """A column, and what it says of a member who may write."""


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Whose the rows of a table are. Any one of the reasons makes a row visible.

    Args:
        table: the table.
        record: the kind of record, as field rights name it.
        everyone: whoever may ask may see all rows.
        owners: columns that hold the employee whose row it is.
        members: JSON columns with a list of employees.
        team: a table of members.
        via: visible with another row.
        when: a further condition that makes a row visible to somebody.
        withheld: hidden, whatever else holds, when it names another row that is hidden.
        fields: columns that tell a field of another record, `{"won_amount": "opportunity.amount"}`.
        open_to: commands that say themselves who may use them on a row, seen or not.
    """

    table: Table
    record: str
    everyone: bool = False
    owners: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    team: Team | None = None
    via: tuple[Via, ...] = ()
    when: Callable[[Table, Actor], ColumnElement[bool]] | None = None
    withheld: tuple[Via, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    open_to: frozenset[str] = frozenset()

    def hidden(self, sight: Sight) -> dict[str, FieldAccess]:
        """Return the columns a reader may not know, and whether they are none or masked."""
        keys = {column.name for column in self.table.primary_key.columns}
        found = {}
        for column in self.table.columns:
            record, _, name = self.fields.get(
                column.name, f"{self.record}.{column.name}"
            ).partition(".")
            access = sight.access.get((record, name), FieldAccess.EDIT)
            if _is_hidden(access) and column.name not in keys:
                found[column.name] = access
        return found

    def needs(self) -> Iterator[Table]:
        """Return the guarded tables this one's visibility depends on."""
        for via in (*self.via, *self.withheld):
            yield via.to[0].table

    def visible(
        self,
        raw: Callable[[Table], Table],
        reader: Actor,
        employees: Iterable[str],
        *,
        changes: bool,
    ) -> ColumnElement[bool]:
        """Return the condition that a row is visible.

        Args:
            raw: gives a table with all its rows.
            reader: who asks.
            employees: whose rows they may see.
            changes: they are to be changed.
        """
        rows = raw(self.table)
        reasons: list[ColumnElement[bool]] = [true()] if self.everyone else []
        if self.owners:
            known = literal(sorted(employees), _Names())
            reasons += [_OneOf(rows.c[name], known) for name in self.owners]
        reasons += [holds(rows.c[name], reader.id) for name in self.members]
        if self.team is not None:
            key, member, (access, write) = self.team
            others = raw(key.table)
            (own,) = rows.primary_key.columns
            mine = select(literal(1)).where(
                others.c[key.name] == own, others.c[member.name] == reader.id
            )
            if changes:
                mine = mine.where(others.c[access.name] == write)
            reasons.append(mine.correlate(rows).exists())
        reasons += [_beside(rows, via, via.to) for via in self.via]
        if self.when is not None:
            reasons.append(self.when(rows, reader))
        known_or_strange = [
            or_(
                _beside(rows, via, via.to),
                not_(_beside(rows, via, [raw(c.table).c[c.name] for c in via.to])),
            )
            for via in self.withheld
        ]
        return and_(or_(false(), *reasons), *known_or_strange)


class Cut:
    """What one reader may see of a service's tables.

    Args:
        guards: of the service, by table.
        reader: who asks.
        sight: what they may see.
    """

    def __init__(self, guards: Mapping[Table, Guard], reader: Actor, sight: Sight) -> None:
        self._guards = guards
        self._reader = reader
        self._sight = sight
        self._tables: dict[tuple[Table, str], CTE] = {}
        self._cut: WeakKeyDictionary[SelectBase, dict[str, SelectBase]] = WeakKeyDictionary()

    def over(self, connection: Connection) -> "CutConnection":
        """Return a connection that reads only what is visible."""
        return CutConnection(connection, self)

    def hidden(self, table: Table) -> frozenset[str]:
        """Return the columns of a table that the reader may not know."""
        guard = self._guards.get(table)
        return frozenset(guard.hidden(self._sight)) if guard else frozenset()

    @cached_property
    def names(self) -> Mapping[str, FieldAccess]:
        """Every hidden column by name."""
        found: dict[str, FieldAccess] = {}
        if self._sight.access:
            for guard in self._guards.values():
                found |= guard.hidden(self._sight)
        return found

    @property
    def restricted(self) -> list[str]:
        """The fields that are hidden, `lead.phones`."""
        return sorted(
            f"{record}.{name}"
            for (record, name), access in self._sight.access.items()
            if _is_hidden(access)
        )

    def said(self, record: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a fact says, without what the reader may not know.

        Facts name things in their own words. So of a record with hidden fields, what its facts say
        is told only where it is a field of the record that is not hidden; and a name that is hidden
        of any record is left out of all facts.

        Args:
            record: the kind of record the fact happened to.
            data: its payload.
        """
        hidden = {name for (_, name), one in self._sight.access.items() if _is_hidden(one)}
        told = _without(data, hidden | self.names.keys()) if hidden else dict(data)
        if any(kind == record and _is_hidden(one) for (kind, _), one in self._sight.access.items()):
            known = {
                column.name
                for guard in self._guards.values()
                if guard.record == record
                for column in guard.table.columns
            }
            told = {name: value for name, value in told.items() if name in known}
        return told

    @contextmanager
    def doing_without(self) -> Iterator[None]:
        """Let views be made without the hidden columns inside the block."""
        token = hidden_now.set(self.names)
        try:
            yield
        finally:
            hidden_now.reset(token)

    def apply(self, statement: SelectBase, schema: str) -> SelectBase:
        """Return a statement that sees the visible rows only.

        Args:
            statement: any select.
            schema: where the tables stand.

        Raises:
            Unguarded: it reads a table without a guard.
        """
        known = self._cut.setdefault(statement, {})
        if schema not in known:
            read = {one for one in visitors.iterate(statement) if isinstance(one, Table)}
            known[schema] = statement.add_cte(
                *(self._table(table, schema) for table in self._ordered(read))
            )
        return known[schema]

    def _ordered(self, read: Iterable[Table]) -> list[Table]:
        """Return the tables and what they depend on, what is depended on first."""
        found: list[Table] = []

        def visit(table: Table) -> None:
            if table in found:
                return
            guard = self._guards.get(table)
            if guard is None:
                raise Unguarded(table.name)
            if self._sight.employees is not None:
                for one in guard.needs():
                    visit(one)
            found.append(table)

        for table in sorted(read, key=lambda one: one.name):
            visit(table)
        return found

    def _table(self, table: Table, schema: str) -> CTE:
        place = (table, schema)
        if place not in self._tables:
            guard, hidden = self._guards[table], self._guards[table].hidden(self._sight)
            rows = _raw(table, schema)
            columns = [
                cast(null(), c.type).label(c.name) if c.name in hidden else c for c in rows.columns
            ]
            visible = select(*columns)
            if self._sight.employees is not None:
                visible = visible.where(
                    guard.visible(
                        lambda one: _raw(one, schema),
                        self._reader,
                        self._sight.employees,
                        changes=self._sight.changes,
                    )
                )
            made = visible.select_from(rows).cte(table.name)
            for dialect in ("postgresql", "sqlite"):
                made = made.prefix_with(_FLAT, dialect=dialect)
            self._tables.setdefault(place, made)
        return self._tables[place]


class CutConnection(Connection):
    """A connection that executes selects on the visible rows, and nothing else.

    Args:
        whole: the connection to all rows.
        cut: what is visible.
    """

    def __init__(self, whole: Connection, cut: Cut) -> None:
        self.whole = whole
        self._by = cut
        self._place = whole.dialect.default_schema_name or "main"

    def execute(self, statement: Any, parameters: Any = None, **_options: Any) -> Any:
        """Execute a select; see `Connection.execute`.

        Raises:
            Unguarded: it reads a table without a guard.
            TypeError: it is no select.
        """
        if not isinstance(statement, SelectBase):
            raise TypeError("only selects can be cut to what a reader may see")
        cut: Any = self._by.apply(statement, self._place)
        return self.whole.execute(cut, parameters)


def _is_hidden(access: FieldAccess) -> bool:
    return access in {FieldAccess.NONE, FieldAccess.MASKED}


def _without(value: Any, names: Collection[str]) -> Any:
    """Return a JSON value without the fields of these names, however deep they stand."""
    if isinstance(value, Mapping):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    if isinstance(value, list):
        return [_without(one, names) for one in value]
    return value


_RAW: dict[tuple[Table, str], Table] = {}


def _raw(table: Table, schema: str) -> Table:
    """Return a table by its full name, which no common table expression can have."""
    place = (table, schema)
    found = _RAW.get(place)
    if found is None:  # threads must agree on one: two in a statement would be two tables
        found = _RAW.setdefault(place, table.to_metadata(MetaData(), schema=schema))
    return found


def holds(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    """Whether a JSON column's text holds a value's; `replace` minds case on every database."""
    text = cast(column, String)
    return func.replace(text, orjson.dumps(value).decode(), "") != text


class _Names(UserDefinedType[Sequence[str]]):
    """Names as one parameter: a statement stays short, however many there are."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """Write them as an array's text on PostgreSQL, and as JSON elsewhere."""
        return _as_array if dialect.name == "postgresql" else _as_json


def _as_array(names: Sequence[str]) -> str:
    return "{" + ",".join(f'"{name.translate(_ESCAPED)}"' for name in names) + "}"


def _as_json(names: Sequence[str]) -> str:
    return orjson.dumps(names).decode()


class _OneOf(FunctionElement[bool]):
    """Whether a column's value is among names that are one parameter."""

    inherit_cache = True
    type = Boolean()


@compiles(_OneOf)
def _in_json(element: _OneOf, compiler: Any, **options: Any) -> str:
    column, names = element.clauses
    listed = select(func.json_each(names).table_valued("value").c.value)
    return str(compiler.process(column.in_(listed), **options))


@compiles(_OneOf, "postgresql")
def _in_array(element: _OneOf, compiler: Any, **options: Any) -> str:
    column, names = (compiler.process(one, **options) for one in element.clauses)
    return f"{column} = ANY(CAST({names} AS TEXT[]))"


class _Among(FunctionElement[bool]):
    """Whether a column's value is among those of a select, so that its index can be used."""

    inherit_cache = True
    type = Boolean()


@compiles(_Among)
def _in(element: _Among, compiler: Any, **options: Any) -> str:
    column, listed = element.clauses
    return f"{compiler.process(column, **options)} IN {compiler.process(listed, **options)}"


@compiles(_Among, "postgresql")
def _any(element: _Among, compiler: Any, **options: Any) -> str:
    column, listed = element.clauses
    there = compiler.process(listed, **options)
    return f"{compiler.process(column, **options)} = ANY(ARRAY{there})"


def _beside(rows: Table, via: Via, to: Iterable[ColumnElement[Any]]) -> ColumnElement[bool]:
    """Whether there is a row of the other table that this row names."""
    if via.few:
        return _Among(rows.c[via.columns[0]], select(*to).scalar_subquery())
    pairs = zip(via.columns, to, strict=True)
    there = select(literal(1)).where(*(rows.c[mine] == other for mine, other in pairs))
    return there.correlate(rows).exists()
