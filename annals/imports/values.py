"""Values: functions of a record's rows, put together from smaller ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from annals.imports.cells import Read, Unreadable
from annals.imports.tables import Cell

__all__ = [
    "Rows",
    "Value",
    "alone",
    "always",
    "column",
    "columns",
    "defaulted",
    "each",
    "filled",
    "first",
    "join",
    "list_of",
    "object_of",
    "of_first_row",
    "replaced",
    "split",
]

Rows = Sequence[Sequence[Cell]]
"""The cells of one record's rows, in order."""
Value = Callable[[Rows], Any]
"""What a record says, None for nothing. Raises `Unreadable` when it cannot be understood."""


def column(place: int, nulls: frozenset[str]) -> Value:
    """Return what reads a cell of the last row, texts without the blanks around them."""

    def cell_of(rows: Rows) -> Any:
        cell = rows[-1][place]
        if cell.__class__ is str:
            cell = cell.strip()
        return None if cell in nulls else cell

    return cell_of


def columns(places: Sequence[tuple[str, int]], nulls: frozenset[str]) -> Value:
    """Return what gives the filled cells of the last row by name."""

    def cells_of(rows: Rows) -> dict[str, str] | None:
        row = rows[-1]
        found = {name: _plain(row[place]) for name, place in places if row[place] not in nulls}
        return found or None

    return cells_of


def _plain(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.isoformat()


def always(value: Any) -> Value:
    """Return what gives this value for every record."""
    return lambda _rows: value


def of_first_row(read: Value) -> Value:
    """Return what reads the first row of a record instead of the last."""
    return lambda rows: read(rows[:1])


def filled(read: Value, step: Callable[[Any], Any]) -> Value:
    """Return what takes a value one step further, if there is one."""

    def stepped(rows: Rows) -> Any:
        value = read(rows)
        return None if value is None else step(value)

    return stepped


def defaulted(read: Value, default: str) -> Value:
    """Return what gives `default` where there is no value."""

    def given(rows: Rows) -> Any:
        value = read(rows)
        return default if value is None else value

    return given


def alone(value: Any) -> list[Any]:
    """Return the value as the only one of a list."""
    return [value]


def split(mark: str, read: Read) -> Callable[[Any], Any]:
    """Return what cuts a text at a mark and reads each part."""

    def cut(value: Any) -> list[Any] | None:
        parts = [part.strip() for part in str(value).split(mark)]
        return [read(part) for part in parts if part] or None

    return cut


def replaced(values: Mapping[str, str], others: str) -> Callable[[Any], Any]:
    """Return what says one word for another, and keeps, drops or refuses those it does not know."""

    def other(value: Any) -> Any:
        found = values.get(value)
        if found is not None or others == "drop":
            return found
        if others == "refuse":
            raise Unreadable(f"{value!r} is none of {', '.join(values)}")
        return value

    return other


def join(parts: Sequence[Value], separator: str) -> Value:
    """Return what puts the values there are into one text."""

    def joined(rows: Rows) -> str | None:
        values = [value for part in parts if (value := part(rows)) is not None]
        return separator.join(values) or None

    return joined


def first(parts: Sequence[Value]) -> Value:
    """Return what gives the first value there is."""

    def found(rows: Rows) -> Any:
        for part in parts:
            value = part(rows)
            if value is not None:
                return value
        return None

    return found


def list_of(parts: Sequence[Value]) -> Value:
    """Return what lists the values there are."""

    def listed(rows: Rows) -> list[Any] | None:
        return [value for part in parts if (value := part(rows)) is not None] or None

    return listed


def each(parts: Sequence[Value]) -> Value:
    """Return what lists the values of every row of a record."""

    def every(rows: Rows) -> list[Any] | None:
        found = [part((row,)) for row in rows for part in parts]
        return [value for value in found if value is not None] or None

    return every


def object_of(members: Sequence[tuple[str, Value, bool]]) -> Value:
    """Return the object of the members that say something; constants alone say nothing."""
    told_by_row = any(not constant for _, _, constant in members)

    def made(rows: Rows) -> dict[str, Any] | None:
        values: dict[str, Any] = {}
        told = not told_by_row
        for name, read, constant in members:
            value = read(rows)
            if value is not None:
                values[name] = value
                told = told or not constant
        return values if told else None

    return made
