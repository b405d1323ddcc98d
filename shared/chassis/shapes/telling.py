"""Rows told as JSON by the database that holds them.

A caller who only passes an answer on wants text. PostgreSQL writes a row's JSON in a fraction of
the time that it takes to fetch the values, make a view of them and write that. `Telling` says how a
table's rows become the text that `view.model_dump_json()` gives, or that they cannot, because the
view does more than show columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cached_property, lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    WrapSerializer,
    WrapValidator,
)
from pydantic.fields import FieldInfo
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Date,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.sql import Select

from shared.chassis.shapes.columns import Amount, Instant
from shared.chassis.shapes.errors import NotFound
from shared.chassis.shapes.query import Listed, Mapped, Page, Reader, View

__all__ = ["TELLS", "Telling", "first", "found", "page_text"]

TELLS = "postgresql"
"""The dialect of databases that tell rows."""

V = TypeVar("V", bound=View)

_quoted = dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
_MENDING = {get_args(one)[1].func for one in (Listed, Mapped)}
_WORKS = (
    BeforeValidator,
    AfterValidator,
    PlainValidator,
    WrapValidator,
    PlainSerializer,
    WrapSerializer,
)
"""What an annotation changes values by."""
_SCALARS = (str, int, bool)
_ALIKE: Sequence[tuple[type[Any], type[Any]]] = (
    (Boolean, bool),
    (Integer, int),
    (Date, date),
    (String, str),
)
"""Columns that PostgreSQL writes as pydantic does, and what they hold."""


class _Untold(Exception):
    """A field is more than its column."""


@dataclass(frozen=True)
class _Part:
    """A field that holds models, which only pydantic can write."""

    name: str
    column: Column[Any]
    adapter: TypeAdapter[Any]

    def told(self, value: Any) -> str:
        """Return the field with its value in JSON."""
        return self._of_nothing if value is None else self._told(value)

    @cached_property
    def _of_nothing(self) -> str:
        return self._told(None)

    def _told(self, value: Any) -> str:
        said = self.adapter.dump_json(self.adapter.validate_python(value))
        return f'"{self.name}":{said.decode()}'


@dataclass(frozen=True, eq=False)
class Telling:
    """How rows of a table become text.

    Args:
        select: selects of all rows what `told` takes.
        parts: fields that stand at the end of it.
    """

    select: Select[Any]
    parts: Sequence[_Part]

    @staticmethod
    @lru_cache(1024)
    def of(
        table: Table, view: type[BaseModel], only: frozenset[str] | None = None
    ) -> "Telling | None":
        """Return how rows of a table are told as a view; None when the view does more.

        Args:
            table: of the rows.
            view: of a row.
            only: the fields that are told; None for all.
        """
        if _does_more(view):
            return None
        plain: list[str] = []
        parts: list[_Part] = []
        try:
            for name, field in view.model_fields.items():
                if only is not None and name not in only:
                    continue
                column = table.columns.get(name)
                if column is None:
                    plain.append(f"{_constant(field)} AS {_quoted(name)}")
                elif (expression := _expression(column, field)) is not None:
                    plain.append(f"{expression} AS {_quoted(name)}")
                else:
                    parts.append(_Part(name, column, TypeAdapter(_annotated(field))))
        except _Untold:
            return None
        told = text(f"LATERAL (SELECT {', '.join(plain)}) AS told")
        row: ColumnElement[str] = literal_column("row_to_json(told)::text", Text)
        chosen = select(row).select_from(table, told)
        return Telling(chosen.add_columns(*(part.column for part in parts)), parts)

    def told(self, row: Sequence[Any]) -> str:
        """Return the text of a row of `select`; it may have more columns at its end."""
        plain: str = row[0]
        if not self.parts:
            return plain
        said = [part.told(value) for part, value in zip(self.parts, row[1:], strict=False)]
        return f"{{{','.join(filter(None, [plain[1:-1], *said]))}}}"


def first(
    reader: Reader, table: Table, view: type[V], key: str, when: ColumnElement[bool] | None = None
) -> V | None:
    """Return a record by its key, or None: what the question answers.

    That is the view, or the text of its JSON for who wants that.

    Args:
        reader: of the read models.
        table: whose primary key is one column.
        view: of a row.
        key: the record's id.
        when: a condition besides; the same object every time.
    """
    telling = Telling.of(table, view) if reader.tells else None
    if telling is not None:
        rows = reader.kept(_by_key(telling.select, table, when), key=key)
        return telling.told(rows[0]).encode() if rows else None  # type: ignore[return-value]
    chosen = reader.connection.execute(_by_key(_whole(table), table, when), {"key": key})
    row = chosen.mappings().first()
    return view.model_validate(dict(row)) if row else None


def found(reader: Reader, table: Table, view: type[V], record: str, key: str) -> V:
    """Return a record by its key: what the question answers, see `first`.

    Args:
        reader: of the read models.
        table: whose primary key is one column.
        view: of a row.
        record: what it is, in words.
        key: its id.

    Raises:
        NotFound: there is none.
    """
    answer = first(reader, table, view, key)
    if answer is None:
        raise NotFound(record, key)
    return answer


@lru_cache(1024)
def _whole(table: Table) -> Select[Any]:
    return select(table)


@lru_cache(1024)
def _by_key(chosen: Select[Any], table: Table, when: ColumnElement[bool] | None) -> Select[Any]:
    (column,) = table.primary_key.columns
    wanted = chosen.where(column == bindparam("key", type_=column.type))
    return wanted if when is None else wanted.where(when)


def page_text(telling: Telling, rows: Sequence[Sequence[Any]], token: str | None) -> Page[Any]:
    """Return the text of a page of told rows."""
    items = ",".join([telling.told(row) for row in rows])
    after = "null" if token is None else f'"{token}"'  # base64
    return f'{{"items":[{items}],"next_page_token":{after}}}'.encode()  # type: ignore[return-value]


def _expression(column: Column[Any], field: FieldInfo) -> str | None:
    """Return a column's value in the form its field has in JSON; None when that is a model.

    Raises:
        _Untold: the field is more than its column.
    """
    name = f"{_quoted(column.table.name)}.{_quoted(column.name)}"
    kind = _kind(field.annotation)
    if isinstance(column.type, JSON):
        return _document(name, field)
    if field.metadata and any(isinstance(one, _WORKS) for one in field.metadata):
        raise _Untold
    if isinstance(column.type, Amount) and kind is Decimal:
        # With none, two or four decimals, as `amount_of` has it.
        return rf"regexp_replace({name}::text, '(\.0000|00)$', '')"
    if isinstance(column.type, Instant) and kind is datetime:
        moment = f"""to_char({name}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        return f"replace({moment}, '.000000Z', 'Z')"
    if any(isinstance(column.type, held) and kind is known for held, known in _ALIKE):
        return name
    raise _Untold


def _document(name: str, field: FieldInfo) -> str | None:
    """Return a JSON column's value, empty where the view has an empty list or map of nothing."""
    if any(isinstance(one, _WORKS) and one.func not in _MENDING for one in field.metadata):
        return None
    kind, arguments = _plain(field.annotation)
    if kind is list and _as_kept(arguments[0]):
        empty = "[]"
    elif kind is dict and (arguments[1] is Any or _as_kept(arguments[1])):
        empty = "null" if _may_be_none(field.annotation) else "{}"
    else:
        return None
    return f"CASE WHEN {name}::text <> 'null' THEN {name} ELSE '{empty}'::json END"


def _as_kept(annotation: Any) -> bool:
    """Whether a value in a JSON column is what its view writes.

    Of models, those are that cannot be kept with less: all fields are required, and scalars.
    """
    kind = _kind(annotation)
    if kind in _SCALARS:
        return True
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return False
    return not _does_more(kind) and all(
        field.is_required()
        and not any(isinstance(one, _WORKS) for one in field.metadata)
        and _kind(field.annotation) in _SCALARS
        for field in kind.model_fields.values()
    )


def _does_more(view: type[BaseModel]) -> bool:
    """Whether a model does more than hold its fields under their names."""
    works = view.__pydantic_decorators__
    return any(getattr(works, kind.name) for kind in fields(works)) or any(
        field.exclude or field.serialization_alias or field.validation_alias
        for field in view.model_fields.values()
    )


def _constant(field: FieldInfo) -> str:
    """Return what a field says that no column tells."""
    if field.is_required():
        raise _Untold
    value = field.get_default(call_default_factory=True)
    said = TypeAdapter(_annotated(field)).dump_json(value).decode()
    return f"{literal(said).compile(compile_kwargs={'literal_binds': True})}::json"


def _annotated(field: FieldInfo) -> Any:
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _kind(annotation: Any) -> Any:
    """Return the type a scalar is written as; whatever else it is, its origin."""
    kind, arguments = _plain(annotation)
    if kind is Literal:
        return str if all(isinstance(one, str) for one in arguments) else kind
    if kind is AwareDatetime:
        return datetime
    if isinstance(kind, type) and issubclass(kind, Enum):
        return str if all(isinstance(one.value, str) for one in kind) else kind
    return kind


def _plain(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Take off metadata, names and `| None`; return the origin and its arguments."""
    while True:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            if any(isinstance(one, _WORKS) for one in arguments[1:]):
                raise _Untold
            annotation = arguments[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif origin in {Union, UnionType} and len(arguments) == 2 and NoneType in arguments:  # noqa: PLR2004
            annotation = next(one for one in arguments if one is not NoneType)
        else:
            return origin or annotation, arguments


def _may_be_none(annotation: Any) -> bool:
    return NoneType in get_args(annotation)
