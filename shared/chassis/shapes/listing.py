"""Lists over a table: filter on any column, up to four sort keys, pages by cursor.

The filter language is a small part of AIP-160: comparisons joined by AND, OR, NOT and parentheses;
`=`, `!=`, `<`, `<=`, `>`, `>=`, and `:` for "contains" (text without regard to case, or an element
of a list). Pages use keyset cursors, so they stay right while rows come and go.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import orjson
from sqlalchemy import (
    JSON,
    Boolean,
    ColumnElement,
    Date,
    Float,
    Integer,
    String,
    Table,
    and_,
    asc,
    cast,
    desc,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.sql import Select

from shared.chassis.shapes.columns import Amount, Instant
from shared.chassis.shapes.errors import Invalid
from shared.chassis.shapes.query import ListQuery, Page, Reader, View
from shared.chassis.shapes.telling import Telling, page_text

__all__ = ["listed"]

V = TypeVar("V", bound=View)

_PLANS = 1024
_SORT_KEYS = 4
_DEPTH = 20
_INTEGERS = range(-(2**63), 2**63)
_AMOUNTS = Decimal(10) ** 14
_TOKEN = re.compile(
    r"""\s*(?:(?P<op><=|>=|!=|=|<|>|:)|(?P<paren>[()])|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>[^\s()<>=!:"]+))"""
)


def listed(
    query: ListQuery,
    reader: Reader,
    table: Table,
    view: type[V],
    *,
    where: Sequence[ColumnElement[bool]] = (),
    order_by: str = "",
    hidden: frozenset[str] = frozenset(),
) -> Page[V]:
    """Return one page of `table` as views: what the question answers, see `telling.first`.

    Args:
        query: filter, order, page size and token; the text of rows has the fields it chooses, views
            have all.
        reader: the read snapshot.
        table: the rows; its primary key breaks ties.
        view: built from each row's columns.
        where: conditions the caller may not widen.
        order_by: the order when the query gives none.
        hidden: columns that may be neither filtered nor sorted by.

    Raises:
        Invalid: the filter, order, token or choice of fields does not fit; names the field.
    """
    if reader.cut is not None:
        hidden |= reader.cut.hidden(table)
    telling = Telling.of(table, view, query.chosen(view)) if reader.tells else None
    size = query.page_size
    plan = _planned(
        table, telling, query.filter or "", query.order_by or order_by, size + 1, hidden
    )
    if telling is not None:
        told = _told(query, reader, plan, where)
        token = plan.token(told[size - 1][-len(plan.order) :]) if len(told) > size else None
        return page_text(telling, told[:size], token)
    result = reader.connection.execute(plan.restricted(query, where))
    names = tuple(result.keys())
    rows = [dict(zip(names, row, strict=True)) for row in result.all()]
    last = rows[size - 1] if len(rows) > size else None
    token = plan.token([last[key.column.name] for key in plan.order]) if last else None
    return Page[V](items=[view.model_validate(row) for row in rows[:size]], next_page_token=token)


def _told(
    query: ListQuery, reader: Reader, plan: "_Plan", where: Sequence[ColumnElement[bool]]
) -> Sequence[Any]:
    if not where and not query.page_token:  # nothing but the plan, which is kept
        return reader.kept(plan.statement)
    return reader.rows(plan.restricted(query, where))


class _Plan(NamedTuple):
    """What a list's filter and order come to: kept, because they are asked for again and again."""

    statement: Select[Any]
    """Gives the first page; when rows are told, with what they are ordered by at their end."""
    order: "Sequence[_SortKey]"
    shape: str

    def restricted(self, query: ListQuery, where: Sequence[ColumnElement[bool]]) -> Select[Any]:
        """Return the statement for the page a query asks for, with further conditions."""
        if not query.page_token:
            return self.statement.where(*where)
        values = _opened(query.page_token, self.shape, self.order)
        return self.statement.where(*where, _after(self.order, values))

    def token(self, values: Sequence[Any]) -> str:
        """Return the token of the page after a row with these values."""
        return _token(values, self.shape)


@lru_cache(_PLANS)
def _planned(
    table: Table,
    telling: Telling | None,
    filter_: str,
    order_by: str,
    rows: int,
    hidden: frozenset[str],
) -> _Plan:
    """Return how to ask for the first page.

    Raises:
        Invalid: the filter or the order does not fit.
    """
    columns = {c.name: c for c in table.columns if c.name not in hidden}
    order = _order(order_by, columns)
    named = {key.column.name for key in order}
    order += [
        _SortKey(column, descending=bool(order) and order[-1].descending)
        for column in table.primary_key.columns
        if column.name not in named
    ]
    shape = hashlib.blake2b(
        orjson.dumps([filter_ or None, order_by, table.name]), digest_size=6
    ).hexdigest()
    statement: Select[Any] = select(table)
    if telling is not None:
        statement = telling.select.add_columns(*(key.column for key in order))
    if filter_:
        statement = statement.where(_Filter(filter_, columns).condition())
    ordered = statement.order_by(*(key.clause() for key in order)).limit(rows)
    return _Plan(ordered, order, shape)


class _SortKey(NamedTuple):
    column: ColumnElement[Any] | Any
    descending: bool

    def clause(self) -> ColumnElement[Any]:
        ordered = desc(self.column) if self.descending else asc(self.column)
        # Said only where it matters: PostgreSQL's indexes keep empty values elsewhere.
        return ordered.nulls_last() if self.column.nullable else ordered  # type: ignore[no-any-return]


def _order(text: str, columns: Mapping[str, Any]) -> list[_SortKey]:
    keys: list[_SortKey] = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, direction = part.partition(" ")
        direction = direction.strip().lower() or "asc"
        if name not in columns or isinstance(columns[name].type, JSON):
            raise Invalid.one("order_by", f"cannot sort by {name!r}; known: {_known(columns)}")
        if direction not in {"asc", "desc"}:
            raise Invalid.one("order_by", f"{direction!r} is neither asc nor desc")
        keys.append(_SortKey(columns[name], direction == "desc"))
    if len(keys) > _SORT_KEYS:
        raise Invalid.one("order_by", f"at most {_SORT_KEYS} sort keys")
    if len({key.column.name for key in keys}) < len(keys):
        raise Invalid.one("order_by", "a sort key stands twice")
    return keys


def _after(order: Sequence[_SortKey], values: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition "comes after these values", empty values last in either direction.

    What the first key alone says stands before it by itself, for an index to begin there.
    """
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for key, value in zip(order, values, strict=True):
        column = key.column
        if value is None:
            beyond: ColumnElement[bool] = false()
            same = column.is_(None)
        else:
            there = literal(value, column.type)
            beyond = column < there if key.descending else column > there
            beyond = or_(beyond, column.is_(None)) if column.nullable else beyond
            same = column == there
        alternatives.append(and_(*equal, beyond))
        equal.append(same)
    return and_(_from(order[0], values[0]), or_(*alternatives))


def _from(key: _SortKey, value: Any) -> ColumnElement[bool]:
    """Return the condition that a key's column does not come before a value."""
    column = key.column
    if column.nullable or value is None:
        return true()
    there = literal(value, column.type)
    return column <= there if key.descending else column >= there


def _token(values: Sequence[Any], shape: str) -> str:
    plain = [
        str(v) if isinstance(v, Decimal) else v.isoformat() if isinstance(v, date) else v
        for v in values
    ]
    return base64.urlsafe_b64encode(orjson.dumps([shape, *plain])).decode()


def _opened(token: str, shape: str, order: Sequence[_SortKey]) -> list[Any]:
    try:
        made_for, *plain = orjson.loads(base64.urlsafe_b64decode(token.encode()))
        if made_for != shape or len(plain) != len(order):
            raise Invalid.one("page_token", "belongs to another filter or order")
        return [
            None if v is None else _value(key.column, str(v))
            for key, v in zip(order, plain, strict=True)
        ]
    except (ValueError, TypeError) as error:
        raise Invalid.one("page_token", "is not a token this list gave") from error


def _known(columns: Mapping[str, Any]) -> str:
    return ", ".join(sorted(columns))


def _value(column: Any, text: str) -> Any:
    """Return the filter's text as a value of the column's type; ValueError when it is none."""
    kind = column.type
    if isinstance(kind, Instant):
        return _moment(text)
    if isinstance(kind, Amount):
        return _amount(text)
    if isinstance(kind, Date):
        return date.fromisoformat(text)
    if isinstance(kind, Boolean):
        if text.lower() not in {"true", "false", "1", "0"}:
            raise ValueError(f"{text!r} is neither true nor false")
        return text.lower() in {"true", "1"}
    if isinstance(kind, Integer):
        number = int(text)
        if number not in _INTEGERS:
            raise ValueError(f"{text} is out of range")
        return number
    if isinstance(kind, Float):
        return float(text)
    return text


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} needs a time zone, e.g. 2026-01-31T00:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} is out of range") from error


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a number") from error
    if not amount.is_finite() or amount.copy_abs() >= _AMOUNTS:
        raise ValueError(f"{text} is out of range")
    if amount != round(amount, 4):
        raise ValueError(f"{text} has more than four decimals")
    return amount


class _Filter:
    """Recursive descent over the tokens of a filter."""

    def __init__(self, text: str, columns: Mapping[str, Any]) -> None:
        self._columns = columns
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise Invalid.one("filter", f"cannot read {text[at : at + 20]!r}")
            kind = match.lastgroup or ""
            value = match[kind]
            self._tokens.append((kind, re.sub(r"\\(.)", r"\1", value) if kind == "text" else value))
            at = match.end()

    def condition(self) -> ColumnElement[bool]:
        found = self._either(0)
        if self._at < len(self._tokens):
            raise Invalid.one("filter", f"did not expect {self._tokens[self._at][1]!r}")
        return found

    def _either(self, depth: int) -> ColumnElement[bool]:
        if depth > _DEPTH:
            raise Invalid.one("filter", f"nested deeper than {_DEPTH}")
        terms = [self._both(depth)]
        while self._word("OR"):
            terms.append(self._both(depth))
        return or_(*terms) if len(terms) > 1 else terms[0]

    def _both(self, depth: int) -> ColumnElement[bool]:
        terms = [self._one(depth)]
        while self._word("AND"):
            terms.append(self._one(depth))
        return and_(*terms) if len(terms) > 1 else terms[0]

    def _one(self, depth: int) -> ColumnElement[bool]:
        if self._word("NOT"):
            denied = self._one(depth + 1) if depth < _DEPTH else self._either(depth + 1)
            return not_(func.coalesce(denied, false()))
        kind, value = self._next("a field")
        if (kind, value) == ("paren", "("):
            inner = self._either(depth + 1)
            if self._next(")") != ("paren", ")"):
                raise Invalid.one("filter", "a parenthesis is not closed")
            return inner
        if kind != "word" or value not in self._columns:
            raise Invalid.one("filter", f"no field {value!r}; known: {_known(self._columns)}")
        op_kind, op = self._next("a comparison")
        if op_kind != "op":
            raise Invalid.one("filter", f"expected a comparison after {value}, not {op!r}")
        operand_kind, operand = self._next("a value")
        if operand_kind not in {"word", "text"}:
            raise Invalid.one("filter", f"expected a value after {value} {op}, not {operand!r}")
        absent = operand_kind == "word" and operand == "null"
        return self._comparison(self._columns[value], op, None if absent else operand)

    def _comparison(self, column: Any, op: str, operand: str | None) -> ColumnElement[bool]:
        listed = isinstance(column.type, JSON)
        if operand is None:
            if op not in {"=", "!="}:
                raise Invalid.one("filter", f"{column.name} {op} null says nothing")
            empty = cast(column, String) == "null" if listed else false()
            return or_(column.is_(None), empty) if op == "=" else not_(or_(column.is_(None), empty))
        if listed != (op == ":") and not isinstance(column.type, String):
            what = "a list: use ':'" if listed else "neither text nor a list: ':' says nothing"
            raise Invalid.one("filter", f"{column.name} is {what}")
        if op == ":":
            needle = orjson.dumps(operand).decode() if listed else operand
            return cast(column, String).icontains(needle, autoescape=True)
        try:
            value = literal(_value(column, operand), column.type)
        except ValueError as error:
            raise Invalid.one("filter", f"{column.name}: {error}") from error
        match op:
            case "=":
                return column == value  # type: ignore[no-any-return]
            case "!=":
                return or_(column != value, column.is_(None))
            case "<":
                return column < value  # type: ignore[no-any-return]
            case "<=":
                return column <= value  # type: ignore[no-any-return]
            case ">":
                return column > value  # type: ignore[no-any-return]
            case _:
                return column >= value  # type: ignore[no-any-return]

    def _word(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("word", word):
            self._at += 1
            return True
        return False

    def _next(self, wanted: str) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise Invalid.one("filter", f"ends where {wanted} was expected")
        self._at += 1
        return self._tokens[self._at - 1]
