"""Converters between messages and plain dictionaries, compiled once per message type.

`writer` and `texts_writer` check what comes from outside and name every field that does not fit;
`reader` gives a request to pydantic, `full_reader` gives a view to a caller. JSON names are the
proto's own, whole numbers stay numbers and moments are `datetime`: unlike the canonical proto JSON,
which spells names in camel case and 64-bit numbers as text.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from shared.chassis.shapes import FieldViolation, Invalid

__all__ = ["MAX_DEPTH", "full_reader", "plain_struct", "reader", "texts_writer", "writer"]

MAX_DEPTH = 32
"""Values nested deeper than this are refused."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$", re.ASCII
)
_INTEGER = re.compile(r"^[+-]?\d{1,19}$", re.ASCII)
_NUMBER = re.compile(r"^[+-]?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?$", re.ASCII)
_EXACT = 2**53

Found = list[FieldViolation]
Convert = Callable[[Any, str, Found], Any]
Read = Callable[[Any], dict[str, Any]]


def writer(message: type[Any]) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function that makes a message of a dictionary of JSON values.

    None means absent. The function raises `Invalid` with a violation for every field that is
    unknown, of another type, out of range, or nested too deep; paths are dotted: `items.0.amount`.
    """
    convert = _message(message.DESCRIPTOR)

    def write(values: Mapping[str, Any]) -> Any:
        found: Found = []
        fields = convert(values, "", found)
        if found:
            raise Invalid(found)
        try:
            return message(**fields)
        except UnicodeEncodeError as error:
            raise Invalid.one("", "some text is not valid Unicode") from error

    return write


def texts_writer(message: type[Any]) -> Callable[[Iterable[tuple[str, str]]], Any]:
    """Return a function that makes a message of the pairs of a query string.

    A repeated field takes every value given under its name. It raises `Invalid` like `writer`.
    """
    write = writer(message)
    fields = {field.name: field for field in message.DESCRIPTOR.fields}
    numbers: dict[str, Callable[[str], Any]] = {
        field.name: _TEXTS[field.type] for field in fields.values() if field.type in _TEXTS
    }

    def write_texts(pairs: Iterable[tuple[str, str]]) -> Any:
        values: dict[str, Any] = {}
        for name, text in pairs:
            value = numbers[name](text) if name in numbers else text
            if name in fields and fields[name].is_repeated:
                values.setdefault(name, []).append(value)
            elif name in values:
                raise Invalid.one(name, "is given more than once")
            else:
                values[name] = value
        return write(values)

    return write_texts


def reader(message: type[Any]) -> Read:
    """Return a function that gives the present fields of a message as a dictionary.

    Absent fields are left out, so that the model's defaults apply. It raises `Invalid` for a
    timestamp out of range.
    """
    return _reader(message.DESCRIPTOR)


def full_reader(message: type[Any]) -> Read:
    """Return a function that gives every field of a message: None or empty where it is absent."""
    return _full_reader(message.DESCRIPTOR)


# From dictionaries to messages.


@cache
def _message(descriptor: Any) -> Convert:
    known = {
        "google.protobuf.Timestamp": _timestamp,
        "google.protobuf.Struct": _struct,
        "google.protobuf.Value": _value,
    }.get(descriptor.full_name)
    if known is not None:
        return known
    fields: dict[str, Convert] = {}

    def convert(value: Any, path: str, found: Found) -> dict[str, Any]:
        if not isinstance(value, dict):
            found.append(FieldViolation(path, "must be an object"))
            return {}
        prefix = f"{path}." if path else ""
        if prefix.count(".") > MAX_DEPTH:
            found.append(FieldViolation(path, "is nested too deep"))
            return {}
        written = {}
        for name, item in value.items():
            one = fields.get(name)
            if one is None:
                found.append(FieldViolation(prefix + name, "is not a known field"))
            elif item is not None:
                written[name] = one(item, prefix + name, found)
        return written

    for field in descriptor.fields:
        fields[field.name] = _later(field)
    return convert


def _later(field: Any) -> Convert:
    """Compile a field; one that holds messages on first use, for messages may hold themselves."""
    if field.message_type is None:
        return _field(field)
    compiled: list[Convert] = []

    def convert(value: Any, path: str, found: Found) -> Any:
        if not compiled:
            compiled.append(_field(field))
        return compiled[0](value, path, found)

    return convert


def _field(field: Any) -> Convert:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return _map(_single(entry.fields_by_name["value"]))
    return _list(_single(field)) if field.is_repeated else _single(field)


def _single(field: Any) -> Convert:
    return _message(field.message_type) if field.message_type else _SCALARS[field.type]


def _list(item: Convert) -> Convert:
    def convert(value: Any, path: str, found: Found) -> list[Any]:
        if not isinstance(value, list):
            found.append(FieldViolation(path, "must be a list"))
            return []
        written = []
        for index, one in enumerate(value):
            place = f"{path}.{index}"
            if one is None:
                found.append(FieldViolation(place, "must not be null"))
            else:
                written.append(item(one, place, found))
        return written

    return convert


def _map(item: Convert) -> Convert:
    def convert(value: Any, path: str, found: Found) -> dict[str, Any]:
        if not isinstance(value, dict):
            found.append(FieldViolation(path, "must be an object"))
            return {}
        written = {}
        for key, one in value.items():
            place = f"{path}.{key}"
            if one is None:
                found.append(FieldViolation(place, "must not be null"))
            else:
                written[key] = item(one, place, found)
        return written

    return convert


def _text(value: Any, path: str, found: Found) -> str | None:
    if type(value) is str:
        return value
    found.append(FieldViolation(path, "must be text"))
    return None


def _integer(value: Any, path: str, found: Found) -> int | None:
    if type(value) is not int:
        found.append(FieldViolation(path, "must be a whole number"))
    elif not -(2**63) <= value < 2**63:
        found.append(FieldViolation(path, "is out of range"))
    else:
        return value
    return None


def _number(value: Any, path: str, found: Found) -> float | None:
    if type(value) is float or type(value) is int:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
        found.append(FieldViolation(path, "is out of range"))
    else:
        found.append(FieldViolation(path, "must be a number"))
    return None


def _boolean(value: Any, path: str, found: Found) -> bool | None:
    if type(value) is bool:
        return value
    found.append(FieldViolation(path, "must be true or false"))
    return None


def _timestamp(value: Any, path: str, found: Found) -> dict[str, int] | None:
    if type(value) is not str or not _RFC3339.match(value):
        found.append(
            FieldViolation(path, "must be a moment with its offset: 2026-03-01T09:30:00+08:00")
        )
        return None
    try:
        since = datetime.fromisoformat(value).astimezone(UTC) - _EPOCH
    except (ValueError, OverflowError):
        found.append(FieldViolation(path, "is no possible date and time"))
        return None
    return {"seconds": since.days * 86400 + since.seconds, "nanos": since.microseconds * 1000}


def _struct(value: Any, path: str, found: Found) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        found.append(FieldViolation(path, "must be an object"))
        return None
    _json(value, path, found, MAX_DEPTH)
    return value


def _value(value: Any, path: str, found: Found) -> dict[str, Any] | None:
    _json(value, path, found, MAX_DEPTH)
    if found:
        return None
    match value:
        case bool():
            return {"bool_value": value}
        case str():
            return {"string_value": value}
        case int() | float():
            return {"number_value": value}
        case list():
            return {"list_value": value}
        case _:
            return {"struct_value": value}


def _json(value: Any, path: str, found: Found, depth: int) -> None:
    """Check that a JSON value survives as a `google.protobuf.Value`, whose numbers are doubles."""
    if depth == 0:
        found.append(FieldViolation(path, "is nested too deep"))
    elif isinstance(value, dict):
        for key, item in value.items():
            _json(item, f"{path}.{key}", found, depth - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _json(item, f"{path}.{index}", found, depth - 1)
    elif isinstance(value, int) and abs(value) > _EXACT:
        found.append(FieldViolation(path, "is out of range; write it as text"))


_SCALARS: dict[int, Convert] = {
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_INT64: _integer,
    FieldDescriptor.TYPE_DOUBLE: _number,
    FieldDescriptor.TYPE_BOOL: _boolean,
}
_TEXTS: dict[int, Callable[[str], Any]] = {
    FieldDescriptor.TYPE_INT64: lambda text: int(text) if _INTEGER.match(text) else text,
    FieldDescriptor.TYPE_DOUBLE: lambda text: float(text) if _NUMBER.match(text) else text,
    FieldDescriptor.TYPE_BOOL: lambda text: {"true": True, "false": False}.get(text, text),
}


# From messages to dictionaries.


@cache
def _reader(descriptor: Any) -> Read:
    convert: dict[str, Callable[[Any], Any] | None] = {}

    def read(message: Any) -> dict[str, Any]:
        return {
            (name := field.name): value if (one := convert[name]) is None else one(value)
            for field, value in message.ListFields()
        }

    for field in descriptor.fields:
        convert[field.name] = _read_field(field, _reader)
    return read


@cache
def _full_reader(descriptor: Any) -> Read:
    convert: dict[str, Callable[[Any], Any] | None] = {}
    template = dict.fromkeys((field.name for field in descriptor.fields), None)
    lists = [f.name for f in descriptor.fields if f.is_repeated and not _is_map(f)]
    maps = [f.name for f in descriptor.fields if _is_map(f)]

    def read(message: Any) -> dict[str, Any]:
        values: dict[str, Any] = template.copy()
        for field, value in message.ListFields():
            one = convert[field.name]
            values[field.name] = value if one is None else one(value)
        for name in lists:
            if values[name] is None:
                values[name] = []
        for name in maps:
            if values[name] is None:
                values[name] = {}
        return values

    for field in descriptor.fields:
        convert[field.name] = _read_field(field, _full_reader)
    return read


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _read_field(field: Any, nested: Callable[[Any], Read]) -> Callable[[Any], Any] | None:
    """Return what turns the field's value into a plain one, None when it is plain already."""
    if _is_map(field):
        return _read_map(_read_single(field.message_type.fields_by_name["value"], nested))
    item = _read_single(field, nested)
    return _read_list(item) if field.is_repeated else item


def _read_map(item: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    if item is None:
        return dict
    return lambda value: {key: item(one) for key, one in value.items()}


def _read_list(item: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    if item is None:
        return list
    return lambda value: [item(one) for one in value]


def _read_single(field: Any, nested: Callable[[Any], Read]) -> Callable[[Any], Any] | None:
    message = field.message_type
    if message is None:
        return None
    known = _READ_KNOWN.get(message.full_name)
    # Compiled on first use: messages may hold themselves.
    return known or (lambda value: nested(message)(value))  # noqa: PLW0108


def _moment(value: Any) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
    except OverflowError as error:
        raise Invalid.one("", f"a timestamp is out of range: {value.seconds} seconds") from error


def plain_struct(value: Any) -> dict[str, Any]:
    """Return a `google.protobuf.Struct` as a dictionary; whole numbers are whole again."""
    return {key: _plain_value(item) for key, item in value.fields.items()}


def _plain_value(value: Any) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _EXACT else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_plain_value(item) for item in value.list_value.values]
        case "struct_value":
            return plain_struct(value.struct_value)
        case _:
            return None


_READ_KNOWN: dict[str, Callable[[Any], Any]] = {
    "google.protobuf.Timestamp": _moment,
    "google.protobuf.Struct": plain_struct,
    "google.protobuf.Value": _plain_value,
}
