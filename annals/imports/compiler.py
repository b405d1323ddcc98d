"""Compiles a mapping against a table's columns; everything that does not fit is named at once."""

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel

from annals.imports import values
from annals.imports.cells import Read, Unreadable, reader
from annals.imports.kinds import KINDS, Kind, record_id
from annals.imports.mapping import Cast, Expression, MappingError, RecordMapping, closest
from annals.imports.mapping import Mapping as MappingFile
from annals.imports.recipes import Missing, Recipe
from annals.imports.tables import Cell
from annals.imports.values import Rows, Value

__all__ = ["Find", "LookupTable", "compile_mapping"]

Find = Callable[[Kind, str], str]
"""Returns the id under which the record imported under an id lives today, which is another one when
it was merged into a known record; raises LookupError when there is none."""


class LookupTable(NamedTuple):
    """Another table: where its columns are, and its rows by key."""

    columns: Mapping[str, int]
    rows: Mapping[Cell | None, Sequence[Cell]]


def compile_mapping(
    mapping: MappingFile,
    columns: Sequence[str],
    *,
    lookups: Mapping[str, LookupTable],
    zone: tzinfo,
    find: Find,
) -> tuple[list[Recipe], Value | None]:
    """Compile a mapping for a table with these columns.

    Args:
        mapping: the mapping.
        columns: names of the table's columns.
        lookups: the other tables it names, by name.
        zone: of moments without one, where the mapping names none.
        find: finds records that others refer to.

    Returns:
        The recipes, the file's own kind last, and what the rows of a record are ordered by.

    Raises:
        MappingError: a column, field, kind or lookup is not there, or a constant cannot be read;
            names the keys.
    """
    compiler = _Compiler(mapping, columns, lookups, zone, find)
    for name in mapping.group_by or ():
        compiler.place("group_by", name)
    recipes = [
        compiler.recipe(record, f"before.{index}.") for index, record in enumerate(mapping.before)
    ]
    recipes.append(compiler.recipe(mapping, ""))
    order = None
    if mapping.order_by is not None:
        order = compiler.value(mapping.order_by, str, "order_by")
    if compiler.problems:
        raise MappingError(compiler.problems)
    return recipes, order


class _Compiler:
    def __init__(
        self,
        mapping: MappingFile,
        columns: Sequence[str],
        lookups: Mapping[str, LookupTable],
        zone: tzinfo,
        find: Find,
    ) -> None:
        self.problems: list[str] = []
        self._mapping = mapping
        self._columns = {name: place for place, name in enumerate(columns)}
        self._lookups = lookups
        self._zone = ZoneInfo(mapping.time_zone) if mapping.time_zone else zone
        self._find = find
        self._sources: dict[str, Callable[[Expression, Any, str], Value]] = {
            "column": self._column,
            "columns": self._several,
            "constant": self._constant,
            "join": self._join,
            "first": self._first,
            "list": self._list,
            "object": self._object,
            "each": self._each,
            "id_of": self._id_of,
            "lookup": self._lookup,
        }

    def recipe(self, record: RecordMapping, path: str) -> Recipe:
        kind = self._kind(record.kind, f"{path}kind") or next(iter(KINDS.values()))
        self._check_fields(kind, record.fields, path)
        constant: dict[str, Any] = {}
        if kind.region_field and self._mapping.phone_country:
            constant[kind.region_field] = self._mapping.phone_country
        moment = record.occurred_at or self._mapping.occurred_at
        return Recipe(
            kind,
            self._mapping.source,
            self.value(record.external_id, str, f"{path}external_id"),
            self.value(moment, datetime, f"{path}occurred_at") if moment else None,
            [
                (name, self._tree(node, kind.command, name, f"{path}fields.{name}"))
                for name, node in _nested(record.fields).items()
            ],
            constant,
        )

    def value(self, expression: Expression, target: Any, path: str) -> Value:
        """Return what reads the expression for a field of type `target`; note what is wrong."""
        grouped = self._mapping.group_by is not None
        if not grouped and (expression.each is not None or expression.row == "first"):
            self.problems.append(f"{path}: without `group_by` a record has one row only")
        read = self._sources[expression.kind](expression, target, path)
        if expression.row == "first":
            read = values.of_first_row(read)
        if expression.values is not None:
            read = values.filled(read, values.replaced(expression.values, expression.others))
        if expression.default is not None:
            read = values.defaulted(read, expression.default)
        listed = get_origin(target) in {tuple, list}
        if expression.gives_text:
            read = self._cast(read, expression, _item(target), path)
        if listed and expression.gives_one:
            read = values.filled(read, values.alone)
        return read

    def place(self, path: str, name: str) -> int:
        """Return where a column is, 0 when it is not there, which is noted."""
        if name not in self._columns:
            hint = closest(name, self._columns)
            self.problems.append(f"{path}: the file has no column {name!r}{hint}")
        return self._columns.get(name, 0)

    def _check_fields(self, kind: Kind, fields: Iterable[str], path: str) -> None:
        given = {name.partition(".")[0] for name in fields}
        for name in sorted(kind.filled & given):
            self.problems.append(f"{path}fields.{name}: is filled by the import itself")
        for name, field in kind.command.model_fields.items():
            if field.is_required() and name not in given | kind.filled:
                self.problems.append(f"{path}fields.{name}: {kind.name} need it")

    def _kind(self, name: str, path: str) -> Kind | None:
        if name not in KINDS:
            self.problems.append(f"{path}: there is no kind {name!r}{closest(name, KINDS)}")
        return KINDS.get(name)

    def _tree(self, node: Any, model: Any, name: str, path: str) -> Value:
        target = self._field(model, name, path)
        if isinstance(node, Expression):
            return self.value(node, target, path)
        return self._members(node, target, path)

    def _members(self, nodes: Mapping[str, Any], model: Any, path: str) -> Value:
        return values.object_of(
            [
                (name, self._tree(node, model, name, f"{path}.{name}"), _is_constant(node))
                for name, node in nodes.items()
            ]
        )

    def _field(self, model: Any, name: str, path: str) -> Any:
        """Return the type of a model's field; `Any` below what is no model."""
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return Any
        if name not in model.model_fields:
            hint = closest(name, model.model_fields)
            self.problems.append(f"{path}: {model.__name__} has no field {name!r}{hint}")
            return Any
        return _bare(model.model_fields[name].annotation)

    def _column(self, expression: Expression, _target: Any, path: str) -> Value:
        return values.column(self.place(path, str(expression.column)), self._nulls(expression))

    def _several(self, expression: Expression, _target: Any, path: str) -> Value:
        wanted: Iterable[str] = expression.columns or ()
        if wanted == "all":
            wanted = self._columns
        places = [(name, self.place(path, name)) for name in wanted]
        return values.columns(places, self._nulls(expression))

    def _constant(self, expression: Expression, _target: Any, _path: str) -> Value:
        return values.always(expression.constant)

    def _join(self, expression: Expression, _target: Any, path: str) -> Value:
        return values.join(self._parts(expression.join, str, f"{path}.join"), expression.separator)

    def _first(self, expression: Expression, target: Any, path: str) -> Value:
        return values.first(self._parts(expression.first, _item(target), f"{path}.first"))

    def _list(self, expression: Expression, target: Any, path: str) -> Value:
        return values.list_of(self._parts(expression.list, _item(target), f"{path}.list"))

    def _object(self, expression: Expression, target: Any, path: str) -> Value:
        return self._members(expression.object or {}, _item(target), f"{path}.object")

    def _each(self, expression: Expression, target: Any, path: str) -> Value:
        return values.each(self._parts(expression.each, _item(target), f"{path}.each"))

    def _id_of(self, expression: Expression, _target: Any, path: str) -> Value:
        name = str(expression.id_of)
        kind = self._kind(name, f"{path}.id_of")
        if kind is not None and kind.id_field is None:
            self.problems.append(f"{path}.id_of: {name} have no ids of their own")
        of = self._of(expression, path)
        source = expression.source or self._mapping.source
        must_exist, find = expression.must_exist, self._find

        def id_of(rows: Rows) -> str | None:
            external_id = of(rows)
            if external_id is None:
                return None
            derived = record_id(name, source, external_id)
            try:
                return find(KINDS[name], derived)
            except LookupError:
                if must_exist:
                    raise Missing(f"{name} from {source} include no {external_id!r}") from None
                return derived

        return id_of

    def _lookup(self, expression: Expression, _target: Any, path: str) -> Value:
        name, take = str(expression.lookup), str(expression.take)
        table = self._lookups.get(name)
        if table is None:
            hint = closest(name, self._lookups)
            self.problems.append(f"{path}.lookup: lookups hold no {name!r}{hint}")
            return values.always(None)
        if take not in table.columns:
            hint = closest(take, table.columns)
            self.problems.append(f"{path}.take: {name} has no column {take!r}{hint}")
            return values.always(None)
        of = self._of(expression, path)
        cell = values.column(table.columns[take], self._nulls(expression))

        def looked_up(rows: Rows) -> Any:
            row = table.rows.get(of(rows))
            return None if row is None else cell((row,))

        return looked_up

    def _of(self, expression: Expression, path: str) -> Value:
        return self.value(expression.of or Expression(constant=""), str, f"{path}.of")

    def _parts(
        self, expressions: Sequence[Expression] | None, target: Any, path: str
    ) -> list[Value]:
        return [
            self.value(expression, target, f"{path}.{index}")
            for index, expression in enumerate(expressions or ())
        ]

    def _nulls(self, expression: Expression) -> frozenset[str]:
        return self._mapping.nulls | (expression.nulls or frozenset()) | {""}

    def _cast(self, read: Value, expression: Expression, target: Any, path: str) -> Value:
        one = self._reader(expression, expression.cast or _cast_of(target))
        if expression.split is not None:
            return values.filled(read, values.split(expression.split, one))
        if expression.constant is None:
            return values.filled(read, one)
        try:
            return values.always(one(expression.constant))
        except Unreadable as problem:
            self.problems.append(f"{path}.constant: {problem}")
            return read

    def _reader(self, expression: Expression, cast: Cast) -> Read:
        formats = expression.formats
        if formats is None:
            formats = () if expression.constant is not None else self._mapping.formats
        return reader(
            cast,
            formats=formats,
            zone=ZoneInfo(expression.time_zone) if expression.time_zone else self._zone,
            decimal_mark=self._mapping.decimal_mark,
            thousands_mark=self._mapping.thousands_mark,
        )


_CASTS = {
    datetime: Cast.MOMENT,
    AwareDatetime: Cast.MOMENT,
    date: Cast.DATE,
    Decimal: Cast.DECIMAL,
    int: Cast.INTEGER,
    bool: Cast.YES_NO,
}


def _nested(fields: Mapping[str, Expression]) -> dict[str, Any]:
    """Return `{"a.b": x, "a.c": y}` as `{"a": {"b": x, "c": y}}`."""
    tree: dict[str, Any] = {}
    for path, expression in fields.items():
        *above, name = path.split(".")
        node = tree
        for part in above:
            below = node.setdefault(part, {})
            if not isinstance(below, dict):
                raise MappingError([f"fields.{path}: {part} has a value of its own already"])
            node = below
        if name in node:
            raise MappingError([f"fields.{path}: has fields within it already"])
        node[name] = expression
    return tree


def _bare(annotation: Any) -> Any:
    """Return the annotation without `Annotated` and `None`; `Any` for a choice of types."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return _bare(kinds[0]) if len(kinds) == 1 else Any
    return annotation


def _item(target: Any) -> Any:
    """Return the type of a list's items; that of what is no list."""
    return _bare(get_args(target)[0]) if get_origin(target) in {tuple, list} else target


def _cast_of(target: Any) -> Cast:
    return _CASTS.get(target, Cast.TEXT) if isinstance(target, type) else Cast.TEXT


def _is_constant(node: Any) -> bool:
    if isinstance(node, Expression):
        return node.constant is not None
    return all(_is_constant(below) for below in node.values())
